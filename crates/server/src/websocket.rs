//! WebSockets (RFC 6455; over HTTP/2 RFC 8441) that a handler on the main thread answers, or we do.

mod ending;
mod liveness;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use hyper::ext::Protocol;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::conversation::Conversation;
use crate::error::Failure;
use crate::exchange::{Client, Incoming, Outgoing};
use crate::http::Busy;
use crate::limits::Limits;
use crate::metrics::OneMore;
use crate::principal::Principal;
use crate::shared::Shared;
use crate::websocket::ending::{End, closing_frame};
use crate::websocket::liveness::Liveness;

/// Bytes that are read in one go, and bytes that wait to be written together. Of a socket that is idle,
/// the first are nearly all there is: the library clears them before each read.
const BUFFER: usize = 8 << 10;

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Sink = SplitSink<Socket, Message>;
type Stream = SplitStream<Socket>;

/// A request that would become a WebSocket.
pub(crate) struct Upgrade {
    becoming: OnUpgrade,
    /// The answer to the client's key; HTTP/2 needs none.
    accept: Option<HeaderValue>,
    connection: Option<Connection>,
    busy: Option<Busy>,
    principal: Option<Principal>,
}

pub(crate) fn is_asked_for(request: &Request) -> bool {
    is_on_stream(request) || has_token(request.headers(), header::UPGRADE, "websocket")
}

impl Upgrade {
    /// # Errors
    /// It is no opening handshake.
    pub(crate) fn of(request: &mut Request) -> Result<Self, Failure> {
        let wrong = |detail: &str| Failure::NotWebSocket { detail: detail.to_owned() };
        let headers = request.headers();
        let accept = if is_on_stream(request) {
            None
        } else {
            if request.method() != Method::GET || request.version() != Version::HTTP_11 {
                return Err(wrong(
                    "a WebSocket begins with a GET request of HTTP/1.1, or with an extended CONNECT \
                     of HTTP/2",
                ));
            }
            if !is_asked_for(request) || !has_token(headers, header::CONNECTION, "upgrade") {
                return Err(wrong("the request does not ask to be upgraded to a WebSocket"));
            }
            let key = headers.get(header::SEC_WEBSOCKET_KEY);
            let accept = key.and_then(|key| derive_accept_key(key.as_bytes()).parse().ok());
            Some(accept.ok_or_else(|| wrong("the request has no Sec-WebSocket-Key"))?)
        };
        if headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) != Some(b"13") {
            return Err(wrong("the version of the WebSocket protocol is not 13"));
        }
        let extensions = request.extensions_mut();
        let becoming = extensions.remove::<OnUpgrade>();
        let becoming = becoming.ok_or_else(|| wrong("the connection cannot be upgraded"))?;
        let connection = extensions.get::<Connection>().cloned();
        let busy = extensions.get::<Busy>().cloned();
        let principal = extensions.get::<Principal>().cloned();
        Ok(Self { becoming, accept, connection, busy, principal })
    }

    /// The answer that accepts it. From then on messages go to and fro between `client` and the
    /// socket, until one of them ends.
    pub(crate) fn accept(self, response: Response, client: Client, shared: &Shared) -> Response {
        client.read_ahead();
        self.open(response, shared, async move |socket, context| {
            serve(socket, client, context).await;
        })
    }

    /// As [`Upgrade::accept`], and each message goes back to where it came from.
    pub(crate) fn echo(self, shared: &Shared) -> Response {
        self.open(Response::default(), shared, echo)
    }

    /// As [`Upgrade::accept`], and the messages of a stream go out, until it ends. What comes in
    /// is dropped.
    pub(crate) fn push(
        self,
        messages: impl futures_util::Stream<Item = Message> + Send + 'static,
        shared: &Shared,
    ) -> Response {
        self.open(Response::default(), shared, async move |socket, opened| {
            push(socket, messages, opened).await;
        })
    }

    /// As [`Upgrade::accept`]: what comes in is heard by a conversation, and the messages of a stream
    /// go out, until either ends.
    pub(crate) fn converse(
        self,
        response: Response,
        conversation: Conversation,
        messages: impl futures_util::Stream<Item = Message> + Send + 'static,
        shared: &Shared,
    ) -> Response {
        self.open(response, shared, async move |socket, opened| {
            converse(socket, conversation, messages, opened).await;
        })
    }

    fn open<S, F>(self, mut response: Response, shared: &Shared, serve: S) -> Response
    where
        S: FnOnce(Socket, Opened) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let Self { becoming, accept, connection, busy, principal } = self;
        let headers = response.headers_mut();
        match accept {
            Some(accept) => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            }
            None => *response.status_mut() = StatusCode::OK,
        }
        let closing = connection.as_ref().map_or(&shared.stopping, |it| &it.closing).clone();
        let opened = Opened { limits: shared.limits.clone(), closing, principal };
        let open = OneMore::of(&shared.metrics.websockets);
        shared.tasks.spawn(async move {
            match becoming.await {
                Ok(upgraded) => serve(socket(upgraded, &opened.limits).await, opened).await,
                Err(error) => tracing::debug!(%error, "a WebSocket was not opened"),
            }
            // Until here they count.
            drop((connection, busy, open));
        });
        response
    }
}

/// What a WebSocket goes by.
struct Opened {
    limits: Limits,
    closing: CancellationToken,
    principal: Option<Principal>,
}

impl Opened {
    /// Waits until the client is let in no more.
    async fn revoked(&self) {
        match &self.principal {
            Some(principal) => principal.ended().await,
            None => std::future::pending().await,
        }
    }
}

async fn socket(upgraded: Upgraded, limits: &Limits) -> Socket {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(limits.message_bytes))
        .max_frame_size(Some(limits.message_bytes));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

async fn serve(socket: Socket, client: Client, opened: Opened) {
    let (mut sink, mut stream) = socket.split();
    let liveness = Liveness::default();
    let end = tokio::select! {
        end = read(&mut stream, &client, &liveness) => end,
        end = write(&mut sink, &client, &liveness) => end,
        end = liveness.lost(opened.limits.silence) => end,
        () = opened.closing.cancelled() => End::going_away(),
        () = opened.revoked() => End::revoked(),
    };
    let (code, reason) = end.told_to_the_handler();
    client.gone(code, reason);
    // The handler may forget the exchange while the client is still told.
    drop(client);
    end.finish(sink, stream, &opened.limits).await;
}

/// Takes what comes, until the end. One message is read ahead of what the handler has room for, so
/// that pings before it are answered and a closing frame is seen.
async fn read(stream: &mut Stream, client: &Client, liveness: &Liveness) -> End {
    loop {
        let incoming = match heard(stream.next().await) {
            Heard::Text(text) => Incoming::Text(text),
            Heard::Binary(bytes) => Incoming::Binary(bytes),
            Heard::Sign => {
                liveness.is_there();
                continue;
            }
            Heard::End(end) => return end,
        };
        liveness.is_there();
        let has_room = liveness.held_up(client.wanted()).await;
        if !has_room {
            // The handler has ended; how, the writing side knows.
            return std::future::pending().await;
        }
        client.arrived(incoming);
    }
}

/// Sends what the handler gives, as much as there is in one go, until its end.
async fn write(sink: &mut Sink, client: &Client, liveness: &Liveness) -> End {
    loop {
        let mut next = tokio::select! {
            biased;
            next = client.next() => next,
            () = liveness.asks() => {
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return End::Gone;
                }
                continue;
            }
        };
        if next.is_none() {
            return End::failed_handler();
        }
        while let Some(outgoing) = next {
            let is_close = matches!(outgoing, Outgoing::Close { .. });
            if sink.feed(message_of(outgoing)).await.is_err() {
                return End::Gone;
            }
            if is_close {
                return End::ClosedByHandler;
            }
            next = client.next_now();
        }
        if sink.flush().await.is_err() {
            return End::Gone;
        }
    }
}

async fn echo(socket: Socket, opened: Opened) {
    let (mut sink, mut stream) = socket.split();
    let liveness = Liveness::default();
    let end = tokio::select! {
        end = send_back(&mut sink, &mut stream, &liveness) => end,
        end = liveness.lost(opened.limits.silence) => end,
        () = opened.closing.cancelled() => End::going_away(),
        () = opened.revoked() => End::revoked(),
    };
    end.finish(sink, stream, &opened.limits).await;
}

/// Sends back what comes, as much as has come in one go.
async fn send_back(sink: &mut Sink, stream: &mut Stream, liveness: &Liveness) -> End {
    loop {
        let mut next = tokio::select! {
            biased;
            next = stream.next() => Some(next),
            () = liveness.asks() => {
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return End::Gone;
                }
                continue;
            }
        };
        liveness.is_there();
        while let Some(came) = next {
            let message = match heard(came) {
                Heard::Text(text) => Some(Message::Text(text.into())),
                Heard::Binary(bytes) => Some(Message::Binary(bytes)),
                Heard::Sign => None,
                Heard::End(end) => return end,
            };
            if let Some(message) = message
                && sink.feed(message).await.is_err()
            {
                return End::Gone;
            }
            next = stream.next().now_or_never();
        }
        if sink.flush().await.is_err() {
            return End::Gone;
        }
    }
}

async fn push(
    socket: Socket,
    messages: impl futures_util::Stream<Item = Message> + Send,
    opened: Opened,
) {
    let (mut sink, mut stream) = socket.split();
    let liveness = Liveness::default();
    let end = tokio::select! {
        end = hear_out(&mut stream, &liveness) => end,
        end = send_all(&mut sink, messages, &liveness) => end,
        end = liveness.lost(opened.limits.silence) => end,
        () = opened.closing.cancelled() => End::going_away(),
    };
    end.finish(sink, stream, &opened.limits).await;
}

async fn converse(
    socket: Socket,
    conversation: Conversation,
    messages: impl futures_util::Stream<Item = Message> + Send,
    opened: Opened,
) {
    let (mut sink, mut stream) = socket.split();
    let liveness = Liveness::default();
    let end = tokio::select! {
        end = listen(&mut stream, &conversation, &liveness) => end,
        end = send_all(&mut sink, messages, &liveness) => end,
        end = liveness.lost(opened.limits.silence) => end,
        () = opened.closing.cancelled() => End::going_away(),
        () = opened.revoked() => End::revoked(),
    };
    end.finish(sink, stream, &opened.limits).await;
}

/// Has a conversation hear what comes, as far as it takes it.
async fn listen(stream: &mut Stream, conversation: &Conversation, liveness: &Liveness) -> End {
    loop {
        let message = match heard(stream.next().await) {
            Heard::Text(text) => Message::Text(text.into()),
            Heard::Binary(bytes) => Message::Binary(bytes),
            Heard::Sign => {
                liveness.is_there();
                continue;
            }
            Heard::End(end) => return end,
        };
        liveness.is_there();
        liveness.held_up(conversation.hear(message)).await;
    }
}

/// Drops what comes, until the end.
async fn hear_out(stream: &mut Stream, liveness: &Liveness) -> End {
    loop {
        if let Heard::End(end) = heard(stream.next().await) {
            return end;
        }
        liveness.is_there();
    }
}

async fn send_all(
    sink: &mut Sink,
    messages: impl futures_util::Stream<Item = Message>,
    liveness: &Liveness,
) -> End {
    let mut messages = std::pin::pin!(messages);
    loop {
        let message = tokio::select! {
            biased;
            message = messages.next() => message,
            () = liveness.asks() => Some(Message::Ping(Bytes::new())),
        };
        let Some(message) = message else { return End::going_away() };
        if sink.send(message).await.is_err() {
            return End::Gone;
        }
    }
}

enum Heard {
    Text(String),
    Binary(Bytes),
    /// Nothing for the handler: pings are answered by the library.
    Sign,
    End(End),
}

fn heard(came: Option<Result<Message, Error>>) -> Heard {
    match came {
        Some(Ok(Message::Text(text))) => Heard::Text(text.as_str().to_owned()),
        Some(Ok(Message::Binary(bytes))) => Heard::Binary(bytes),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Heard::Sign,
        Some(Ok(Message::Close(frame))) => Heard::End(End::ClosedByClient(frame)),
        Some(Err(error)) => Heard::End(End::of_error(&error)),
        None => Heard::End(End::Gone),
    }
}

fn message_of(outgoing: Outgoing) -> Message {
    match outgoing {
        Outgoing::Text(text) => Message::Text(text.into()),
        Outgoing::Binary(bytes) | Outgoing::Body(bytes) => Message::Binary(bytes),
        Outgoing::Close { code, reason } => Message::Close(Some(closing_frame(code, &reason))),
        Outgoing::Trailers(_) => Message::Binary(Bytes::new()),
    }
}

/// Whether it is a stream of HTTP/2 that asks to become a WebSocket.
fn is_on_stream(request: &Request) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.version() == Version::HTTP_2 && protocol.is_some_and(|it| it.as_str() == "websocket")
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}
