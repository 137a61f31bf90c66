//! What every request goes through first and last: it gets an id and a place in a trace, and when its
//! answer has gone out, the access log, the journal and the metrics are told.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::answer_body::AnswerBody;
use crate::clock::Stopwatch;
use crate::connection::Connection;
use crate::error::PROBLEM_JSON;
use crate::harden::OfSite;
use crate::journal::Asked;
use crate::principal::Principal;
use crate::shared::Shared;
use crate::sites::Site;
use crate::trace::{REQUEST_ID, Trace};

/// Bytes of a path that are kept.
const LONGEST_PATH: usize = 300;
/// Problems up to so many bytes are told by which request they were met.
const LONGEST_PROBLEM: u64 = 64 << 10;

/// What is known of a request; told when it is dropped, with the last byte of its answer.
pub(crate) struct Seen {
    method: Method,
    route: Route,
    address: Option<IpAddr>,
    trace: Trace,
    path: String,
    watch: Stopwatch,
    status: StatusCode,
    principal: Option<Principal>,
    bytes: u64,
    shared: Shared,
}

/// What the metrics call an address.
enum Route {
    None,
    Ours(&'static str),
    Site(Arc<Site>),
}

impl Seen {
    /// Begins with a request, and gives it its place in a trace.
    pub(crate) fn begin(
        shared: &Shared,
        request: &Request,
        connection: Option<&Connection>,
        route: Option<&'static str>,
    ) -> Box<Self> {
        Box::new(Self {
            method: request.method().clone(),
            route: route.map_or(Route::None, Route::Ours),
            address: connection.and_then(|connection| connection.peer).map(|peer| peer.ip()),
            path: shortened(request.uri().path()),
            trace: Trace::of(request.headers()),
            watch: Stopwatch::start(),
            status: StatusCode::OK,
            principal: None,
            bytes: 0,
            shared: shared.clone(),
        })
    }

    /// The request's place in a trace.
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Notes who it was.
    pub(crate) fn let_in(&mut self, principal: Principal) {
        self.principal = Some(principal);
    }

    /// Who it was, if anybody has been let in.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Notes so many bytes of the answer.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Goes with the answer, to its end.
    pub(crate) async fn end(
        mut self: Box<Self>,
        mut response: Response,
    ) -> http::Response<AnswerBody> {
        response.headers_mut().insert(REQUEST_ID, self.trace.id_header());
        if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON) {
            response = with_its_request(response, &self.trace, &self.path).await;
        }
        self.status = response.status();
        if let Some(OfSite { site, .. }) = response.extensions_mut().remove() {
            self.route = Route::Site(site);
        }
        // Of a login: who was let in by it.
        if let Some(principal) = response.extensions_mut().remove::<Principal>() {
            self.principal = Some(principal);
        }
        AnswerBody::seen(response, self)
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let elapsed = self.watch.elapsed();
        let route = match &self.route {
            Route::None => "none",
            Route::Ours(pattern) => pattern,
            Route::Site(site) => &site.prefix,
        };
        self.shared.metrics.answered(route, &self.method, self.status, elapsed);
        let principal = self.principal.as_ref().map(|principal| Arc::clone(&principal.name));
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
            request_id: Arc::clone(&self.trace.request_id),
            principal,
            address: self.address,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            status: self.status.as_u16(),
            bytes: self.bytes,
            milliseconds,
        });
    }
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

fn shortened(path: &str) -> String {
    // A URI's path is ASCII, but for what clients send against the rules.
    let end = (0..=LONGEST_PATH.min(path.len())).rev().find(|end| path.is_char_boundary(*end));
    path[..end.unwrap_or_default()].to_owned()
}
