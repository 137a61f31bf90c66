//! How another thread, or a signal, ends the main thread's wait.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A socket pair: a byte written to one end makes the wait on the other return.
///
/// A pair of sockets and not a condition variable, because a signal handler can write to it
/// (`signal.set_wakeup_fd`): a signal that arrives just before the wait begins still ends it.
#[derive(Debug)]
pub(crate) struct Wake {
    reader: UnixStream,
    writer: UnixStream,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { reader, writer })
    }

    /// Makes the present or the next [`Wake::wait`] return. A full pair is awake already.
    pub(crate) fn wake(&self) {
        let _full_or_written = (&self.writer).write(&[0]);
    }

    /// Waits for a byte, for `limit` at most (for ever if `None`), or until a signal interrupts.
    pub(crate) fn wait(&self, limit: Option<Duration>) {
        let limit = limit.map(|limit| {
            Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
        });
        let mut watched = [PollFd::new(&self.reader, PollFlags::IN)];
        match poll(&mut watched, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => tracing::error!(%error, "could not wait for the next event"),
        }
    }

    /// Takes every byte that has arrived and returns those that are signal numbers.
    pub(crate) fn take_signals(&self) -> Vec<u8> {
        let mut signals = Vec::new();
        let mut buffer = [0; 256];
        while let Ok(count @ 1..) = (&self.reader).read(&mut buffer) {
            signals.extend(buffer[..count].iter().copied().filter(|byte| *byte != 0));
        }
        signals
    }

    /// The end that a signal handler may write to.
    pub(crate) fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }
}
