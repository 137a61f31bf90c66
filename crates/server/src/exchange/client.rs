//! The server's end of an exchange: all futures.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use super::channel::{Beginning, Channel};
use super::{Incoming, LOW_WATER, Outgoing, Start};

/// The server's end. Dropped, it tells the main thread that the client has gone.
pub(crate) struct Client {
    pub(super) channel: Arc<Channel>,
}

/// How an answer begins, as the server sees it.
pub(crate) enum Begun {
    /// The whole of it.
    Whole(Start, Bytes),
    /// More comes: poll [`Answering`].
    Streamed(Start),
    File(Box<AnsweredFile>),
    /// The handler went away without one.
    Dropped,
}

/// A file that is the answer.
pub(crate) struct AnsweredFile {
    pub(crate) start: Start,
    pub(crate) path: PathBuf,
    /// The headers of the request, if they choose what is sent of it.
    pub(crate) asked: Option<HeaderMap>,
}

impl Client {
    /// Waits for the answer to begin.
    pub(crate) async fn begun(&self) -> Begun {
        std::future::poll_fn(|context| {
            self.channel.server.going.register(context.waker());
            let going = &mut self.channel.lock().going;
            let start = match going.beginning.take() {
                Beginning::There(start) => start,
                Beginning::File(file) => return Poll::Ready(Begun::File(file)),
                Beginning::Awaited | Beginning::Taken if going.is_dropped => {
                    return Poll::Ready(Begun::Dropped);
                }
                Beginning::Awaited | Beginning::Taken => return Poll::Pending,
            };
            // Complete, and short enough to have come in one go: a length can be told.
            let is_plain = matches!(going.queue.front(), None | Some(Outgoing::Body(_)));
            if !going.is_complete || going.queue.len() > 1 || !is_plain {
                return Poll::Ready(Begun::Streamed(start));
            }
            let body = match going.queue.pop_front() {
                Some(Outgoing::Body(bytes)) => bytes,
                _ => Bytes::new(),
            };
            Poll::Ready(Begun::Whole(start, body))
        })
        .await
    }

    /// The rest of a streamed answer.
    pub(crate) fn answering(self) -> Answering {
        Answering { client: self }
    }

    /// What the handler sends next over a WebSocket; `None` at its end.
    pub(crate) async fn next(&self) -> Option<Outgoing> {
        std::future::poll_fn(|context| self.channel.poll_going(context)).await
    }

    /// What the handler has sent already, without waiting.
    pub(crate) fn next_now(&self) -> Option<Outgoing> {
        self.channel.take_going()
    }

    /// Has room for what comes before the handler asks for it.
    pub(crate) fn read_ahead(&self) {
        self.channel.lock().arriving.is_asked_for = true;
    }

    /// Waits until the handler asks for more; `false` if it never will.
    pub(crate) async fn wanted(&self) -> bool {
        wanted(&self.channel).await
    }

    /// Leaves what came from the client.
    pub(crate) fn arrived(&self, incoming: Incoming) {
        self.channel.arrived(incoming);
    }

    /// Says that nothing more comes from the client, and that nothing more reaches it.
    pub(crate) fn gone(&self, code: u16, reason: &str) {
        self.channel.gone(code, reason);
    }

    /// Says that the request has no body.
    pub(crate) fn has_no_body(&self) {
        self.channel.arrived(Incoming::Body { bytes: Bytes::new(), is_last: true });
    }

    /// Hands the request's body over, piece by piece, as far as the handler takes it.
    /// What it does not take is dropped: closing a connection that still has bytes to read would
    /// reset it, and the answer could be lost.
    pub(crate) fn read_body<B>(
        &self,
        body: B,
        rest: Rest,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        read_body(Arc::clone(&self.channel), body, rest)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.channel.gone(1006, "");
    }
}

async fn read_body<B>(channel: Arc<Channel>, body: B, rest: Rest)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = std::pin::pin!(body);
    if body.is_end_stream() {
        channel.arrived(Incoming::Body { bytes: Bytes::new(), is_last: true });
        return;
    }
    loop {
        // Not before it is asked for: a client that expects `100 Continue` gets it by the first read.
        if !wanted(&channel).await {
            // A client that waits for leave to send gets none.
            if !rest.is_asked_for || channel.lock().arriving.is_asked_for {
                let mut body = Limited::new(body, rest.bytes);
                let drain = async { while let Some(Ok(_)) = body.frame().await {} };
                let _ended = tokio::time::timeout(rest.time, drain).await;
            }
            return;
        }
        match body.frame().await {
            Some(Ok(frame)) => {
                let is_last = body.is_end_stream();
                if let Ok(bytes) = frame.into_data() {
                    channel.arrived(Incoming::Body { bytes, is_last });
                }
                if is_last {
                    return;
                }
            }
            None => {
                channel.arrived(Incoming::Body { bytes: Bytes::new(), is_last: true });
                return;
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a request's body ended early");
                channel.gone(1006, "");
                return;
            }
        }
    }
}

/// How much of a body is read that nobody wants.
pub(crate) struct Rest {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
    /// Whether the client waits to be asked for it.
    pub(crate) is_asked_for: bool,
}

/// Waits until the handler has asked for something and there is room for it; `false` if the exchange
/// has ended.
async fn wanted(channel: &Channel) -> bool {
    std::future::poll_fn(|context| {
        channel.server.arriving.register(context.waker());
        let state = channel.lock();
        if state.gone.is_some() || state.going.is_dropped {
            return Poll::Ready(false);
        }
        if state.arriving.is_asked_for && state.arriving.bytes <= LOW_WATER {
            return Poll::Ready(true);
        }
        Poll::Pending
    })
    .await
}

/// A streamed answer's body.
pub(crate) struct Answering {
    client: Client,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let channel = &self.client.channel;
        match std::task::ready!(channel.poll_going(context)) {
            Some(Outgoing::Body(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(Outgoing::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(_of_websocket) => Poll::Ready(Some(Err(CutShort))),
            None if channel.lock().going.is_complete => Poll::Ready(None),
            None => Poll::Ready(Some(Err(CutShort))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The handler ended before its answer did.
#[derive(Debug)]
pub(crate) struct CutShort;

impl std::fmt::Display for CutShort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the handler ended before its answer did")
    }
}

impl std::error::Error for CutShort {}
