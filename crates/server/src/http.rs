//! One connection that speaks HTTP/1.1 or HTTP/2, to its end.

mod activity;
mod heads;
mod wording;

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::response::IntoResponse;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer_body::AnswerBody;
use crate::connection::Connection;
use crate::error::Failure;
use crate::http::activity::{Activity, WhileSent};
use crate::http::wording::Worded;
use crate::limits::Limits;
use crate::patience::Patient;
use crate::rarely::Rarely;
use crate::router::Front;
use crate::stalling::Stalling;

pub(crate) use activity::Busy;
pub(crate) use heads::Heads;
pub(crate) use wording::early_hints;

/// Streams that a client may open and reset before we have looked at them: rapid reset.
const RESETS: usize = 32;
/// Bytes of an answer that wait for a client on one stream.
const SEND_BUFFER: usize = 256 << 10;
/// Bytes that a client may send on a stream, and on all of them, before somebody reads them.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// When a connection has to end.
#[derive(Clone)]
pub(crate) struct Ending {
    /// Cancelled to let it end what is under way.
    pub(crate) closing: CancellationToken,
    /// Cancelled to end it at once.
    pub(crate) cut: CancellationToken,
}

/// Who answers on a connection.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) answering: Answering,
    pub(crate) connection: Connection,
    pub(crate) limits: Limits,
    pub(crate) tasks: TaskTracker,
    /// Whether it is one connection too many.
    pub(crate) is_extra: bool,
}

/// What the requests of a connection get.
#[derive(Clone)]
pub(crate) enum Answering {
    Answers(Front),
    /// Each the same failure, and the end of its connection.
    Refusals(fn() -> Failure),
}

impl Answering {
    async fn answer(&self, request: Request, connection: Connection) -> http::Response<AnswerBody> {
        match self {
            Self::Answers(front) => front.answer_on(request, Some(connection)).await,
            Self::Refusals(failure) => {
                let response = ([(header::CONNECTION, "close")], failure()).into_response();
                response.map(AnswerBody::unseen)
            }
        }
    }
}

pub(crate) async fn serve_http_1<S>(stream: S, service: Service, ending: Ending) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Service { answering, connection, limits, is_extra, .. } = service;
    let heads = connection.heads.get_or_init(Heads::new).clone();
    let stream = Stalling::new(stream, limits.stall_time, Some(heads.clone()));
    let io = TokioIo::new(Worded::new(stream, heads.clone(), limits.header_bytes));
    let body_time = limits.body_time;
    let coming = heads.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        coming.came();
        let request = request.map(|body| patient(body, body_time));
        let (answering, connection, heads) =
            (answering.clone(), connection.clone(), coming.clone());
        async move {
            let response = answering.answer(request, connection).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                heads.end();
            }
            Ok::<_, Infallible>(response.map(|body| heads.while_answered(body)))
        }
    });
    let connection = http1::Builder::new()
        // See `heads`.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes)
        .keep_alive(!is_extra)
        .serve_connection(io, answer)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let late = std::pin::pin!(heads.late(limits.header_time));
    let closing = std::pin::pin!(ending.closing.cancelled());
    let (mut late, mut closing) = (Rarely::new(late), Rarely::new(closing));
    let mut is_closing = false;
    let served = loop {
        tokio::select! {
            biased;
            served = connection.as_mut() => break served,
            () = &mut late => return Err(io::ErrorKind::TimedOut.into()),
            () = &mut closing, if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    served.map_err(io::Error::other)
}

pub(crate) async fn serve_http_2<S>(stream: S, service: Service, ending: Ending) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = service.limits.clone();
    let io = TokioIo::new(Stalling::new(stream, limits.stall_time, None));
    let activity = Activity::default();
    let seen = activity.clone();
    let mut builder = http2::Builder::new(Executor(service.tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(limits.silence)
        .keep_alive_timeout(limits.silence);
    let connection = builder.serve_connection(
        io,
        service_fn(move |request| answer_on_stream(service.clone(), activity.clone(), request)),
    );
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = ending.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = seen.ends(limits.idle_time) => {
            connection.as_mut().graceful_shutdown();
            // A stream that begins now has been refused; answers that are ready may yet be taken.
            timeout(limits.stall_time, connection).await?
        }
        () = seen.stalls(limits.stall_time) => return Err(io::ErrorKind::TimedOut.into()),
    };
    served.map_err(io::Error::other)
}

async fn answer_on_stream(
    service: Service,
    activity: Activity,
    request: Request<Incoming>,
) -> Result<http::Response<WhileSent<AnswerBody>>, Infallible> {
    let Service { answering, connection, limits, .. } = service;
    let busy = activity.begin();
    let mut request = request.map(|body| patient(body, limits.body_time));
    as_http_1_says_it(&mut request);
    request.extensions_mut().insert(busy.clone());
    let response = answering.answer(request, connection).await;
    Ok(response.map(|body| activity.while_sent(body, busy)))
}

fn patient(body: Incoming, limit: Duration) -> Body {
    // Most requests have none.
    if body.is_end_stream() { Body::empty() } else { Body::new(Patient::new(body, limit)) }
}

/// Puts what HTTP/2 says with names of its own where the rest of us looks for it: the host, and
/// that a WebSocket is to be opened (RFC 8441).
fn as_http_1_says_it<B>(request: &mut Request<B>) {
    let is_websocket =
        request.extensions().get::<Protocol>().is_some_and(|name| name.as_str() == "websocket");
    if is_websocket && request.method() == Method::CONNECT {
        *request.method_mut() = Method::GET;
    }
    let Some(authority) = request.uri().authority() else { return };
    let Ok(authority) = HeaderValue::from_str(authority.as_str()) else { return };
    let sent = std::mem::take(request.headers_mut());
    let mut headers = HeaderMap::with_capacity(sent.len() + 1);
    let agrees = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    let said_once = sent.get_all(header::HOST).iter().all(agrees);
    headers.insert(header::HOST, authority.clone());
    let mut name = None;
    for (next, value) in sent {
        name = next.or(name);
        match &name {
            // The gate refuses a request that names two.
            Some(host) if *host == header::HOST && said_once => {}
            Some(name) => {
                headers.append(name, value);
            }
            None => {}
        }
    }
    *request.headers_mut() = headers;
}

/// Runs the streams of HTTP/2 where the stop waits for them.
#[derive(Clone)]
struct Executor(TaskTracker);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}
