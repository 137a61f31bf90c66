//! Who drives the poll, and how one thread takes it over from the other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::io_thread::Token;
use crate::poll::{Baton, Driver, Poll};

/// While the main thread drives, the I/O thread only looks whether it is held up; while it does not,
/// the I/O thread drives.
#[derive(Debug, Default)]
pub(crate) struct Driving {
    /// The main thread drives.
    is_main: AtomicBool,
    /// The main thread wants the baton that the I/O thread has.
    is_wanted: AtomicBool,
    is_ending: AtomicBool,
    /// The I/O thread has the baton, or is about to take it.
    is_io_thread_at_it: AtomicBool,
    /// The main thread waits in the poll: it is not held up.
    is_waiting: AtomicBool,
    /// How often the main thread has polled.
    polls: AtomicU64,
    /// The I/O thread looks no more until it is told that the main thread waits no more.
    is_watch_asleep: AtomicBool,
    /// For `changed` alone.
    lock: Mutex<()>,
    changed: Condvar,
}

/// Why the I/O thread drives.
#[derive(Clone, Copy, Debug)]
enum TurnOfIoThread {
    Own,
    /// The main thread is held up since it has polled so many times.
    InPlaceOfMain {
        polls: u64,
    },
}

/// A main thread that has not polled for so long is held up: the I/O thread reads ahead meanwhile.
const HELD_UP_AFTER: Duration = Duration::from_millis(5);

impl Driving {
    pub(crate) fn is_main(&self) -> bool {
        self.is_main.load(Ordering::SeqCst)
    }

    /// The main thread drives from now on.
    pub(crate) fn take_over(&self, poll: &Poll) {
        self.is_main.store(true, Ordering::SeqCst);
        drop(self.claim(poll));
    }

    /// The I/O thread drives from now on.
    pub(crate) fn hand_back(&self) {
        self.is_main.store(false, Ordering::SeqCst);
        self.tell();
    }

    pub(crate) fn end(&self, poll: &Poll) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.tell();
        wake(poll);
    }

    /// Serves what is ready, on the main thread, which drives; waits for `limit` at most.
    ///
    /// `is_idle` is asked once nobody else can drive any more: a wake that comes later ends our wait
    /// and not that of the I/O thread. If it says no, or the I/O thread has seen signals that nobody
    /// has taken, nothing is waited for. `on_woken` is called between the wait and the serving.
    pub(crate) fn poll_on_main_thread(
        &self,
        poll: &Poll,
        limit: Option<Duration>,
        is_idle: impl FnOnce() -> bool,
        on_woken: impl FnOnce(),
    ) {
        let mut baton = self.claim(poll);
        let limit = if is_idle() && !poll.is_signalled() { limit } else { Some(Duration::ZERO) };
        if limit == Some(Duration::ZERO) {
            poll.drive(&mut baton, Driver::MainThread, limit, on_woken, || false);
        } else {
            self.is_waiting.store(true, Ordering::SeqCst);
            let on_woken = || {
                on_woken();
                self.is_waiting.store(false, Ordering::SeqCst);
                if self.is_watch_asleep.load(Ordering::SeqCst) {
                    self.tell();
                }
            };
            poll.drive(&mut baton, Driver::MainThread, limit, on_woken, || false);
        }
        self.polls.fetch_add(1, Ordering::SeqCst);
    }

    /// What the I/O thread does until the end.
    pub(crate) fn run_io_thread(&self, poll: &Poll) {
        while let Some(turn) = self.wait_for_turn() {
            let mut baton = poll.baton();
            // The main thread may have been quicker.
            if !self.is_still(turn) {
                continue;
            }
            self.is_io_thread_at_it.store(true, Ordering::SeqCst);
            while !self.is_to_let_go() {
                poll.drive(&mut baton, Driver::IoThread, None, || {}, || self.is_to_let_go());
            }
            self.is_io_thread_at_it.store(false, Ordering::SeqCst);
        }
    }

    /// Has `token` served soon, by whoever drives.
    pub(crate) fn want_served(&self, poll: &Poll, token: Token) {
        poll.want_served(token);
        if self.is_io_thread_at_it.load(Ordering::SeqCst) {
            wake(poll);
        }
    }

    fn is_to_let_go(&self) -> bool {
        self.is_wanted.load(Ordering::SeqCst) || self.is_ending.load(Ordering::SeqCst)
    }

    /// The baton for the main thread: within one read of a source if the I/O thread has it.
    fn claim<'a>(&self, poll: &'a Poll) -> MutexGuard<'a, Baton> {
        if let Some(baton) = poll.try_baton() {
            return baton;
        }
        self.is_wanted.store(true, Ordering::SeqCst);
        wake(poll);
        let baton = poll.baton();
        self.is_wanted.store(false, Ordering::SeqCst);
        baton
    }

    fn is_still(&self, turn: TurnOfIoThread) -> bool {
        match turn {
            TurnOfIoThread::Own => !self.is_main(),
            TurnOfIoThread::InPlaceOfMain { polls } => polls == self.polls.load(Ordering::SeqCst),
        }
    }

    /// Waits until the I/O thread is to drive; `None` at the end.
    fn wait_for_turn(&self) -> Option<TurnOfIoThread> {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut polls = self.polls.load(Ordering::SeqCst);
        loop {
            if self.is_ending.load(Ordering::SeqCst) {
                return None;
            }
            if !self.is_main() {
                return Some(TurnOfIoThread::Own);
            }
            self.is_watch_asleep.store(true, Ordering::SeqCst);
            // Looked at only now: from here on whoever ends the wait sees that we sleep.
            let has_slept = self.is_waiting.load(Ordering::SeqCst);
            if has_slept {
                guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
                polls = self.polls.load(Ordering::SeqCst);
            }
            self.is_watch_asleep.store(false, Ordering::SeqCst);
            if has_slept && (self.is_ending.load(Ordering::SeqCst) || !self.is_main()) {
                continue;
            }
            // Also if the main thread waits again by now: it is not to wake us for each request.
            let (woken, waited) = self
                .changed
                .wait_timeout(guard, HELD_UP_AFTER)
                .unwrap_or_else(PoisonError::into_inner);
            guard = woken;
            let before = std::mem::replace(&mut polls, self.polls.load(Ordering::SeqCst));
            if waited.timed_out() && before == polls && !self.is_waiting.load(Ordering::SeqCst) {
                return Some(TurnOfIoThread::InPlaceOfMain { polls });
            }
        }
    }

    fn tell(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

fn wake(poll: &Poll) {
    if let Err(error) = poll.waker().wake() {
        tracing::error!(%error, "could not wake the I/O thread");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::clock::monotonic_seconds;
    use crate::sys::{Watchable, pair};

    #[test]
    fn a_signal_that_the_io_thread_has_seen_ends_the_next_wait_of_the_main_thread() {
        let poll = Poll::new(Arc::new(|_events| {})).unwrap();
        let (reader, mut writer) = pair().unwrap();
        poll.watch_signals(&Watchable::of(&reader)).unwrap();
        writer.write_all(&[2]).unwrap();
        poll.drive(&mut poll.baton(), Driver::IoThread, Some(Duration::ZERO), || {}, || false);

        let began = monotonic_seconds();
        let limit = Duration::from_secs(20);
        Driving::default().poll_on_main_thread(&poll, Some(limit), || true, || {});
        assert!(monotonic_seconds() - began < limit.as_secs_f64() / 2.0);
        assert!(poll.take_signalled());
    }
}
