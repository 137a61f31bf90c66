//! What the two ends of an exchange share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use super::client::AnsweredFile;
use super::{Incoming, LOW_WATER, Outgoing, Start};
use crate::main_thread::{MainThread, Work};

pub(super) struct Channel {
    pub(super) id: u64,
    pub(super) main_thread: Arc<dyn MainThread>,
    pub(super) server: Wakers,
    pub(super) state: Mutex<State>,
}

/// The server's tasks that wait: one for each direction.
#[derive(Default)]
pub(super) struct Wakers {
    pub(super) going: AtomicWaker,
    pub(super) arriving: AtomicWaker,
}

impl Wakers {
    pub(super) fn wake(&self) {
        self.going.wake();
        self.arriving.wake();
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) arriving: Arriving,
    pub(super) going: Going,
    /// Whether the main thread wants to hear when the client goes.
    pub(super) is_watched: bool,
    /// Nothing reaches the client any more; the code and the reason of a WebSocket's end.
    pub(super) gone: Option<(u16, String)>,
}

/// From the client to the handler.
#[derive(Default)]
pub(super) struct Arriving {
    pub(super) queue: VecDeque<Incoming>,
    pub(super) bytes: usize,
    /// Whether the handler has ever asked for what comes.
    pub(super) is_asked_for: bool,
    pub(super) is_waited_for: bool,
}

/// From the handler to the client.
#[derive(Default)]
pub(super) struct Going {
    pub(super) beginning: Beginning,
    pub(super) queue: VecDeque<Outgoing>,
    pub(super) bytes: usize,
    pub(super) is_room_waited_for: bool,
    /// The answer is whole, as far as the handler is concerned.
    pub(super) is_complete: bool,
    /// The handler has gone.
    pub(super) is_dropped: bool,
}

#[derive(Default)]
pub(super) enum Beginning {
    #[default]
    Awaited,
    There(Start),
    File(Box<AnsweredFile>),
    Taken,
}

impl Beginning {
    /// What there is; it is there once.
    pub(super) fn take(&mut self) -> Self {
        match self {
            Self::Awaited => Self::Awaited,
            Self::There(_) | Self::File(_) | Self::Taken => std::mem::replace(self, Self::Taken),
        }
    }
}

impl Channel {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_going(&self, context: &mut Context<'_>) -> Poll<Option<Outgoing>> {
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

    pub(super) fn take_going(&self) -> Option<Outgoing> {
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

    pub(super) fn arrived(&self, incoming: Incoming) {
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

    pub(super) fn gone(&self, code: u16, reason: &str) {
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
