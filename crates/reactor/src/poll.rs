//! The one poll of a loop, and whose turn it is to drive it.
//!
//! Either thread can drive: the main thread while the loop stands alone, so that a byte needs no
//! other thread to reach its protocol; the I/O thread while the main thread belongs to a host, or
//! is held up by a callback, so that bytes go on moving. Who drives holds the [`Baton`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::time::Duration;
use std::{fmt, io};

use mio::{Events, Interest, Waker};

use crate::birthplace::Birthplace;
use crate::io_thread::{Door, Event, Token, TokenMap};
use crate::sys::{Registry, Watchable, wait_precisely};

/// Something that is watched.
pub(crate) trait Source: Send + Sync {
    /// Does what can be done without waiting. `readiness` is empty when the source has asked to be
    /// served again.
    fn serve(&self, readiness: Readiness, turn: &mut Turn<'_>);

    /// Whether the main thread was told that there is something to read and has not read it all.
    fn is_unread(&self) -> bool {
        false
    }
}

/// What the system reports of a source: an edge, not a level.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer will send no more, or all is lost.
    pub(crate) read_closed: bool,
}

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// Reads at once into what it hands to Python: sources only announce.
    MainThread,
    /// Reads ahead.
    IoThread,
}

/// What a source may use while it is served.
pub(crate) struct Turn<'a> {
    pub(crate) driver: Driver,
    told: &'a mut Vec<Event>,
    /// Room for one read.
    pub(crate) scratch: &'a mut Vec<u8>,
    unread: &'a mut Vec<Token>,
    again: &'a mut VecDeque<(Token, Readiness)>,
}

impl Turn<'_> {
    /// Tells the main thread: at once, or together with what else there is if it drives itself.
    pub(crate) fn tell(&mut self, event: Event) {
        self.told.push(event);
    }

    /// There is more to do for `token`: after everybody else has been served.
    pub(crate) fn serve_again(&mut self, token: Token) {
        self.again.push_back((token, Readiness::default()));
    }

    /// The main thread was told to read; if it does not get to it, the I/O thread will.
    pub(crate) fn leave_unread(&mut self, token: Token) {
        self.unread.push(token);
    }
}

pub(crate) struct Poll {
    baton: Mutex<Baton>,
    registry: Registry,
    waker: Arc<Waker>,
    pub(crate) door: Door,
    sources: RwLock<TokenMap<Arc<dyn Source>>>,
    /// What the main thread wants to have served.
    wanted: Mutex<Vec<Token>>,
    has_wanted: AtomicBool,
    /// The system has reported bytes where signals come in.
    has_signals: AtomicBool,
    birthplace: Birthplace,
}

/// What only its holder may touch: the right to wait for the system.
#[derive(Debug)]
pub(crate) struct Baton {
    poll: mio::Poll,
    events: Events,
    /// What is still to be served.
    pending: VecDeque<(Token, Readiness)>,
    /// What was announced to the main thread while it drove.
    unread: Vec<Token>,
    scratch: Vec<u8>,
    /// What the main thread is to be told.
    told: Vec<Event>,
}

/// Events that are taken from the system at once.
const EVENTS: usize = 256;
/// So many sources are remembered as unread before those that have been read are weeded out.
const UNREAD: usize = 1024;
const WAKER: mio::Token = mio::Token(usize::MAX);
const SIGNALS: mio::Token = mio::Token(usize::MAX - 1);

impl Poll {
    pub(crate) fn new(door: Door) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = Registry::of(&poll)?;
        let waker = Arc::new(registry.waker(WAKER)?);
        Ok(Self {
            baton: Mutex::new(Baton {
                poll,
                events: Events::with_capacity(EVENTS),
                pending: VecDeque::new(),
                unread: Vec::new(),
                scratch: Vec::new(),
                told: Vec::new(),
            }),
            registry,
            waker,
            door,
            sources: RwLock::default(),
            wanted: Mutex::default(),
            has_wanted: AtomicBool::new(false),
            has_signals: AtomicBool::new(false),
            birthplace: Birthplace::here(),
        })
    }

    pub(crate) fn waker(&self) -> &Arc<Waker> {
        &self.waker
    }

    pub(crate) fn add(
        &self,
        token: Token,
        watchable: &Watchable<'_>,
        interest: Interest,
        source: Arc<dyn Source>,
    ) -> io::Result<()> {
        self.write_sources().insert(token, source);
        let added = watchable.register(&self.registry, name(token), interest);
        if added.is_err() {
            self.write_sources().remove(&token);
        }
        added
    }

    /// Watches what is watched already, under another name and for something else. What the system
    /// has reported under the old name is forgotten; its present state is reported anew.
    pub(crate) fn change(
        &self,
        before: Token,
        token: Token,
        watchable: &Watchable<'_>,
        interest: Interest,
        source: Arc<dyn Source>,
    ) -> io::Result<()> {
        {
            let mut sources = self.write_sources();
            sources.remove(&before);
            sources.insert(token, source);
        }
        let changed = watchable.reregister(&self.registry, name(before), name(token), interest);
        if changed.is_err() {
            self.write_sources().remove(&token);
        }
        changed
    }

    pub(crate) fn remove(&self, token: Token, watchable: &Watchable<'_>) {
        let gone = self.write_sources().remove(&token);
        // A child after a `fork` shares our poll: it must leave it alone.
        if gone.is_some() && self.birthplace.is_here() {
            let _done_or_closed = watchable.deregister(&self.registry, name(token));
        }
    }

    /// Has the waits that follow end when signals come in through `reader`.
    pub(crate) fn watch_signals(&self, reader: &Watchable<'_>) -> io::Result<()> {
        reader.register(&self.registry, SIGNALS, Interest::READABLE)
    }

    pub(crate) fn forget_signals(&self, reader: &Watchable<'_>) {
        let _done_or_closed = reader.deregister(&self.registry, SIGNALS);
    }

    /// Whether signals have come in that nobody has taken.
    pub(crate) fn is_signalled(&self) -> bool {
        self.has_signals.load(Ordering::SeqCst)
    }

    /// Whether signals have come in since this was last asked.
    pub(crate) fn take_signalled(&self) -> bool {
        let is_signalled = self.is_signalled() && self.has_signals.swap(false, Ordering::SeqCst);
        if is_signalled {
            self.registry.tell_again(SIGNALS);
        }
        is_signalled
    }

    /// Reads or writes what `token` names, `wanted` bytes of it. After fewer, the system reports when there is more.
    #[inline]
    pub(crate) fn attempt(
        &self,
        token: Token,
        wanted: usize,
        action: impl FnOnce() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let result = action();
        if !matches!(result, Ok(count) if count == wanted) {
            self.report_again(token);
        }
        result
    }

    /// Has the system report what has become of `token` since it had nothing more to give or to take.
    #[inline]
    pub(crate) fn report_again(&self, token: Token) {
        self.registry.tell_again(name(token));
    }

    /// Has `token` served as soon as somebody drives.
    pub(crate) fn want_served(&self, token: Token) {
        lock(&self.wanted).push(token);
        self.has_wanted.store(true, Ordering::SeqCst);
    }

    /// The baton, if nobody has it.
    pub(crate) fn try_baton(&self) -> Option<MutexGuard<'_, Baton>> {
        match self.baton.try_lock() {
            Ok(baton) => Some(baton),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn baton(&self) -> MutexGuard<'_, Baton> {
        lock(&self.baton)
    }

    /// Serves what is ready; waits for it for `limit` at most (for ever if `None`), and says that
    /// the wait is over by `on_woken`. Stops in between when `is_to_stop` says so; the rest is served
    /// next time, by whoever drives then.
    pub(crate) fn drive(
        &self,
        baton: &mut Baton,
        driver: Driver,
        limit: Option<Duration>,
        on_woken: impl FnOnce(),
        is_to_stop: impl Fn() -> bool,
    ) {
        if driver == Driver::IoThread {
            // What the main thread was to read and has not is read ahead from now on.
            let unread = baton.unread.drain(..);
            baton.pending.extend(unread.map(|token| (token, Readiness::default())));
        } else if baton.unread.len() > UNREAD {
            baton.unread.sort_unstable();
            baton.unread.dedup();
            baton.unread.retain(|token| self.source(*token).is_some_and(|it| it.is_unread()));
        }
        if self.has_wanted.swap(false, Ordering::SeqCst) {
            let wanted = std::mem::take(&mut *lock(&self.wanted));
            baton.pending.extend(wanted.into_iter().map(|token| (token, Readiness::default())));
        }
        let limit = if baton.pending.is_empty() { limit } else { Some(Duration::ZERO) };
        let waited = self.wait(baton, limit);
        on_woken();
        if let Err(error) = waited {
            return tracing::error!(%error, "could not wait for I/O");
        }
        // Those that ask to be served again wait for the next call, so that others get their turn.
        for _ in 0..baton.pending.len() {
            if is_to_stop() {
                break;
            }
            let Some((token, readiness)) = baton.pending.pop_front() else { break };
            let Some(source) = self.source(token) else { continue };
            let mut turn = Turn {
                driver,
                told: &mut baton.told,
                scratch: &mut baton.scratch,
                unread: &mut baton.unread,
                again: &mut baton.pending,
            };
            source.serve(readiness, &mut turn);
            if driver == Driver::IoThread {
                self.tell(&mut baton.told);
            }
        }
        self.tell(&mut baton.told);
    }

    /// Waits, and leaves what the system reports among what is pending.
    fn wait(&self, baton: &mut Baton, limit: Option<Duration>) -> io::Result<()> {
        let limit = match limit {
            Some(limit) if !limit.is_zero() => Some(wait_precisely(&baton.poll, limit)?),
            limit => limit,
        };
        match baton.poll.poll(&mut baton.events, limit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &baton.events {
            match event.token() {
                WAKER => continue,
                SIGNALS => {
                    self.has_signals.store(true, Ordering::SeqCst);
                    continue;
                }
                _ => {}
            }
            let is_broken = event.is_error();
            let readiness = Readiness {
                readable: event.is_readable() || event.is_read_closed() || is_broken,
                writable: event.is_writable() || event.is_write_closed() || is_broken,
                read_closed: event.is_read_closed() || is_broken,
            };
            baton.pending.push_back((Token(event.token().0 as u64), readiness));
        }
        Ok(())
    }

    fn tell(&self, told: &mut Vec<Event>) {
        if !told.is_empty() {
            (self.door)(&mut told.drain(..));
        }
    }

    fn source(&self, token: Token) -> Option<Arc<dyn Source>> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.get(&token).map(Arc::clone)
    }

    fn write_sources(&self) -> RwLockWriteGuard<'_, TokenMap<Arc<dyn Source>>> {
        self.sources.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Poll").finish_non_exhaustive()
    }
}

fn name(token: Token) -> mio::Token {
    #[expect(clippy::cast_possible_truncation, reason = "tokens count up from one")]
    mio::Token(token.0 as usize)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks but a source, whose state is its own.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
