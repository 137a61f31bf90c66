//! Foreign file descriptors that a library watches (`add_reader`, `add_writer`): level-triggered.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use tokio::io::Interest as Watch;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use crate::io_thread::{Door, Event, Reactor, Token};
use crate::watched::watch;

/// An epoll instance of our own, which the I/O thread watches as one descriptor.
///
/// Each descriptor is reported once ([`Event::Ready`]) and then left alone until the main thread,
/// after its callback, watches it again. Watching again looks at the present state, so neither a
/// half-read buffer nor an edge that came in between is lost, and a callback that does not read
/// cannot flood the queue.
#[derive(Debug)]
pub struct Readiness {
    epoll: Arc<AsyncFd<OwnedFd>>,
    task: AbortHandle,
}

/// What to watch a descriptor for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    pub readable: bool,
    pub writable: bool,
}

impl Readiness {
    /// # Errors
    /// The system's, if no epoll instance can be had.
    pub fn start(reactor: &Reactor) -> io::Result<Self> {
        let _runtime = reactor.handle.enter();
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let epoll = Arc::new(watch(epoll, Watch::READABLE)?);
        let task = reactor.handle.spawn(report(Arc::clone(&epoll), Arc::clone(&reactor.door)));
        Ok(Self { epoll, task: task.abort_handle() })
    }

    /// Watches `fd` until it is ready once, in place of what it was watched for before.
    ///
    /// # Errors
    /// The system's: `EPERM` for a regular file, which is always ready.
    pub fn watch(&self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let mut flags = EventFlags::ONESHOT;
        flags.set(EventFlags::IN, interest.readable);
        flags.set(EventFlags::OUT, interest.writable);
        let data = EventData::new_u64(token.0);
        match epoll::modify(self.epoll.get_ref(), fd, data, flags) {
            Err(Errno::NOENT) => Ok(epoll::add(self.epoll.get_ref(), fd, data, flags)?),
            result => Ok(result?),
        }
    }

    /// Stops watching `fd`. One that was closed before is gone by itself.
    pub fn forget(&self, fd: BorrowedFd<'_>) {
        let _done_or_closed = epoll::delete(self.epoll.get_ref(), fd);
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn report(epoll: Arc<AsyncFd<OwnedFd>>, door: Door) {
    loop {
        let Ok(mut guard) = epoll.readable().await else { return };
        match ready_now(epoll.get_ref()) {
            Ok(events) if events.is_empty() => guard.clear_ready(),
            Ok(events) => events.into_iter().for_each(|event| door(event)),
            Err(error) => return tracing::error!(%error, "could not watch file descriptors"),
        }
    }
}

fn ready_now(epoll: &OwnedFd) -> io::Result<Vec<Event>> {
    const AT_ONCE: usize = 256;
    let mut events = Vec::with_capacity(AT_ONCE);
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match epoll::wait(epoll, spare_capacity(&mut events), Some(&at_once)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(events.into_iter().map(to_event).collect())
}

/// An error or a hang-up is told to both sides, as selectors do.
fn to_event(event: epoll::Event) -> Event {
    let flags = event.flags;
    let is_broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
    Event::Ready {
        token: Token(event.data.u64()),
        readable: flags.contains(EventFlags::IN) || is_broken,
        writable: flags.contains(EventFlags::OUT) || is_broken,
    }
}
