//! A connected socket between the I/O thread and a Python transport.

use std::os::fd::RawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use aiobpy_reactor::{Connection, Data, Delivery, End, Event, Token};
use bytes::Bytes;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes};

use crate::buffers::{self, is_view};
use crate::errors::os_error;
use crate::fd;
use crate::handle::lock;
use crate::loop_core::LoopCore;
use crate::main_thread::{Ready, is_exit};

/// The Rust half of a stream transport.
///
/// It holds the socket's bytes in both directions; when to pause, close and tell the protocol is
/// decided by the transport in Python.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct SocketConnection {
    token: Token,
    connection: Mutex<Option<Connection>>,
    receiver: Mutex<Option<Receiver>>,
    is_plain: AtomicBool,
    event_loop: Py<LoopCore>,
}

/// Who takes the bytes.
struct Receiver {
    transport: Py<PyAny>,
    protocol: Py<PyAny>,
    is_buffered: bool,
    context: Py<PyAny>,
    state: Receiving,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Receiving {
    Running,
    /// The transport has paused; nothing has come in since.
    Paused,
    /// The transport has paused, and something waits for it.
    PausedWithMore,
}

/// The most that one `data_received` is given, in bytes: as much as asyncio reads at once.
const DELIVERED_AT_ONCE: usize = 256 << 10;

#[pymethods]
impl SocketConnection {
    /// Adopts the connected, non-blocking socket `fd`, of which it makes a copy.
    #[new]
    fn new(event_loop: &Bound<'_, LoopCore>, fd: RawFd) -> PyResult<Py<Self>> {
        let reactor = event_loop.get().reactor()?;
        let token = reactor.new_token();
        let socket = fd::copy(fd).map_err(os_error)?;
        let connection = Connection::adopt(&reactor, token, socket).map_err(os_error)?;
        let this = Self {
            token,
            connection: Mutex::new(Some(connection)),
            receiver: Mutex::new(None),
            is_plain: AtomicBool::new(true),
            event_loop: event_loop.clone().unbind(),
        };
        Py::new(event_loop.py(), this)
    }

    /// From now on `protocol` is given what comes in, in `context`. Nothing is read yet.
    fn set_receiver(
        slf: &Bound<'_, Self>,
        transport: Py<PyAny>,
        protocol: Py<PyAny>,
        is_buffered: bool,
        context: Py<PyAny>,
    ) {
        let this = slf.get();
        let mut receiver = lock(&this.receiver);
        let state = receiver.as_ref().map_or(Receiving::Running, |receiver| receiver.state);
        let replaced =
            receiver.replace(Receiver { transport, protocol, is_buffered, context, state });
        drop(receiver);
        drop(replaced);
        lock(&this.event_loop.get().connections).insert(this.token, slf.clone().unbind());
    }

    /// Starts to read ahead.
    fn start_reading(&self) {
        if let Some(connection) = &*lock(&self.connection) {
            connection.start_reading();
        }
    }

    fn pause(&self) {
        if let Some(receiver) = &mut *lock(&self.receiver)
            && receiver.state == Receiving::Running
        {
            receiver.state = Receiving::Paused;
        }
    }

    fn resume(&self) {
        let has_more = match &mut *lock(&self.receiver) {
            Some(receiver) => {
                std::mem::replace(&mut receiver.state, Receiving::Running)
                    == Receiving::PausedWithMore
            }
            None => false,
        };
        if has_more {
            self.announce();
        }
    }

    /// The transport's `write` in the plain case; in every other, that of its class.
    fn write(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = data.py();
        let Some(transport) = self.transport(py) else { return Ok(()) };
        let sent =
            if self.is_plain.load(Ordering::Relaxed) { self.send_object(data)? } else { None };
        let Some(sent) = sent else {
            let class = transport.get_type();
            return class.call_method1(intern!(py, "write"), (transport, data)).map(drop);
        };
        match sent {
            Ok(0) => Ok(()),
            Ok(_unsent) => transport.call_method0(intern!(py, "_maybe_pause_protocol")).map(drop),
            Err(error) => transport
                .call_method1(
                    intern!(py, "_fatal_error"),
                    (error.into_value(py), "Fatal write error on socket transport"),
                )
                .map(drop),
        }
    }

    /// Whether a `write` has nothing to look at but its data: the transport is neither broken nor
    /// half-closed, and no file is being sent.
    fn set_plain(&self, is_plain: bool) {
        self.is_plain.store(is_plain, Ordering::Relaxed);
    }

    /// Sends `data`, at once or later. Returns how many bytes are left for later.
    ///
    /// Raises `OSError` if the connection is broken.
    fn send(&self, data: &[u8]) -> PyResult<usize> {
        if data.is_empty() {
            return Ok(self.unsent());
        }
        self.event_loop.get().waiting.note_sent();
        match &*lock(&self.connection) {
            Some(connection) => {
                connection.write(data).map(|written| written.unsent).map_err(os_error)
            }
            None => Ok(0),
        }
    }

    /// Bytes that have not been sent.
    fn unsent(&self) -> usize {
        lock(&self.connection).as_ref().map_or(0, Connection::unsent)
    }

    /// Asks for `_maybe_resume_protocol()` of the transport when no more than `mark` bytes are
    /// unsent. Returns False if so few are unsent already.
    fn tell_below(&self, mark: usize) -> bool {
        lock(&self.connection).as_ref().is_some_and(|connection| connection.tell_below(mark))
    }

    /// Asks for `_on_flushed()` of the transport when nothing is unsent, and shuts the sending side
    /// down before that if `shut_down` says so.
    fn flush(&self, shut_down: bool) {
        if let Some(connection) = &*lock(&self.connection) {
            connection.flush(shut_down);
        }
    }

    fn discard_unsent(&self) {
        if let Some(connection) = &*lock(&self.connection) {
            connection.discard_unsent();
        }
    }

    /// Gives nothing more to the protocol.
    fn stop_receiving(&self) {
        self.pause();
    }

    /// Lets go of the socket and of everything else.
    fn close(&self) {
        let known = lock(&self.event_loop.get().connections).remove(&self.token);
        self.release();
        drop(known);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        if let Ok(receiver) = self.receiver.try_lock()
            && let Some(receiver) = &*receiver
        {
            visit.call(&receiver.transport)?;
            visit.call(&receiver.protocol)?;
            visit.call(&receiver.context)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl SocketConnection {
    pub(crate) fn release(&self) {
        let gone = (lock(&self.connection).take(), lock(&self.receiver).take());
        drop(gone);
    }

    /// Says through the door that there is something to take.
    fn announce(&self) {
        self.event_loop.get().queue.arrive(Ready::Io(Event::Received(self.token)));
    }

    /// What the transport's callbacks run with; `None` once the connection is closed.
    fn receiver<'py>(&self, py: Python<'py>) -> Option<Borrowed<'py>> {
        lock(&self.receiver).as_ref().map(|receiver| Borrowed {
            transport: receiver.transport.bind(py).clone(),
            protocol: receiver.protocol.bind(py).clone(),
            is_buffered: receiver.is_buffered,
            context: receiver.context.bind(py).clone(),
        })
    }

    /// Whether to deliver now; if paused, remembers that something waits.
    fn may_deliver(&self) -> bool {
        match &mut *lock(&self.receiver) {
            Some(Receiver { state: Receiving::Running, .. }) => true,
            Some(receiver) => {
                receiver.state = Receiving::PausedWithMore;
                false
            }
            None => false,
        }
    }

    /// `None` if `data` is not bytes-like or not in one piece.
    fn send_object(&self, data: &Bound<'_, PyAny>) -> PyResult<Option<PyResult<usize>>> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return Ok(Some(self.send(bytes.as_bytes())));
        }
        if !is_view(data) {
            return Ok(None);
        }
        let view = PyUntypedBuffer::get(data)?;
        let sent = buffers::read(&view, |bytes| self.send(bytes));
        view.release(data.py());
        Ok(sent)
    }

    fn transport<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        lock(&self.receiver).as_ref().map(|receiver| receiver.transport.bind(py).clone())
    }

    fn take(&self, buffer: &mut [u8]) -> Option<Delivery> {
        lock(&self.connection).as_ref().map(|connection| connection.take(buffer))
    }
}

/// A receiver as it was when a callback began.
struct Borrowed<'py> {
    transport: Bound<'py, PyAny>,
    protocol: Bound<'py, PyAny>,
    is_buffered: bool,
    context: Bound<'py, PyAny>,
}

pub(crate) fn run_event(
    event_loop: &Bound<'_, LoopCore>,
    token: Token,
    event: Event,
) -> PyResult<()> {
    let py = event_loop.py();
    let known = lock(&event_loop.get().connections).get(&token).map(|known| known.clone_ref(py));
    let Some(known) = known else { return Ok(()) };
    let this = known.get();
    let Some(receiver) = this.receiver(py) else { return Ok(()) };
    match event {
        Event::Received(_) if !this.may_deliver() => Ok(()),
        Event::Received(_) if receiver.is_buffered => receiver.fill_buffer(this),
        Event::Received(_) => receiver.deliver(this),
        Event::Drained(_) => receiver.run("_maybe_resume_protocol"),
        Event::Flushed(_) => receiver.run("_on_flushed"),
        Event::SendFailed(_, error) => {
            receiver.fail(os_error(error), "Fatal write error on socket transport")
        }
        Event::Accepted(_) | Event::Resolved(..) | Event::Named(..) | Event::Ready { .. } => Ok(()),
    }
}

impl Borrowed<'_> {
    fn deliver(&self, connection: &SocketConnection) -> PyResult<()> {
        let py = self.protocol.py();
        let taken = {
            let mut buffer = lock(&connection.event_loop.get().read_buffer);
            buffer.resize(DELIVERED_AT_ONCE, 0);
            connection.take(&mut buffer).map(|delivery| {
                let data = match &delivery.data {
                    Data::Pieces(pieces) if pieces.is_empty() => None,
                    Data::Pieces(pieces) => Some(join(py, pieces)),
                    Data::InBuffer(0) => None,
                    Data::InBuffer(count) => Some(Ok(PyBytes::new(py, &buffer[..*count]))),
                };
                (delivery, data)
            })
        };
        let Some((delivery, data)) = taken else { return Ok(()) };
        if let Some(data) = data {
            let count = data.as_ref().map_or(0, |data| data.as_bytes().len());
            connection.event_loop.get().waiting.note_received(count);
            let received = data.and_then(|data| {
                let received = self.protocol.getattr(intern!(py, "data_received"))?;
                self.context.call_method1(intern!(py, "run"), (received, data))
            });
            self.check(received.map(drop), "Fatal error: protocol.data_received() call failed.")?;
        }
        self.finish(connection, delivery)
    }

    fn fill_buffer(&self, connection: &SocketConnection) -> PyResult<()> {
        let py = self.protocol.py();
        let buffer = self.protocol.getattr(intern!(py, "get_buffer")).and_then(|get_buffer| {
            let buffer = self.context.call_method1(intern!(py, "run"), (get_buffer, -1))?;
            let buffer = PyUntypedBuffer::get(&buffer)?;
            if buffer.len_bytes() == 0 {
                return Err(PyRuntimeError::new_err("get_buffer() returned an empty buffer"));
            }
            Ok(buffer)
        });
        let buffer = match buffer {
            Ok(buffer) => buffer,
            Err(error) => {
                return self.check(Err(error), "Fatal error: protocol.get_buffer() call failed.");
            }
        };
        let taken = buffers::write(&buffer, |bytes| {
            let delivery = connection.take(bytes)?;
            let count = match &delivery.data {
                Data::Pieces(pieces) => copy_into(bytes, pieces),
                Data::InBuffer(count) => *count,
            };
            Some((delivery, count))
        });
        buffer.release(py);
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) => {
                return self.check(Err(error), "Fatal error: protocol.get_buffer() call failed.");
            }
        };
        let Some((delivery, count)) = taken else { return Ok(()) };
        if count > 0 {
            connection.event_loop.get().waiting.note_received(count);
            let updated =
                self.protocol.getattr(intern!(py, "buffer_updated")).and_then(|updated| {
                    self.context.call_method1(intern!(py, "run"), (updated, count))
                });
            self.check(updated.map(drop), "Fatal error: protocol.buffer_updated() call failed.")?;
        }
        self.finish(connection, delivery)
    }

    /// The end, if it has come; else the rest in another turn.
    fn finish(&self, connection: &SocketConnection, delivery: Delivery) -> PyResult<()> {
        if delivery.more {
            connection.announce();
        }
        match delivery.end {
            Some(End::Eof) => self.run("_on_eof"),
            Some(End::Failed(error)) => {
                self.fail(os_error(error), "Fatal read error on socket transport")
            }
            None => Ok(()),
        }
    }

    /// Calls a method of the transport in the connection's context.
    fn run(&self, method: &str) -> PyResult<()> {
        let py = self.transport.py();
        let method = self.transport.getattr(method)?;
        self.context.call_method1(intern!(py, "run"), (method,)).map(drop)
    }

    fn check(&self, result: PyResult<()>, message: &str) -> PyResult<()> {
        match result {
            Err(error) if !is_exit(self.transport.py(), &error) => self.fail(error, message),
            result => result,
        }
    }

    fn fail(&self, error: PyErr, message: &str) -> PyResult<()> {
        let py = self.transport.py();
        let fatal_error = self.transport.getattr("_fatal_error")?;
        self.context
            .call_method1(intern!(py, "run"), (fatal_error, error.into_value(py), message))
            .map(drop)
    }
}

/// One bytes object of all chunks, with one copy.
fn join<'py>(py: Python<'py>, chunks: &[Bytes]) -> PyResult<Bound<'py, PyBytes>> {
    if let [chunk] = chunks {
        return Ok(PyBytes::new(py, chunk));
    }
    let length = chunks.iter().map(Bytes::len).sum();
    PyBytes::new_with(py, length, |joined| {
        let mut rest = joined;
        for chunk in chunks {
            let (place, after) = rest.split_at_mut(chunk.len());
            place.copy_from_slice(chunk);
            rest = after;
        }
        Ok(())
    })
}

/// Returns how many bytes were copied: all, as no more were taken than fit.
fn copy_into(bytes: &mut [u8], pieces: &[Bytes]) -> usize {
    let mut count = 0;
    for piece in pieces {
        bytes[count..count + piece.len()].copy_from_slice(piece);
        count += piece.len();
    }
    count
}
