//! What the system can watch, lent for one call.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A descriptor that stays open at least until the call returns.
#[derive(Debug)]
pub(crate) struct Watchable<'a>(BorrowedFd<'a>);

impl<'a> Watchable<'a> {
    pub(crate) fn of(owner: &'a impl AsFd) -> Self {
        Self(owner.as_fd())
    }

    pub(crate) fn register(
        &self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match SourceFd(&self.0.as_raw_fd()).register(registry, token, interest) {
            // Closed without being forgotten, and the number given to another by the system, or
            // still open under another number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interest)
            }
            result => result,
        }
    }

    pub(crate) fn reregister(
        &self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interest) {
            // Closed without being forgotten, and its number belongs to another now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                SourceFd(&self.0.as_raw_fd()).register(registry, token, interest)
            }
            result => result,
        }
    }

    pub(crate) fn deregister(&self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}

/// Waits until the poll has something to report, for `limit` at most: to the nanosecond, where the
/// poll itself rounds up to milliseconds and a guest would overrun its tick.
pub(crate) fn wait_precisely(watched: &mio::Poll, limit: Duration) -> io::Result<()> {
    let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    #[expect(unsafe_code, reason = "mio lends its descriptor as a number")]
    // SAFETY: the descriptor belongs to `watched`, which outlives this call.
    let descriptor = unsafe { BorrowedFd::borrow_raw(watched.as_raw_fd()) };
    match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&limit)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
