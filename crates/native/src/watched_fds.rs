//! `add_reader` and `add_writer`: descriptors that a library reads and writes itself.

use std::collections::HashMap;
use std::os::fd::RawFd;

use aiobpy_reactor::{Interest, Reactor, Token, Watch};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::errors::os_error;
use crate::fd;
use crate::handle::{Handle, lock};
use crate::loop_core::LoopCore;
use crate::main_thread::run_handle;

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
    reader: Option<Py<Handle>>,
    writer: Option<Py<Handle>>,
}

/// The direction of a watch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

#[pymethods]
impl LoopCore {
    fn _watch_reader(&self, py: Python<'_>, fd: RawFd, handle: Bound<'_, Handle>) -> PyResult<()> {
        self.watch(py, fd, Direction::Read, handle)
    }

    fn _watch_writer(&self, py: Python<'_>, fd: RawFd, handle: Bound<'_, Handle>) -> PyResult<()> {
        self.watch(py, fd, Direction::Write, handle)
    }

    /// Returns whether there was a reader.
    fn _unwatch_reader(&self, fd: RawFd) -> PyResult<bool> {
        self.unwatch(fd, Direction::Read)
    }

    /// Returns whether there was a writer.
    fn _unwatch_writer(&self, fd: RawFd) -> PyResult<bool> {
        self.unwatch(fd, Direction::Write)
    }
}

impl LoopCore {
    fn watch(
        &self,
        py: Python<'_>,
        fd: RawFd,
        direction: Direction,
        handle: Bound<'_, Handle>,
    ) -> PyResult<()> {
        let reactor = self.reactor()?;
        let mut watched_fds = lock(&self.watched_fds);
        let is_new = !watched_fds.by_fd.contains_key(&fd);
        let watched = watched_fds.by_fd.entry(fd).or_insert_with(|| WatchedFd::new(&reactor));
        let replaced = watched.side(direction).replace(handle.unbind());
        let armed = watched_fds.arm(fd, reactor.new_token());
        if armed.is_err() && is_new {
            let gone = watched_fds.by_fd.remove(&fd);
            drop(watched_fds);
            drop(gone);
            return armed;
        }
        drop(watched_fds);
        if let Some(replaced) = replaced {
            replaced.bind(py).get().cancel_now();
        }
        armed
    }

    fn unwatch(&self, fd: RawFd, direction: Direction) -> PyResult<bool> {
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
        let was_watched = removed.is_some();
        if let Some(removed) = removed {
            removed.get().cancel_now();
        }
        Ok(was_watched)
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
    let (fd, reader, writer) = {
        let mut watched_fds = lock(&this.watched_fds);
        let Some(fd) = watched_fds.by_token.remove(&token) else { return Ok(()) };
        let Some(watched) = watched_fds.by_fd.get(&fd) else { return Ok(()) };
        let reader =
            watched.reader.as_ref().filter(|_| readable).map(|handle| handle.clone_ref(py));
        let writer =
            watched.writer.as_ref().filter(|_| writable).map(|handle| handle.clone_ref(py));
        (fd, reader, writer)
    };
    let mut result = Ok(());
    for handle in [reader, writer].into_iter().flatten() {
        result = result.and_then(|()| run_handle(event_loop, handle.bind(py)));
    }
    // Watched again only after the callback has read: until then it would be ready all the time.
    this.rearm(fd, token)?;
    result
}

impl LoopCore {
    fn rearm(&self, fd: RawFd, token: Token) -> PyResult<()> {
        let mut watched_fds = lock(&self.watched_fds);
        match watched_fds.by_fd.get(&fd) {
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
            visit.call(&watched.reader)?;
            visit.call(&watched.writer)?;
        }
        Ok(())
    }
}

impl WatchedFd {
    fn new(reactor: &Reactor) -> Self {
        Self { watch: Watch::new(reactor), token: None, reader: None, writer: None }
    }

    fn side(&mut self, direction: Direction) -> &mut Option<Py<Handle>> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    fn interest(&self) -> Interest {
        Interest { readable: self.reader.is_some(), writable: self.writer.is_some() }
    }
}
