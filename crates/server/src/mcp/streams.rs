//! Messages to a client, as they come: one response, or a stream of events that ends with it.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use http::{StatusCode, header};
use tokio::sync::mpsc;

/// So long a response may take before it becomes a stream, which shows that somebody is there.
const QUIET: Duration = Duration::from_secs(5);
/// Messages that wait for a slow client.
const WAITING: usize = 64;

pub(crate) type Messages = mpsc::Receiver<Said>;

pub(crate) enum Said {
    Message(String),
    /// The response, and its status where it is alone.
    Last {
        status: StatusCode,
        text: String,
    },
}

pub(super) fn channel() -> (mpsc::Sender<Said>, Messages) {
    mpsc::channel(WAITING)
}

/// A response that is alone is sent as JSON, anything else as events.
pub(crate) async fn respond(mut messages: Messages, heartbeat: Duration) -> Response {
    match tokio::time::timeout(QUIET, messages.recv()).await {
        Ok(Some(Said::Last { status, text })) => json(status, text),
        Ok(Some(Said::Message(first))) => events(Some(first), messages, heartbeat),
        // Cancelled: there is no response to such a request.
        Ok(None) => StatusCode::ACCEPTED.into_response(),
        Err(_elapsed) => events(None, messages, heartbeat),
    }
}

pub(crate) fn events(first: Option<String>, messages: Messages, heartbeat: Duration) -> Response {
    let rest = stream::unfold(messages, |mut messages| async {
        let text = match messages.recv().await? {
            Said::Message(text) | Said::Last { text, .. } => text,
        };
        Some((text, messages))
    });
    let all = stream::iter(first).chain(rest);
    let events = all.map(|text| Ok::<_, Infallible>(Event::default().data(text)));
    Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat)).into_response()
}

pub(crate) fn json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
