//! Listening sockets: connections that were accepted in Rust are handed to Python.

use std::io;
use std::net::SocketAddr;

use aiobpy_reactor::{Accepted, Event, Listener, Token};
use pyo3::prelude::*;
use pyo3::types::PyAny;
use rustix::fd::{IntoRawFd, RawFd};

use crate::errors::os_error;
use crate::fd;
use crate::handle::lock;
use crate::loop_core::LoopCore;
use crate::main_thread::{Ready, is_exit, report};

/// A listening socket and what to call with each connection.
pub(crate) struct Serving {
    listener: Listener,
    /// The socket's number in Python, by which it is stopped.
    fd: RawFd,
    /// Called with `(fd, address)` or, if accepting failed, with `(exception, None)`.
    pub(crate) accepted: Py<PyAny>,
}

/// Connections that are handed over between two looks at a tick's budget.
const AT_ONCE: usize = 8;

#[pymethods]
impl LoopCore {
    fn _start_accepting(&self, fd: RawFd, accepted: Py<PyAny>) -> PyResult<()> {
        let reactor = self.reactor()?;
        let socket = fd::copy(fd).map_err(os_error)?;
        let token = reactor.new_token();
        let listener = Listener::start(&reactor, token, socket).map_err(os_error)?;
        lock(&self.servings).insert(token, Serving { listener, fd, accepted });
        Ok(())
    }

    /// Accepts again after an error.
    fn _go_on_accepting(&self, fd: RawFd) {
        for serving in lock(&self.servings).values().filter(|serving| serving.fd == fd) {
            serving.listener.go_on();
        }
    }

    fn _stop_accepting(&self, fd: RawFd) {
        let mut servings = lock(&self.servings);
        let stopped: Vec<_> = servings.extract_if(|_, serving| serving.fd == fd).collect();
        drop(servings);
        drop(stopped);
    }
}

pub(crate) fn run_accepted(event_loop: &Bound<'_, LoopCore>, token: Token) -> PyResult<()> {
    let py = event_loop.py();
    let (burst, accepted) = match lock(&event_loop.get().servings).get(&token) {
        Some(serving) => (serving.listener.take(AT_ONCE), serving.accepted.clone_ref(py)),
        None => return Ok(()),
    };
    if burst.more {
        event_loop.get().queue.arrive(Ready::Io(Event::Accepted(token)));
    }
    for result in burst.results {
        match hand_over(accepted.bind(py), result) {
            Err(error) if !is_exit(py, &error) => {
                report(event_loop, "could not hand over an accepted connection", error, &[])?;
            }
            done => done?,
        }
    }
    Ok(())
}

fn hand_over(accepted: &Bound<'_, PyAny>, result: io::Result<Accepted>) -> PyResult<()> {
    let py = accepted.py();
    match result {
        Ok(Accepted { socket, peer }) => {
            let address = address_of(py, peer)?;
            accepted.call1((socket.into_raw_fd(), address))?;
        }
        Err(error) => {
            accepted.call1((os_error(error).into_value(py), py.None()))?;
        }
    }
    Ok(())
}

/// As `socket.accept()` gives it.
fn address_of(py: Python<'_>, peer: Option<SocketAddr>) -> PyResult<Bound<'_, PyAny>> {
    match peer {
        Some(address) => crate::look_ups::socket_address(py, address),
        None => Ok("".into_pyobject(py)?.into_any()),
    }
}
