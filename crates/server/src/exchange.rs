//! A request that a handler on the main thread answers, and its answer: streams both ways, each
//! bounded, so that a slow end stops the other by TCP and not by memory.
//!
//! There are two ends. The main thread has the [`Exchange`]: its methods never wait; where there is
//! nothing to take or no room to give, [`Work::News`] comes through the door when that has changed.
//! The server has the [`Client`], which is all futures.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::form::Form;
use crate::main_thread::{MainThread, Work};
use crate::principal::Principal;
use crate::tls::TlsFacts;
use crate::trace::Trace;

/// Bytes that may wait in one direction; then the giving end waits.
const HIGH_WATER: usize = 64 << 10;
/// Below so many, the giving end goes on.
const LOW_WATER: usize = 16 << 10;
/// What a message takes beside its bytes: empty ones are not for nothing.
const OVERHEAD: usize = 64;

/// What a request says before its body.
#[derive(Debug)]
pub struct Head {
    /// The number of the handler, as its [`RouteAnswer`](aiobpy_wire::RouteAnswer) has it.
    pub handler: u64,
    pub is_websocket: bool,
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    /// Where the site begins, as in `/a/my_addon`.
    pub prefix: String,
    /// What stood in the places of a pattern, percent-decoded.
    pub parameters: Vec<(String, String)>,
    pub client: Option<SocketAddr>,
    pub server: SocketAddr,
    pub is_secure: bool,
    /// What was agreed on, where it is TLS.
    pub tls: Option<Arc<TlsFacts>>,
    pub principal: Principal,
    pub trace: Option<Trace>,
    pub body: ReceivedBody,
}

/// The request's body, as far as it was read before the handler was asked.
#[derive(Debug)]
pub enum ReceivedBody {
    /// It comes piece by piece: see [`Exchange::receive`].
    Streamed,
    /// There is none, or nobody wants it.
    Absent,
    Whole(Bytes),
    Form(Form),
}

/// What comes from the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A part of the body, and whether more follows.
    Body {
        bytes: Bytes,
        is_last: bool,
    },
    /// A message of a WebSocket.
    Text(String),
    Binary(Bytes),
    /// The client has gone, or the answer is complete. It is told again and again.
    Gone {
        code: u16,
        reason: String,
    },
}

/// What goes to the client.
#[derive(Debug)]
pub enum Outgoing {
    Body(Bytes),
    Trailers(HeaderMap),
    Text(String),
    Binary(Bytes),
    Close { code: u16, reason: String },
}

/// The beginning of an answer.
#[derive(Debug)]
pub struct Start {
    /// 101 accepts a WebSocket.
    pub status: StatusCode,
    pub headers: HeaderMap,
}

/// How sending went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// There is room for more.
    Room,
    /// Taken, but the client is slow: news come when there is room again.
    Full,
    /// Nobody is there to take it.
    Gone,
}

/// The main thread's end. Dropped before the answer is complete, it cuts the answer short.
pub struct Exchange {
    pub head: Head,
    channel: Arc<Channel>,
    /// Held until the answer begins: so many requests may wait for the main thread.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Exchange {
    /// Names the exchange in [`Work::News`].
    pub fn id(&self) -> u64 {
        self.channel.id
    }

    /// Whether the client has gone, or the answer is complete.
    pub fn is_gone(&self) -> bool {
        self.channel.lock().gone.is_some()
    }

    /// What has come from the client; `None` if news will tell when something has.
    pub fn receive(&self) -> Option<Incoming> {
        let mut state = self.channel.lock();
        let incoming = state.arriving.queue.pop_front();
        if let Some(incoming) = incoming {
            state.arriving.bytes -= incoming.size();
            let is_low = state.arriving.bytes <= LOW_WATER;
            drop(state);
            if is_low {
                self.channel.server.wake();
            }
            return Some(incoming);
        }
        if let Some((code, reason)) = &state.gone {
            return Some(Incoming::Gone { code: *code, reason: reason.clone() });
        }
        state.arriving.is_waited_for = true;
        let is_first = !std::mem::replace(&mut state.arriving.is_asked_for, true);
        drop(state);
        if is_first {
            self.channel.server.wake();
        }
        None
    }

    /// Has news come when the client goes before the answer is complete.
    pub fn watch_client(&self) {
        self.channel.lock().is_watched = true;
    }

    /// Ends it: an answer that is not complete by now is cut short, and one that has not begun
    /// never will.
    pub fn end(&self) {
        self.channel.lock().going.is_dropped = true;
        self.channel.server.wake();
    }

    /// Begins the answer. Only the first call counts.
    pub fn start(&self, start: Start) {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut state = self.channel.lock();
        if matches!(state.going.beginning, Beginning::Awaited) {
            state.going.beginning = Beginning::There(start);
            drop(state);
            self.channel.server.wake();
        }
    }

    /// Sends more of the answer; `is_last` ends it.
    pub fn send(&self, outgoing: Option<Outgoing>, is_last: bool) -> Sent {
        let mut state = self.channel.lock();
        let State { going, gone, .. } = &mut *state;
        if gone.is_some() || going.is_complete {
            return Sent::Gone;
        }
        if let Some(outgoing) = outgoing {
            going.bytes += outgoing.size();
            going.queue.push_back(outgoing);
        }
        going.is_complete = is_last;
        let is_full = going.bytes >= HIGH_WATER && !is_last;
        going.is_room_waited_for |= is_full;
        drop(state);
        self.channel.server.wake();
        if is_full { Sent::Full } else { Sent::Room }
    }

    /// Whether there is room for more; if not, news come when there is.
    pub fn room(&self) -> Sent {
        let mut state = self.channel.lock();
        if state.gone.is_some() {
            return Sent::Gone;
        }
        let is_full = state.going.bytes > LOW_WATER;
        state.going.is_room_waited_for = is_full;
        if is_full { Sent::Full } else { Sent::Room }
    }

    /// Answers with a file, which the server reads. If the answer `is_negotiated`, it gets a tag,
    /// and the request's conditions and range are honoured; else all of it is sent, whatever they say.
    pub fn answer_file(&self, start: Start, path: PathBuf, is_negotiated: bool) {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let headers = if is_negotiated { Some(self.head.headers.clone()) } else { None };
        let mut state = self.channel.lock();
        if matches!(state.going.beginning, Beginning::Awaited) {
            state.going.beginning =
                Beginning::File(Box::new(AnsweredFile { start, path, asked: headers }));
            state.going.is_complete = true;
            drop(state);
            self.channel.server.wake();
        }
    }

    /// As [`Exchange::start`] with the whole answer behind it.
    pub fn answer(&self, start: Start, body: Bytes) {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut state = self.channel.lock();
        let going = &mut state.going;
        if !matches!(going.beginning, Beginning::Awaited) {
            return;
        }
        going.beginning = Beginning::There(start);
        if !body.is_empty() {
            let body = Outgoing::Body(body);
            going.bytes = body.size();
            going.queue.push_back(body);
        }
        going.is_complete = true;
        drop(state);
        self.channel.server.wake();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end();
    }
}

/// The server's end. Dropped, it tells the main thread that the client has gone.
pub(crate) struct Client {
    channel: Arc<Channel>,
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

/// Makes the two ends.
pub(crate) fn exchange(
    head: Head,
    main_thread: Arc<dyn MainThread>,
    permit: OwnedSemaphorePermit,
) -> (Exchange, Client) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let channel = Arc::new(Channel {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        main_thread,
        server: Wakers::default(),
        state: Mutex::default(),
    });
    let exchange =
        Exchange { head, channel: Arc::clone(&channel), permit: Mutex::new(Some(permit)) };
    (exchange, Client { channel })
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

    /// Hands the request's body over, piece by piece, as far as the handler takes it.
    pub(crate) fn read_body<B>(&self, body: B) -> impl Future<Output = ()> + Send + 'static
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display,
    {
        read_body(Arc::clone(&self.channel), body)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.channel.gone(1006, "");
    }
}

async fn read_body<B>(channel: Arc<Channel>, body: B)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    use http_body_util::BodyExt;

    let mut body = std::pin::pin!(body);
    if body.is_end_stream() {
        channel.arrived(Incoming::Body { bytes: Bytes::new(), is_last: true });
        return;
    }
    loop {
        // Not before it is asked for: a client that expects `100 Continue` gets it by the first read.
        if !wanted(&channel).await {
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

struct Channel {
    id: u64,
    main_thread: Arc<dyn MainThread>,
    server: Wakers,
    state: Mutex<State>,
}

/// The server's tasks that wait: one for each direction.
#[derive(Default)]
struct Wakers {
    going: AtomicWaker,
    arriving: AtomicWaker,
}

impl Wakers {
    fn wake(&self) {
        self.going.wake();
        self.arriving.wake();
    }
}

#[derive(Default)]
struct State {
    arriving: Arriving,
    going: Going,
    /// Whether the main thread wants to hear when the client goes.
    is_watched: bool,
    /// Nothing reaches the client any more; the code and the reason of a WebSocket's end.
    gone: Option<(u16, String)>,
}

/// From the client to the handler.
#[derive(Default)]
struct Arriving {
    queue: VecDeque<Incoming>,
    bytes: usize,
    /// Whether the handler has ever asked for what comes.
    is_asked_for: bool,
    is_waited_for: bool,
}

/// From the handler to the client.
#[derive(Default)]
struct Going {
    beginning: Beginning,
    queue: VecDeque<Outgoing>,
    bytes: usize,
    is_room_waited_for: bool,
    /// The answer is whole, as far as the handler is concerned.
    is_complete: bool,
    /// The handler has gone.
    is_dropped: bool,
}

#[derive(Default)]
enum Beginning {
    #[default]
    Awaited,
    There(Start),
    File(Box<AnsweredFile>),
    Taken,
}

impl Beginning {
    /// What there is; it is there once.
    fn take(&mut self) -> Self {
        match self {
            Self::Awaited => Self::Awaited,
            Self::There(_) | Self::File(_) | Self::Taken => std::mem::replace(self, Self::Taken),
        }
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_going(&self, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        self.server.going.register(context.waker());
        if let Some(outgoing) = self.take_going() {
            return Poll::Ready(Some(outgoing));
        }
        let state = self.lock();
        if state.going.is_complete || state.going.is_dropped || state.gone.is_some() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    fn take_going(&self) -> Option<Outgoing> {
        let mut state = self.lock();
        let going = &mut state.going;
        let outgoing = going.queue.pop_front()?;
        going.bytes -= outgoing.size();
        let is_news = going.is_room_waited_for && going.bytes <= LOW_WATER;
        going.is_room_waited_for &= !is_news;
        drop(state);
        if is_news {
            self.tell_main_thread();
        }
        Some(outgoing)
    }

    fn arrived(&self, incoming: Incoming) {
        let mut state = self.lock();
        if state.gone.is_some() {
            return;
        }
        state.arriving.bytes += incoming.size();
        state.arriving.queue.push_back(incoming);
        let is_news = std::mem::take(&mut state.arriving.is_waited_for);
        drop(state);
        if is_news {
            self.tell_main_thread();
        }
    }

    fn gone(&self, code: u16, reason: &str) {
        let mut state = self.lock();
        if state.gone.is_some() {
            return;
        }
        state.gone = Some((code, reason.to_owned()));
        state.going.queue.clear();
        state.going.bytes = 0;
        let is_cut_short = !state.going.is_complete && !state.going.is_dropped;
        let is_waited_for = std::mem::take(&mut state.arriving.is_waited_for)
            | std::mem::take(&mut state.going.is_room_waited_for);
        let is_news = is_waited_for || (state.is_watched && is_cut_short);
        drop(state);
        self.server.wake();
        if is_news {
            self.tell_main_thread();
        }
    }

    fn tell_main_thread(&self) {
        // A loop that is closed has dropped its exchanges.
        let _closed = self.main_thread.post(Work::News(self.id));
    }
}

impl Incoming {
    fn size(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Body { bytes, .. } | Self::Binary(bytes) => bytes.len(),
                Self::Text(text) => text.len(),
                Self::Gone { .. } => 0,
            }
    }
}

impl Outgoing {
    fn size(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Body(bytes) | Self::Binary(bytes) => bytes.len(),
                Self::Text(text) => text.len(),
                Self::Trailers(_) | Self::Close { .. } => 0,
            }
    }
}
