//! A request that a handler on the main thread answers, and its answer: streams both ways, each
//! bounded, so that a slow end stops the other by TCP and not by memory.
//!
//! There are two ends. The main thread has the [`Exchange`]: its methods never wait; where there is
//! nothing to take or no room to give, [`News`](crate::main_thread::Work::News) comes through the door when that has changed.
//! The server has the [`Client`], which is all futures.

mod channel;
mod client;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use tokio::sync::OwnedSemaphorePermit;

use self::channel::{Beginning, Channel, State, Wakers};
pub(crate) use self::client::{AnsweredFile, Begun, Client, Rest};
use crate::clock::Stopwatch;
use crate::form::Form;
use crate::http::{Heads, early_hints};
use crate::main_thread::{MainThread, SERVER_TIMING, Timing};
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
    /// Where early hints are left, if the client may be sent any.
    pub(crate) heads: Option<Heads>,
}

impl Head {
    /// Whether [`Exchange::hint`] reaches the client. hyper sends no interim answers of HTTP/2, and
    /// clients of HTTP/1.0 know of none.
    pub fn takes_hints(&self) -> bool {
        self.heads.is_some()
    }
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
    posted: Stopwatch,
    /// How long it had waited when the main thread began with it.
    queued: OnceLock<Duration>,
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
        let is_first = !std::mem::replace(&mut self.channel.lock().going.is_dropped, true);
        if is_first {
            self.channel.server.wake();
        }
    }

    /// The main thread begins with the request.
    pub fn begin(&self) {
        self.queued.get_or_init(|| self.posted.elapsed());
    }

    /// Has the client told, before the answer begins, what it will need: values of `Link` (RFC 8297).
    pub fn hint(&self, links: &[HeaderValue]) -> Sent {
        let state = self.channel.lock();
        if state.gone.is_some() {
            return Sent::Gone;
        }
        if let Some(heads) = &self.head.heads {
            // Under the lock: whoever else may answer in our place, as when we take too long, takes
            // it first.
            heads.hint(&early_hints(links));
        }
        drop(state);
        self.channel.server.wake();
        Sent::Room
    }

    /// Begins the answer. Only the first call counts.
    pub fn start(&self, start: Start) {
        let start = self.timed(start);
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
        let start = self.timed(start);
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
        let start = self.timed(start);
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

    /// Says, with the beginning of an answer, where the time went.
    fn timed(&self, mut start: Start) -> Start {
        let timing = Timing::of(self.queued.get().copied(), self.posted.elapsed());
        if let Ok(timing) = HeaderValue::try_from(timing.to_string()) {
            start.headers.append(SERVER_TIMING, timing);
        }
        start
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end();
    }
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
    let exchange = Exchange {
        head,
        channel: Arc::clone(&channel),
        permit: Mutex::new(Some(permit)),
        posted: Stopwatch::start(),
        queued: OnceLock::new(),
    };
    (exchange, Client { channel })
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
