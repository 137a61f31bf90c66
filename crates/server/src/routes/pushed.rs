//! What sites tell without asking Python each time: events, and snapshots.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::error::Failure;
use crate::feed::Feed;
use crate::files::conditions::{Validators, Verdict, verdict};
use crate::routes::events::last_event_id;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::websocket;

const EVENT_STREAM: &str = "text/event-stream";

/// Follows a feed, from the event on that `Last-Event-ID` names.
pub(crate) fn follow(
    shared: &Shared,
    feed: &Arc<Feed>,
    request: &Request,
) -> Result<Response, Failure> {
    let after = last_event_id(request.headers())?;
    let stopping = stopping(shared, request);
    let events = feed.listen(after, shared.limits.heartbeat, stopping);
    Ok(event_stream(request, Body::from_stream(events)))
}

/// Shows what was published last; to who asks for a stream or a WebSocket, also what will be.
pub(crate) fn show(
    shared: &Shared,
    snapshot: &Arc<Snapshot>,
    mut request: Request,
) -> Result<Response, Failure> {
    if websocket::is_asked_for(&request) {
        let messages = snapshot.follow().map(|published| published.message());
        return Ok(websocket::Upgrade::of(&mut request)?.push(messages, shared));
    }
    if accepts_events(request.headers()) {
        let stopping = stopping(shared, &request);
        let events = snapshot.follow().map(|published| Ok::<_, Infallible>(published.event()));
        let events = events.take_until(stopping.cancelled_owned());
        return Ok(event_stream(&request, Body::from_stream(events)));
    }
    let path = request.uri().path();
    let published =
        snapshot.newest().ok_or_else(|| Failure::UnknownRoute { path: path.to_owned() })?;
    let validators = Validators { tag: published.tag(), modified: None };
    let mut response = match verdict(request.headers(), &validators) {
        Verdict::Go => {
            let content_type = [(header::CONTENT_TYPE, published.content_type.clone())];
            (content_type, published.bytes.clone()).into_response()
        }
        Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::Failed => StatusCode::PRECONDITION_FAILED.into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&validators.tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

fn event_stream(request: &Request, body: Body) -> Response {
    let body = if request.method() == Method::HEAD { Body::empty() } else { body };
    let content_type = HeaderValue::from_static(EVENT_STREAM);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

pub(crate) fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    accepted.filter_map(|value| value.to_str().ok()).any(|value| value.contains(EVENT_STREAM))
}

/// Cancelled when the connection is to end.
pub(crate) fn stopping(shared: &Shared, request: &Request) -> CancellationToken {
    let connection = request.extensions().get::<Connection>();
    connection.map_or(&shared.stopping, |connection| &connection.closing).clone()
}
