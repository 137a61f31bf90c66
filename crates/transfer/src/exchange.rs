//! One request and its answer, redirects followed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode};
use reqwest::{Body, Client, Response};
use url::Url;

use crate::address::{self, Address};
use crate::client::{Proxies, Wanted};
use crate::failure::Failure;
use crate::headers;
use crate::patience::Patience;
use crate::redirect::{self, Allowed, MOST_HOPS};
use crate::transfers::Job;
use crate::upload::FileContent;

/// How a caller wants requests to be made.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Sent to the origin of the caller's address; to others only those that can hold no secret.
    pub headers: Vec<(String, String)>,
    /// How long nothing may happen.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    /// Certificates that are trusted besides the system's.
    pub cafile: Option<PathBuf>,
    /// Whether a redirect may lead from https to http.
    pub allow_downgrade: bool,
    /// Whether a redirect may lead to another machine.
    pub allow_leaving: bool,
    pub proxies: Proxies,
}

/// What is to be asked.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) address: Address,
    /// The caller's.
    pub(crate) headers: HeaderMap,
    /// Ours, which any server may see.
    pub(crate) own_headers: HeaderMap,
    pub(crate) content: Content,
}

impl Ask {
    pub(crate) fn get(address: Address, headers: HeaderMap, own_headers: HeaderMap) -> Self {
        Self { method: Method::GET, address, headers, own_headers, content: Content::Nothing }
    }
}

/// A request's body, which can be sent once more after a redirect.
#[derive(Clone)]
pub(crate) enum Content {
    Nothing,
    Bytes(Bytes),
    File(Arc<FileContent>),
}

/// The answer's head; its body is still to come.
pub(crate) struct Reply {
    pub(crate) response: Response,
    /// Who has answered at last.
    pub(crate) url: Url,
}

/// A client and its manners, for the requests of one transfer.
pub(crate) struct Exchange {
    client: Client,
    pub(crate) patience: Arc<Patience>,
    allowed: Allowed,
    headers: HeaderMap,
}

impl Exchange {
    /// `ours`: headers that the caller may not set, besides those that never can be.
    pub(crate) async fn new(
        job: &Job,
        manners: Manners,
        ours: &[HeaderName],
    ) -> Result<Self, Failure> {
        let headers = headers::parse(&manners.headers, ours)?;
        let wanted = Wanted {
            cafile: manners.cafile,
            connect_timeout: manners.connect_timeout,
            proxies: manners.proxies,
        };
        let clients = Arc::clone(&job.clients);
        let client = job.block(move || clients.get(wanted)).join().await?;
        let patience = Arc::new(Patience::new(manners.timeout));
        let allowed =
            Allowed { downgrade: manners.allow_downgrade, leaving: manners.allow_leaving };
        Ok(Self { client, patience, allowed, headers })
    }

    /// The caller's headers.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Sends the request, follows redirects, and returns the first answer that is none.
    pub(crate) async fn send(&self, ask: Ask) -> Result<Reply, Failure> {
        let Ask { mut method, address, mut headers, own_headers, mut content } = ask;
        address.authorise(&mut headers);
        let mut url = address.url;
        for _ in 0..=MOST_HOPS {
            let response =
                self.once(&method, &url, headers.clone(), &own_headers, content.clone()).await?;
            let location = response.headers().get(header::LOCATION);
            let next = redirect::next(&url, &method, response.status(), location, self.allowed)
                .map_err(|why| Failure::Redirect { url: address::shown(&url), why })?;
            let Some(hop) = next else { return Ok(Reply { response, url }) };
            if !hop.stays {
                headers = headers::harmless(&headers);
            }
            if !hop.keeps_body {
                content = Content::Nothing;
                headers.remove(header::CONTENT_TYPE);
            }
            (method, url) = (hop.method, hop.url);
        }
        Err(Failure::Redirect {
            url: address::shown(&url),
            why: "the server redirects in circles, or more often than ten times",
        })
    }

    async fn once(
        &self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        own_headers: &HeaderMap,
        content: Content,
    ) -> Result<Response, Failure> {
        let mut request = self.client.request(method.clone(), url.clone()).headers(headers);
        match content {
            Content::Nothing => {}
            Content::Bytes(bytes) => request = request.body(bytes),
            Content::File(file) => {
                let body = file.body(Arc::clone(&self.patience));
                request = request
                    .header(header::CONTENT_TYPE, file.content_type())
                    .body(Body::wrap(body));
            }
        }
        request = request.headers(own_headers.clone());
        match self.patience.wait(request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failure::of_client(address::shown(url), error)),
            Err(_silence) => Err(Failure::TimedOut {
                url: address::shown(url),
                what: "no answer came",
                limit: self.patience.limit,
            }),
        }
    }

    /// The next piece of an answer's body.
    pub(crate) async fn piece(&self, reply: &mut Reply) -> Result<Option<Bytes>, Failure> {
        match self.patience.wait(reply.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(Failure::of_client(reply.shown(), error)),
            Err(_silence) => Err(Failure::TimedOut {
                url: reply.shown(),
                what: "nothing more came",
                limit: self.patience.limit,
            }),
        }
    }
}

impl Reply {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header's value, if it is text.
    pub(crate) fn text_of(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Bytes of the body as it is sent.
    pub(crate) fn length(&self) -> Option<u64> {
        self.text_of(&header::CONTENT_LENGTH)?.parse().ok()
    }

    pub(crate) fn shown(&self) -> String {
        address::shown(&self.url)
    }
}
