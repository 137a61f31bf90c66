//! How another thread, or a signal, ends the main thread's wait.

use std::io::{self, Read, Write};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

use crate::sys::{Bell, PairEnd, pair};

/// A socket pair: a byte written to one end makes the wait on the other return.
///
/// A pair of sockets and not a condition variable, because a signal handler can write to it
/// (`signal.set_wakeup_fd`): a signal that arrives just before the wait begins still ends it.
#[derive(Debug)]
pub(crate) struct Wake {
    /// `None` once closed. Locked for writing by `close` alone.
    pair: RwLock<Option<Pair>>,
}

#[derive(Debug)]
struct Pair {
    reader: PairEnd,
    writer: PairEnd,
    bell: Option<Bell>,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { pair: RwLock::new(Some(Pair { reader, writer, bell: Bell::new()? })) })
    }

    /// Makes the present or the next [`Wake::wait`] return, by the quickest way that there is.
    pub(crate) fn ring(&self) {
        match &*self.pair() {
            Some(Pair { bell: Some(bell), .. }) => bell.ring(),
            Some(pair) => pair.wake(),
            None => {}
        }
    }

    /// The same, also for whoever watches [`Wake::with_reader`]'s end.
    pub(crate) fn wake(&self) {
        if let Some(pair) = &*self.pair() {
            pair.wake();
        }
    }

    /// Waits for a byte, for `limit` at most (for ever if `None`), or until a signal interrupts.
    /// Returns at once if closed; returns whether there are bytes to take.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> bool {
        let pair = self.pair();
        let Some(pair) = &*pair else { return false };
        let limit = limit.map(|limit| {
            Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
        });
        let reader = PollFd::new(&pair.reader, PollFlags::IN);
        let result = match &pair.bell {
            Some(bell) => {
                let mut watched = [reader, PollFd::new(bell, PollFlags::IN)];
                let result = poll(&mut watched, limit.as_ref());
                if result.is_ok() && !watched[1].revents().is_empty() {
                    bell.silence();
                }
                result.map(|_count| !watched[0].revents().is_empty())
            }
            None => poll(&mut [reader], limit.as_ref()).map(|count| count > 0),
        };
        match result {
            Ok(has_bytes) => has_bytes,
            Err(Errno::INTR) => false,
            Err(error) => {
                tracing::error!(%error, "could not wait for the next event");
                false
            }
        }
    }

    /// Takes every byte that has arrived and returns those that are signal numbers.
    pub(crate) fn take_signals(&self) -> Vec<u8> {
        let mut signals = Vec::new();
        let pair = self.pair();
        let Some(pair) = &*pair else { return signals };
        let mut buffer = [0; 256];
        while let Ok(count @ 1..) = (&pair.reader).read(&mut buffer) {
            signals.extend(buffer[..count].iter().copied().filter(|byte| *byte != 0));
            if count < buffer.len() {
                break;
            }
        }
        signals
    }

    /// Lends the end that bytes come out of.
    ///
    /// # Errors
    /// `NotConnected` once closed, else what `action` returns.
    pub(crate) fn with_reader<T>(
        &self,
        action: impl FnOnce(&PairEnd) -> io::Result<T>,
    ) -> io::Result<T> {
        match &*self.pair() {
            Some(pair) => action(&pair.reader),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// A copy of the end that a signal handler may write to.
    pub(crate) fn writer(&self) -> io::Result<OwnedFd> {
        match &*self.pair() {
            Some(pair) => Ok(pair.writer.as_fd().try_clone_to_owned()?),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Closes both ends, once no wait is under way. Later calls do nothing.
    pub(crate) fn close(&self) {
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn pair(&self) -> RwLockReadGuard<'_, Option<Pair>> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    /// A full pair is awake already.
    fn wake(&self) {
        let _full_or_written = (&self.writer).write(&[0]);
    }
}
