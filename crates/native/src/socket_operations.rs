//! `sock_recv` and `sock_sendall`: tried at once, and gone on with when the socket is ready.
//!
//! The system call is made on the main thread when its result can be handed over at once: one that
//! was made ahead would lose bytes when its task is cancelled.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes};
use rustix::fd::{BorrowedFd, RawFd};
use rustix::net::{RecvFlags, recv};

use crate::errors::os_error;
use crate::fd;
use crate::loop_core::LoopCore;
use crate::main_thread::is_exit;
use crate::watched_fds::{Direction, Watcher};

/// What a task waits for on a socket of its own.
pub(crate) struct Operation {
    future: Py<PyAny>,
    work: Work,
}

enum Work {
    Receive { limit: usize },
    Send { data: Py<PyBytes>, sent: AtomicUsize },
}

/// The most that one call hands over, in bytes; asyncio promises no more than it was asked for.
const RECEIVED_AT_ONCE: usize = 256 << 10;

#[pymethods]
impl LoopCore {
    /// Returns up to `limit` bytes of the non-blocking socket `fd`, or a future of them.
    ///
    /// Raises `OSError` if the connection is broken.
    fn _receive<'py>(
        slf: &Bound<'py, Self>,
        fd: RawFd,
        limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let work = Work::Receive { limit };
        Self::begin(slf, fd, Direction::Read, work)
    }

    /// Sends all of `data` to the non-blocking socket `fd`: returns None when that is done, or a
    /// future of None.
    ///
    /// Raises `OSError` if the connection is broken.
    fn _send_all<'py>(
        slf: &Bound<'py, Self>,
        fd: RawFd,
        data: Bound<'py, PyBytes>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let work = Work::Send { data: data.unbind(), sent: AtomicUsize::new(0) };
        Self::begin(slf, fd, Direction::Write, work)
    }
}

impl LoopCore {
    fn begin<'py>(
        slf: &Bound<'py, Self>,
        fd: RawFd,
        direction: Direction,
        work: Work,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        slf.get().check_open()?;
        slf.get().waiting.note_active();
        if let Some(result) = work.try_now(slf.get(), py, fd)? {
            return Ok(result);
        }
        slf.call_method1(intern!(py, "_ensure_fd_no_transport"), (fd,))?;
        let future = slf.call_method0(intern!(py, "create_future"))?;
        let operation = Operation { future: future.clone().unbind(), work };
        slf.get().watch(py, fd, direction, Watcher::Operation(Arc::new(operation)))?;
        Ok(future)
    }
}

impl Operation {
    /// Whether somebody still wants it.
    pub(crate) fn is_waiting(&self, py: Python<'_>) -> bool {
        let is_done = self.future.bind(py).call_method0(intern!(py, "done"));
        !is_done.is_ok_and(|is_done| is_done.is_truthy().unwrap_or(true))
    }

    /// Returns whether it is done.
    pub(crate) fn go_on(&self, event_loop: &Bound<'_, LoopCore>, fd: RawFd) -> PyResult<bool> {
        let py = event_loop.py();
        if !self.is_waiting(py) {
            return Ok(true);
        }
        let future = self.future.bind(py);
        match self.work.try_now(event_loop.get(), py, fd) {
            Ok(None) => return Ok(false),
            Ok(Some(result)) => future.call_method1(intern!(py, "set_result"), (result,))?,
            Err(error) if is_exit(py, &error) => return Err(error),
            Err(error) => {
                future.call_method1(intern!(py, "set_exception"), (error.into_value(py),))?
            }
        };
        Ok(true)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.future)
    }
}

impl Work {
    /// The result, if the system has it at once.
    fn try_now<'py>(
        &self,
        event_loop: &LoopCore,
        py: Python<'py>,
        fd: RawFd,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self {
            Self::Receive { limit } => {
                let mut buffer = event_loop.read_buffer.borrow_mut(py);
                buffer.resize(RECEIVED_AT_ONCE, 0);
                let room = &mut buffer[..RECEIVED_AT_ONCE.min(*limit)];
                let received = retried(fd, |fd| Ok(recv(fd, &mut *room, RecvFlags::empty())?.0));
                Ok(received?.map(|count| PyBytes::new(py, &room[..count]).into_any()))
            }
            Self::Send { data, sent } => {
                let data = data.bind(py).as_bytes();
                while sent.load(Ordering::Relaxed) < data.len() {
                    let rest = &data[sent.load(Ordering::Relaxed)..];
                    match retried(fd, |fd| aiobpy_reactor::send(fd, rest))? {
                        Some(count) => sent.fetch_add(count, Ordering::Relaxed),
                        None => return Ok(None),
                    };
                }
                Ok(Some(py.None().into_bound(py)))
            }
        }
    }
}

/// `None` if the system would have us wait.
fn retried<T>(
    fd: RawFd,
    mut action: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
) -> PyResult<Option<T>> {
    loop {
        match fd::with(fd, &mut action) {
            Ok(result) => return Ok(Some(result)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(os_error(error)),
        }
    }
}
