//! JSON-RPC and events over a WebSocket.

use axum::extract::Request;
use axum::response::Response;
use http::header::{self, HeaderValue};

use crate::caller::Caller;
use crate::conversation::{Conversation, Encoding};
use crate::error::Failure;
use crate::websocket::Upgrade;

/// `GET /ws`: the subprotocol says how messages are written.
#[tracing::instrument(name = "routes/ws", skip_all)]
pub(crate) async fn open(caller: Caller, mut request: Request) -> Result<Response, Failure> {
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
