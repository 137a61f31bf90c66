//! Descriptors under watch: for a library that reads and writes itself (`add_reader`, `add_writer`), or
//! for one operation on a socket (`sock_recv`, `sock_sendall`).

use std::collections::HashMap;
use std::sync::Arc;

use aiobpy_reactor::{Interest, Reactor, Token, Watch};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use rustix::fd::RawFd;

use crate::errors::os_error;
use crate::fd;
use crate::handle::{Handle, lock};
use crate::loop_core::LoopCore;
use crate::main_thread::run_handle;
use crate::socket_operations::Operation;

/// The descriptors under watch, with a callback for each direction.
#[derive(Default)]
pub(crate) struct WatchedFds {
    by_fd: HashMap<RawFd, WatchedFd>,
    /// The descriptor that each token was armed for. A new token at each arming, so that a report
    /// that is on its way when the watch changes is known to be stale.
    by_token: HashMap<Token, RawFd>,
}

struct WatchedFd {
    watch: Watch,
    token: Option<Token>,
    reader: Option<Watcher>,
    writer: Option<Watcher>,
}

/// Who waits for a descriptor.
pub(crate) enum Watcher {
    Callback(Py<Handle>),
    Operation(Arc<Operation>),
}

/// The direction of a watch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

#[pymethods]
impl LoopCore {
    fn _watch_reader(&self, py: Python<'_>, fd: RawFd, handle: Bound<'_, Handle>) -> PyResult<()> {
        self.watch(py, fd, Direction::Read, Watcher::Callback(handle.unbind()))
    }

    fn _watch_writer(&self, py: Python<'_>, fd: RawFd, handle: Bound<'_, Handle>) -> PyResult<()> {
        self.watch(py, fd, Direction::Write, Watcher::Callback(handle.unbind()))
    }

    /// Returns whether there was a reader.
    fn _unwatch_reader(&self, py: Python<'_>, fd: RawFd) -> PyResult<bool> {
        self.unwatch(py, fd, Direction::Read)
    }

    /// Returns whether there was a writer.
    fn _unwatch_writer(&self, py: Python<'_>, fd: RawFd) -> PyResult<bool> {
        self.unwatch(py, fd, Direction::Write)
    }
}

impl LoopCore {
    pub(crate) fn watch(
        &self,
        py: Python<'_>,
        fd: RawFd,
        direction: Direction,
        watcher: Watcher,
    ) -> PyResult<()> {
        let reactor = self.reactor()?;
        let mut watched_fds = lock(&self.watched_fds);
        let is_new = !watched_fds.by_fd.contains_key(&fd);
        let entry = watched_fds.by_fd.entry(fd).or_insert_with(|| WatchedFd::new(&reactor));
        let replaced = entry.side(direction).replace(watcher);
        let armed = watched_fds.arm(fd, reactor.new_token());
        let gone = if armed.is_err() && is_new { watched_fds.by_fd.remove(&fd) } else { None };
        drop(watched_fds);
        drop(gone);
        if let Some(replaced) = replaced {
            replaced.cancel(py)?;
        }
        armed
    }

    fn unwatch(&self, py: Python<'_>, fd: RawFd, direction: Direction) -> PyResult<bool> {
        let mut watched_fds = lock(&self.watched_fds);
        let Some(watched) = watched_fds.by_fd.get_mut(&fd) else { return Ok(false) };
        let removed = watched.side(direction).take();
        if removed.is_some() {
            if watched.interest() == Interest::default() {
                watched_fds.forget(fd);
            } else {
                let token = self.reactor()?.new_token();
                watched_fds.arm(fd, token)?;
            }
        }
        drop(watched_fds);
        let Some(removed) = removed else { return Ok(false) };
        let was_waiting = removed.is_waiting(py);
        removed.cancel(py)?;
        Ok(was_waiting)
    }
}

pub(crate) fn run_ready(
    event_loop: &Bound<'_, LoopCore>,
    token: Token,
    readable: bool,
    writable: bool,
) -> PyResult<()> {
    let py = event_loop.py();
    let this = event_loop.get();
    this.waiting.note_active();
    let (fd, reader, writer) = {
        let mut watched_fds = lock(&this.watched_fds);
        let Some(fd) = watched_fds.by_token.remove(&token) else { return Ok(()) };
        let Some(watched) = watched_fds.by_fd.get_mut(&fd) else { return Ok(()) };
        let reader = if readable { Watcher::due(&mut watched.reader, py) } else { None };
        let writer = if writable { Watcher::due(&mut watched.writer, py) } else { None };
        (fd, reader, writer)
    };
    let mut result = Ok(());
    for (direction, watcher) in [(Direction::Read, reader), (Direction::Write, writer)] {
        result = result.and_then(|()| match watcher {
            Some(Watcher::Callback(handle)) => run_handle(event_loop, handle.bind(py)),
            Some(Watcher::Operation(operation)) => operation.go_on(event_loop, fd).map(|is_done| {
                if !is_done {
                    this.put_back(fd, direction, operation);
                }
            }),
            None => Ok(()),
        });
    }
    // Watched again only after the callback has read: until then it would be ready all the time.
    this.rearm(fd, token)?;
    result
}

impl LoopCore {
    /// An operation that could not be finished waits on, unless somebody else waits by now.
    fn put_back(&self, fd: RawFd, direction: Direction, operation: Arc<Operation>) {
        if let Some(watched) = lock(&self.watched_fds).by_fd.get_mut(&fd) {
            watched.side(direction).get_or_insert(Watcher::Operation(operation));
        }
    }

    fn rearm(&self, fd: RawFd, token: Token) -> PyResult<()> {
        let mut watched_fds = lock(&self.watched_fds);
        match watched_fds.by_fd.get(&fd) {
            // An operation is done: the next one will arm it, or nobody.
            Some(watched) if watched.interest() == Interest::default() => Ok(()),
            // The callback has not armed it anew itself.
            Some(watched) if watched.token == Some(token) => {
                let armed = watched_fds.arm(fd, self.reactor()?.new_token());
                // One that was closed with its watch left behind: as silent as a selector is.
                if armed.is_err() {
                    watched_fds.by_token.retain(|_, watched| *watched != fd);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl WatchedFds {
    fn arm(&mut self, fd: RawFd, token: Token) -> PyResult<()> {
        let Some(watched) = self.by_fd.get_mut(&fd) else { return Ok(()) };
        if let Some(stale) = watched.token.replace(token) {
            self.by_token.remove(&stale);
        }
        self.by_token.insert(token, fd);
        let interest = watched.interest();
        fd::with(fd, |fd| watched.watch.arm(fd, token, interest)).map_err(os_error)
    }

    fn forget(&mut self, fd: RawFd) {
        let Some(mut watched) = self.by_fd.remove(&fd) else { return };
        if let Some(token) = watched.token {
            self.by_token.remove(&token);
        }
        let _closed_before = fd::with(fd, |fd| {
            watched.watch.forget(fd);
            Ok(())
        });
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for watched in self.by_fd.values() {
            for watcher in [&watched.reader, &watched.writer].into_iter().flatten() {
                watcher.traverse(visit)?;
            }
        }
        Ok(())
    }
}

impl Watcher {
    /// Who is to be told now: a callback stays, an operation is taken out.
    fn due(watcher: &mut Option<Self>, py: Python<'_>) -> Option<Self> {
        match watcher {
            Some(Self::Callback(handle)) => Some(Self::Callback(handle.clone_ref(py))),
            _ => watcher.take(),
        }
    }

    fn is_waiting(&self, py: Python<'_>) -> bool {
        match self {
            Self::Callback(_) => true,
            Self::Operation(operation) => operation.is_waiting(py),
        }
    }

    fn cancel(self, py: Python<'_>) -> PyResult<()> {
        if let Self::Callback(handle) = self {
            Handle::cancel_now(handle.bind(py))?;
        }
        Ok(())
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Callback(handle) => visit.call(handle),
            Self::Operation(operation) => operation.traverse(visit),
        }
    }
}

impl WatchedFd {
    fn new(reactor: &Reactor) -> Self {
        Self { watch: Watch::new(reactor), token: None, reader: None, writer: None }
    }

    fn side(&mut self, direction: Direction) -> &mut Option<Watcher> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    fn interest(&self) -> Interest {
        Interest { readable: self.reader.is_some(), writable: self.writer.is_some() }
    }
}
