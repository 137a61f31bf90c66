//! What every request goes through first and last: it gets an id and a place in a trace, and when its
//! answer has gone out, the access log, the journal and the metrics are told.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::clock::Stopwatch;
use crate::connection::Connection;
use crate::error::PROBLEM_JSON;
use crate::journal::Asked;
use crate::principal::Principal;
use crate::shared::Shared;
use crate::trace::{REQUEST_ID, Trace};

/// Bytes of a path that are kept.
const LONGEST_PATH: usize = 300;
/// Problems up to so many bytes are told by which request they were met.
const LONGEST_PROBLEM: u64 = 64 << 10;

/// The site that answered: an extension of its answers, for the metrics.
#[derive(Clone, Debug)]
pub(crate) struct AnsweredBy(pub(crate) String);

/// Answers a request by `next`, and sees to it that the answer is told of.
pub(crate) async fn observe(
    shared: Shared,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let watch = Stopwatch::start();
    let trace = Trace::of(request.headers());
    let path = shortened(request.uri().path());
    let mut seen = Seen {
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()),
        address: address_of(&request),
        trace: trace.clone(),
        path,
        watch,
        status: StatusCode::OK,
        principal: None,
        bytes: 0,
        shared,
    };
    request.extensions_mut().insert(trace.clone());
    let mut response = next(request).await;
    response.headers_mut().insert(REQUEST_ID, trace.id_header());
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON) {
        response = with_its_request(response, &trace, &seen.path).await;
    }
    seen.status = response.status();
    seen.principal = response.extensions_mut().remove::<Principal>();
    if let Some(AnsweredBy(prefix)) = response.extensions_mut().remove() {
        seen.route = Some(prefix);
    }
    response.map(|body| Body::new(Counted { body, seen }))
}

/// Tells a problem by which request it was met (RFC 9457: `instance`, and an extension).
async fn with_its_request(response: Response, trace: &Trace, path: &str) -> Response {
    if response.body().size_hint().exact().is_none_or(|size| size > LONGEST_PROBLEM) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let Ok(mut problem) = serde_json::from_slice::<Map<String, Value>>(&bytes) else {
        // Of a HEAD request, or of an application's own making.
        return Response::from_parts(parts, Body::from(bytes));
    };
    problem.entry("instance").or_insert_with(|| path.into());
    problem.entry("request_id").or_insert_with(|| (*trace.request_id).into());
    let bytes = serde_json::to_vec(&problem).unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Response::from_parts(parts, Body::from(bytes))
}

/// What is known of a request; told when it is dropped, with the last byte of its answer.
struct Seen {
    method: Method,
    route: Option<String>,
    address: Option<IpAddr>,
    trace: Trace,
    path: String,
    watch: Stopwatch,
    status: StatusCode,
    principal: Option<Principal>,
    bytes: u64,
    shared: Shared,
}

impl Drop for Seen {
    fn drop(&mut self) {
        let elapsed = self.watch.elapsed();
        let route = self.route.as_deref().unwrap_or("none");
        self.shared.metrics.answered(route, &self.method, self.status, elapsed);
        let principal = self.principal.as_ref().map(|principal| principal.name.to_string());
        let milliseconds = elapsed.as_secs_f64() * 1000.0;
        tracing::info!(
            target: "aiobpy::access",
            method = %self.method,
            path = self.path,
            status = self.status.as_u16(),
            bytes = self.bytes,
            milliseconds,
            principal = principal.as_deref(),
            request_id = &*self.trace.request_id,
            trace = %self.trace,
        );
        self.shared.journal.write(Asked {
            at: Timestamp::now(),
            request_id: self.trace.request_id.to_string(),
            principal,
            address: self.address,
            method: self.method.as_str().to_owned(),
            path: std::mem::take(&mut self.path),
            status: self.status.as_u16(),
            bytes: self.bytes,
            milliseconds,
        });
    }
}

/// An answer's body that is counted.
struct Counted {
    body: Body,
    seen: Seen,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.seen.bytes += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn address_of(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Connection>()?.peer?;
    Some(peer.ip())
}

fn shortened(path: &str) -> String {
    // A URI's path is ASCII, but for what clients send against the rules.
    let end = (0..=LONGEST_PATH.min(path.len())).rev().find(|end| path.is_char_boundary(*end));
    path[..end.unwrap_or_default()].to_owned()
}
