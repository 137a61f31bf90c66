//! A counter of the system's that ends a wait.
//!
//! It does so sooner than a byte through the pair, and costs less: Linux takes who writes to a socket
//! for one who is about to wait for the answer, and may keep the reader waiting for its processor.

use std::io;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    /// `None` where the system has none.
    pub(crate) fn new() -> io::Result<Option<Self>> {
        Ok(Some(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// From now on it can be read.
    pub(crate) fn ring(&self) {
        let _full_or_rung = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// It cannot be read until it is rung again.
    pub(crate) fn silence(&self) {
        let _silent_or_done = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
