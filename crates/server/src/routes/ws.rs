//! JSON-RPC and events over a WebSocket, or its twin of two requests.

use axum::extract::{Path, Request};
use axum::response::Response;
use http::StatusCode;
use http::header::{self, HeaderValue};

use crate::body;
use crate::caller::Caller;
use crate::conversation::{Conversation, Encoding, by_events};
use crate::error::Failure;
use crate::routes::pushed::{accepts_events, stopping};
use crate::websocket::{self, Upgrade};

/// `GET /ws`: the subprotocol says how messages are written. Who accepts `text/event-stream` and asks
/// for no WebSocket gets its twin.
#[tracing::instrument(name = "routes/ws", skip_all)]
pub(crate) async fn open(caller: Caller, mut request: Request) -> Result<Response, Failure> {
    if !websocket::is_asked_for(&request) && accepts_events(request.headers()) {
        let stopping = stopping(&caller.shared, &request);
        return Ok(by_events::open(caller, stopping));
    }
    let upgrade = Upgrade::of(&mut request)?;
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    let offered = offered.filter_map(|value| value.to_str().ok());
    let (name, encoding) =
        Encoding::chosen(offered.flat_map(|value| value.split(',')).map(str::trim));
    let mut response = Response::default();
    if let Some(name) = name {
        let name = HeaderValue::from_static(name);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    let shared = caller.shared.clone();
    let (conversation, messages) = Conversation::new(caller, encoding);
    Ok(upgrade.converse(response, conversation, messages, &shared))
}

/// `POST /ws/{id}`: what a client says that has opened the twin. The answer comes as an event.
#[tracing::instrument(name = "routes/ws", skip_all)]
pub(crate) async fn hear(
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let text = body::read_text(request, &caller.shared.limits).await?;
    caller.shared.by_events.hear(&id, &caller.principal, text).await?;
    Ok(StatusCode::ACCEPTED)
}
