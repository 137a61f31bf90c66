//! Stands in for `wake.rs` while loom explores the queue: one byte's worth of a socket pair.

use std::io;
use std::time::Duration;

use loom::sync::{Condvar, Mutex};
use rustix::fd::OwnedFd;

use crate::sys::PairEnd;

#[derive(Debug)]
pub(crate) struct Wake {
    has_byte: Mutex<bool>,
    written: Condvar,
}

impl Wake {
    #[expect(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { has_byte: Mutex::new(false), written: Condvar::new() })
    }

    pub(crate) fn wake(&self) {
        *self.has_byte.lock().unwrap() = true;
        self.written.notify_one();
    }

    pub(crate) fn ring(&self) {
        self.wake();
    }

    /// Loom has no clock, and so the wait has no limit: a wake that gets lost is a deadlock, which
    /// loom reports.
    pub(crate) fn wait(&self, _limit: Option<Duration>) -> bool {
        let mut has_byte = self.has_byte.lock().unwrap();
        while !*has_byte {
            has_byte = self.written.wait(has_byte).unwrap();
        }
        true
    }

    pub(crate) fn take_signals(&self) -> Vec<u8> {
        *self.has_byte.lock().unwrap() = false;
        Vec::new()
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn with_reader<T>(
        &self,
        _action: impl FnOnce(&PairEnd) -> io::Result<T>,
    ) -> io::Result<T> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn writer(&self) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn close(&self) {}
}
