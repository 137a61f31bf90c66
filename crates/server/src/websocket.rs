//! WebSockets (RFC 6455) that a handler on the main thread answers.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::error::Failure;
use crate::exchange::{Client, Incoming, Outgoing};
use crate::shared::Shared;

/// The code for an end without a closing frame; it is never sent (RFC 6455, 7.4.1).
const ABNORMAL: u16 = 1006;
/// The code for a closing frame without a code.
const NO_STATUS: u16 = 1005;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A request that would become a WebSocket.
pub(crate) struct Upgrade {
    on_upgrade: OnUpgrade,
    accept: HeaderValue,
}

pub(crate) fn is_asked_for(request: &Request) -> bool {
    has_token(request.headers(), header::UPGRADE, "websocket")
}

impl Upgrade {
    /// # Errors
    /// It is no opening handshake.
    pub(crate) fn of(request: &mut Request) -> Result<Self, Failure> {
        let wrong = |detail: &str| Failure::NotWebSocket { detail: detail.to_owned() };
        if request.method() != Method::GET || request.version() != Version::HTTP_11 {
            return Err(wrong("a WebSocket begins with a GET request of HTTP/1.1"));
        }
        let headers = request.headers();
        if !is_asked_for(request) || !has_token(headers, header::CONNECTION, "upgrade") {
            return Err(wrong("the request does not ask to be upgraded to a WebSocket"));
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) != Some(b"13") {
            return Err(wrong("the version of the WebSocket protocol is not 13"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let accept = key.and_then(|key| derive_accept_key(key.as_bytes()).parse().ok());
        let accept = accept.ok_or_else(|| wrong("the request has no Sec-WebSocket-Key"))?;
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let on_upgrade = on_upgrade.ok_or_else(|| wrong("the connection cannot be upgraded"))?;
        Ok(Self { on_upgrade, accept })
    }

    /// The answer that accepts it. From then on messages go to and fro between `client` and the
    /// socket, until one of them ends.
    pub(crate) fn accept(
        self,
        mut response: Response,
        client: Client,
        shared: &Shared,
    ) -> Response {
        let Self { on_upgrade, accept } = self;
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        client.read_ahead();
        let in_all = shared.clone();
        shared.tasks.spawn(async move {
            match on_upgrade.await {
                Ok(upgraded) => serve(upgraded, client, &in_all).await,
                Err(error) => tracing::debug!(%error, "a WebSocket was not opened"),
            }
        });
        response
    }
}

async fn serve(upgraded: Upgraded, client: Client, shared: &Shared) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(shared.limits.message_bytes))
        .max_frame_size(Some(shared.limits.message_bytes));
    let io = TokioIo::new(upgraded);
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (mut sink, mut stream) = socket.split();
    tokio::select! {
        () = read(&mut stream, &client) => {
            // Whatever the client has sent, a closing frame or nonsense, gets its answer.
            let _gone = tokio::time::timeout(Duration::from_secs(1), sink.close()).await;
        }
        () = write(&mut sink, &client) => {
            // The client's closing frame ends it; who sends none is not waited for.
            let rest = async { while let Some(Ok(_)) = stream.next().await {} };
            let _stalled = tokio::time::timeout(Duration::from_secs(1), rest).await;
        }
        () = shared.stopping.cancelled() => {
            let frame = closing(CloseCode::Away.into(), "the server is closing");
            let _gone = sink.send(Message::Close(Some(frame))).await;
        }
    }
}

/// Takes what comes, until the end.
async fn read(stream: &mut SplitStream<Socket>, client: &Client) {
    while client.wanted().await {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                client.arrived(Incoming::Text(text.as_str().to_owned()));
            }
            Some(Ok(Message::Binary(bytes))) => client.arrived(Incoming::Binary(bytes)),
            Some(Ok(Message::Close(frame))) => {
                match frame {
                    Some(frame) => client.gone(frame.code.into(), frame.reason.as_str()),
                    None => client.gone(NO_STATUS, ""),
                }
                return;
            }
            // Pings are answered by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => {
                client.gone(ABNORMAL, &error.to_string());
                return;
            }
            None => {
                client.gone(ABNORMAL, "");
                return;
            }
        }
    }
}

/// Sends what the handler gives, as much as there is in one go, until its end.
async fn write(sink: &mut SplitSink<Socket, Message>, client: &Client) {
    while let Some(first) = client.next().await {
        let mut next = Some(first);
        while let Some(outgoing) = next {
            let is_close = matches!(outgoing, Outgoing::Close { .. });
            if sink.feed(message_of(outgoing)).await.is_err() {
                return;
            }
            next = if is_close { None } else { client.next_now() };
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    let _gone = sink.close().await;
}

fn message_of(outgoing: Outgoing) -> Message {
    match outgoing {
        Outgoing::Text(text) => Message::Text(text.into()),
        Outgoing::Binary(bytes) | Outgoing::Body(bytes) => Message::Binary(bytes),
        Outgoing::Close { code, reason } => Message::Close(Some(closing(code, &reason))),
        Outgoing::Trailers(_) => Message::Binary(Bytes::new()),
    }
}

fn closing(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: Utf8Bytes::from(reason) }
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}
