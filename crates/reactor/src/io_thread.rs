//! The I/O thread, and what it tells the main thread.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Waker;
use rustix::fd::AsFd;

use crate::birthplace::Birthplace;
use crate::driving::Driving;
use crate::inbox::ReadAhead;
use crate::look_up_threads::LookUpThreads;
use crate::poll::Poll;
use crate::resolver::{AddressInfo, LookupFailed, NameInfo};
use crate::sys::Watchable;

/// Names a connection, a listener, a look-up or a watched file descriptor, for good.
///
/// The I/O thread knows these numbers only; what belongs to a number is the main thread's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// By token, without the cost of a hash that resists an attacker: we count the tokens ourselves.
pub type TokenMap<T> = HashMap<Token, T, BuildHasherDefault<TokenHasher>>;

/// Spreads numbers that follow each other, by Knuth's multiplicative hashing.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What the main thread is told.
#[derive(Debug)]
pub enum Event {
    /// A connection has bytes, or its end, to be taken.
    Received(Token),
    /// A connection's unsent bytes have fallen to the mark that was asked for.
    Drained(Token),
    /// A connection has sent its last byte, and has shut its sending side down if it was to.
    Flushed(Token),
    /// A connection could not send.
    SendFailed(Token, io::Error),
    /// A listener has connections, or an error, to be taken.
    Accepted(Token),
    /// The answer to a look-up.
    Resolved(Token, Result<Vec<AddressInfo>, LookupFailed>),
    /// What an address is called.
    Named(Token, Result<NameInfo, LookupFailed>),
    /// A watched file descriptor is ready. It is not watched any more until it is watched again.
    Ready { token: Token, readable: bool, writable: bool },
}

/// Where events go: the main thread's queue, behind one function.
pub type Door = Arc<dyn Fn(&mut dyn Iterator<Item = Event>) + Send + Sync>;

/// All that a loop watches, and the thread that serves it while the main thread does not.
pub struct Reactor {
    pub(crate) core: Arc<Core>,
    pub(crate) look_up_threads: LookUpThreads,
    next_token: AtomicU64,
    thread: Option<JoinHandle<()>>,
    birthplace: Birthplace,
}

/// What the sources share.
pub(crate) struct Core {
    pub(crate) poll: Poll,
    pub(crate) driving: Driving,
    pub(crate) read_ahead: Arc<ReadAhead>,
}

impl Core {
    /// Tells the main thread, from outside of a [`Turn`](crate::poll::Turn).
    pub(crate) fn tell(&self, event: Event) {
        (self.poll.door)(&mut std::iter::once(event));
    }

    /// Has `token` served soon, by whoever drives.
    pub(crate) fn want_served(&self, token: Token) {
        self.driving.want_served(&self.poll, token);
    }
}

impl Reactor {
    /// Starts the thread, which drives until the main thread takes over.
    ///
    /// # Errors
    /// The system's, if no thread or no poll can be had.
    pub fn start(door: Door, read_ahead: Arc<ReadAhead>) -> io::Result<Self> {
        let core =
            Arc::new(Core { poll: Poll::new(door)?, driving: Driving::default(), read_ahead });
        let on_thread = Arc::clone(&core);
        let thread = std::thread::Builder::new()
            .name("aiobpy-io".to_owned())
            .spawn(move || on_thread.driving.run_io_thread(&on_thread.poll))?;
        Ok(Self {
            core,
            look_up_threads: LookUpThreads::default(),
            next_token: AtomicU64::new(1),
            thread: Some(thread),
            birthplace: Birthplace::here(),
        })
    }

    pub fn new_token(&self) -> Token {
        Token(self.next_token.fetch_add(1, Ordering::Relaxed))
    }

    /// From now on the calling thread, which is the main thread, serves what is ready, in
    /// [`Reactor::poll`]. If it does not come to that for a while, the I/O thread does.
    pub fn take_over(&self) {
        self.core.driving.take_over(&self.core.poll);
    }

    /// From now on the I/O thread serves what is ready.
    pub fn hand_back(&self) {
        self.core.driving.hand_back();
    }

    /// Whether the main thread has taken over.
    pub fn is_driven_by_main_thread(&self) -> bool {
        self.core.driving.is_main()
    }

    /// Serves what is ready, and waits for it for `limit` at most (for ever if `None`), unless
    /// `is_idle` says that there is other work; it is asked when every later wake will end this wait.
    /// `on_woken` is called when it has ended and nothing has been served yet.
    /// Only the main thread calls it, after [`Reactor::take_over`]. Returns whether signals have come
    /// in.
    pub fn poll(
        &self,
        limit: Option<Duration>,
        is_idle: impl FnOnce() -> bool,
        on_woken: impl FnOnce(),
    ) -> bool {
        self.core.driving.poll_on_main_thread(&self.core.poll, limit, is_idle, on_woken);
        self.core.poll.take_signalled()
    }

    /// Ends the wait of whoever polls, now or next.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(self.core.poll.waker())
    }

    /// Has a wait in [`Reactor::poll`] end when a byte comes in here, until it is forgotten.
    ///
    /// # Errors
    /// The system's, if it cannot be watched.
    pub fn watch_signals(&self, reader: &impl AsFd) -> io::Result<()> {
        self.core.poll.watch_signals(&Watchable::of(reader))
    }

    pub fn forget_signals(&self, reader: &impl AsFd) {
        self.core.poll.forget_signals(&Watchable::of(reader));
    }
}

impl Drop for Reactor {
    /// Waits for the thread to end.
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if !self.birthplace.is_here() {
            return;
        }
        self.core.driving.end(&self.core.poll);
        if thread.join().is_err() {
            tracing::error!("the I/O thread panicked");
        }
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reactor").finish_non_exhaustive()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Core").finish_non_exhaustive()
    }
}
