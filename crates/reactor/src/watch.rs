//! Foreign file descriptors that a library watches (`add_reader`, `add_writer`): level-triggered.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::BorrowedFd;

use crate::io_thread::{Core, Event, Reactor, Token};
use crate::poll::{Readiness, Source, Turn};
use crate::sys::Watchable;

/// A descriptor under watch. The watch does not keep it open.
///
/// It is reported once ([`Event::Ready`]) and then left alone until the main thread, after its
/// callback, watches it again. Watching again looks at the present state, so neither a half-read
/// buffer nor an edge that came in between is lost, and a callback that does not read cannot flood
/// the queue.
#[derive(Debug)]
pub struct Watch {
    core: Arc<Core>,
    armed: Option<Token>,
}

/// What to watch a descriptor for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    pub readable: bool,
    pub writable: bool,
}

#[derive(Debug)]
struct Armed {
    token: Token,
    interest: Interest,
    is_reported: AtomicBool,
}

impl Watch {
    pub fn new(reactor: &Reactor) -> Self {
        Self { core: Arc::clone(&reactor.core), armed: None }
    }

    /// Watches `fd`, always the same, until it is ready once, in place of what it was watched for
    /// before. A report is told apart from one of an earlier watch by its new `token`.
    ///
    /// # Errors
    /// The system's: `EPERM` for a regular file, which is always ready.
    pub fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let Some(wanted) = interest.for_mio() else {
            self.forget(fd);
            return Ok(());
        };
        let source = Arc::new(Armed { token, interest, is_reported: AtomicBool::new(false) });
        let watchable = Watchable::of(&fd);
        match self.armed.replace(token) {
            Some(before) => self.core.poll.change(before, token, &watchable, wanted, source),
            None => self.core.poll.add(token, &watchable, wanted, source),
        }
    }

    /// Stops watching `fd`. One that was closed before is gone by itself.
    pub fn forget(&mut self, fd: BorrowedFd<'_>) {
        if let Some(token) = self.armed.take() {
            self.core.poll.remove(token, &Watchable::of(&fd));
        }
    }
}

impl Interest {
    fn for_mio(self) -> Option<mio::Interest> {
        match (self.readable, self.writable) {
            (true, true) => Some(mio::Interest::READABLE | mio::Interest::WRITABLE),
            (true, false) => Some(mio::Interest::READABLE),
            (false, true) => Some(mio::Interest::WRITABLE),
            (false, false) => None,
        }
    }
}

impl Source for Armed {
    fn serve(&self, readiness: Readiness, turn: &mut Turn<'_>) {
        let readable = readiness.readable && self.interest.readable;
        let writable = readiness.writable && self.interest.writable;
        if !readable && !writable {
            return;
        }
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            turn.tell(Event::Ready { token: self.token, readable, writable });
        }
    }
}
