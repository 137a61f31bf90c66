//! One request, its answer in memory.

use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderMap, HeaderValue};

use crate::address::Address;
pub use crate::answer::Answered;
use crate::exchange::{Ask, Content, Exchange, Manners};
use crate::failure::Failure;
use crate::transfers::Job;

/// A request.
#[derive(Debug)]
pub struct Fetch {
    pub url: String,
    pub method: String,
    pub body: Option<Vec<u8>>,
    /// Of the body, unless the headers say.
    pub content_type: Option<String>,
    /// The most bytes that the answer may have.
    pub limit: u64,
    /// Whether a status of 400 or more is a failure.
    pub check: bool,
    pub manners: Manners,
}

pub(crate) async fn fetch(job: &Job, order: Fetch) -> Result<Answered, Failure> {
    let address = Address::parse(&order.url)?;
    let method = method(&order.method)?;
    let exchange = Exchange::new(job, order.manners, &[header::ACCEPT_ENCODING]).await?;
    let mut headers = exchange.headers();
    if let Some(content_type) = &order.content_type
        && !headers.contains_key(header::CONTENT_TYPE)
    {
        headers.insert(header::CONTENT_TYPE, content_type_value(content_type)?);
    }
    let own = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]);
    let content = order.body.map_or(Content::Nothing, |body| Content::Bytes(Bytes::from(body)));
    let ask = Ask { method, address, headers, own_headers: own, content };
    let reply = exchange.send(ask).await?;
    if order.check && reply.status().as_u16() >= 300 {
        return Err(Answered::refusal(&exchange, reply).await);
    }
    Answered::read(job, &exchange, reply, order.limit).await
}

pub(crate) fn method(name: &str) -> Result<Method, Failure> {
    match Method::from_bytes(name.as_bytes()) {
        Ok(method) if method != Method::CONNECT => Ok(method),
        _ => Err(Failure::Argument(format!("{name:?} is no method that can be sent"))),
    }
}

pub(crate) fn content_type_value(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text)
        .map_err(|_| Failure::Argument(format!("{text:?} is no content type")))
}
