//! A connected socket between the I/O thread and a Python transport.

use std::sync::atomic::{AtomicBool, Ordering};

use aiobpy_reactor::{Connection, Data, Delivery, End, Event, Token};
use bytes::Bytes;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes};
use rustix::fd::RawFd;

use crate::buffers::{self, is_view};
use crate::context::run_in;
use crate::errors::os_error;
use crate::fd;
use crate::gil_cell::GilCell;
use crate::loop_core::LoopCore;
use crate::main_thread::{Ready, is_exit};
use crate::tls::{Buffers, TlsCore};

/// The Rust half of a stream transport.
///
/// It holds the socket's bytes in both directions; when to pause, close and tell the protocol is
/// decided by the transport in Python.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct SocketConnection {
    token: Token,
    connection: GilCell<Option<Connection>>,
    receiver: GilCell<Option<Receiver>>,
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
            connection: GilCell::new(Some(connection)),
            receiver: GilCell::default(),
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
        let (this, py) = (slf.get(), slf.py());
        let mut receiver = this.receiver.borrow_mut(py);
        let state = receiver.as_ref().map_or(Receiving::Running, |receiver| receiver.state);
        let replaced =
            receiver.replace(Receiver { transport, protocol, is_buffered, context, state });
        drop(receiver);
        drop(replaced);
        let connections = &this.event_loop.get().connections;
        let known = connections.borrow_mut(py).insert(this.token, slf.clone().unbind());
        drop(known);
    }

    /// Starts to read.
    fn start_reading(&self, py: Python<'_>) {
        if let Some(connection) = &*self.connection.borrow(py) {
            connection.start_reading();
        }
    }

    fn pause(&self, py: Python<'_>) {
        if let Some(receiver) = &mut *self.receiver.borrow_mut(py)
            && receiver.state == Receiving::Running
        {
            receiver.state = Receiving::Paused;
        }
    }

    fn resume(&self, py: Python<'_>) {
        let has_more = match &mut *self.receiver.borrow_mut(py) {
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
    fn send(&self, data: &Bound<'_, PyBytes>) -> PyResult<usize> {
        let lend = |start| self.event_loop.get().lend(data, start);
        self.send_or_keep(data.py(), data.as_bytes(), lend)
    }

    /// Bytes that have not been sent.
    fn unsent(&self, py: Python<'_>) -> usize {
        self.connection.borrow(py).as_ref().map_or(0, Connection::unsent)
    }

    /// Asks for `_maybe_resume_protocol()` of the transport when no more than `mark` bytes are
    /// unsent. Returns False if so few are unsent already.
    fn tell_below(&self, py: Python<'_>, mark: usize) -> bool {
        self.connection.borrow(py).as_ref().is_some_and(|connection| connection.tell_below(mark))
    }

    /// Asks for `_on_flushed()` of the transport when nothing is unsent, and shuts the sending side
    /// down before that if `shut_down` says so.
    fn flush(&self, py: Python<'_>, shut_down: bool) {
        if let Some(connection) = &*self.connection.borrow(py) {
            connection.flush(shut_down);
        }
    }

    /// Has the peer told, after the last byte, that no more will come, though the main thread may be
    /// held up. While the loop stands alone this does nothing: the socket is closed in a moment.
    fn tell_end(&self, py: Python<'_>) {
        if self.event_loop.get().waiting.is_alone() {
            return;
        }
        if let Some(connection) = &*self.connection.borrow(py) {
            connection.shut_down();
        }
    }

    fn discard_unsent(&self, py: Python<'_>) {
        if let Some(connection) = &*self.connection.borrow(py) {
            connection.discard_unsent();
        }
    }

    /// Gives nothing more to the protocol.
    fn stop_receiving(&self, py: Python<'_>) {
        self.pause(py);
    }

    /// Lets go of the socket and of everything else.
    fn close(&self, py: Python<'_>) {
        let known = self.event_loop.get().connections.borrow_mut(py).remove(&self.token);
        self.release(py);
        drop(known);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        if let Some(receiver) = self.receiver.visited(&visit)
            && let Some(receiver) = &*receiver
        {
            visit.call(&receiver.transport)?;
            visit.call(&receiver.protocol)?;
            visit.call(&receiver.context)?;
        }
        Ok(())
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        slf.get().release(slf.py());
    }
}

impl SocketConnection {
    pub(crate) fn release(&self, py: Python<'_>) {
        let connection = self.connection.borrow_mut(py).take();
        let receiver = self.receiver.borrow_mut(py).take();
        // Only now that nothing is borrowed: this may run any code.
        drop((connection, receiver));
    }

    /// Says through the door that there is something to take.
    fn announce(&self) {
        self.event_loop.get().queue.arrive(Ready::Io(Event::Received(self.token)));
    }

    /// What the transport's callbacks run with; `None` once the connection is closed.
    fn receiver<'py>(&self, py: Python<'py>) -> Option<Borrowed<'py>> {
        self.receiver.borrow(py).as_ref().map(|receiver| Borrowed {
            transport: receiver.transport.bind(py).clone(),
            protocol: receiver.protocol.bind(py).clone(),
            is_buffered: receiver.is_buffered,
            context: receiver.context.bind(py).clone(),
        })
    }

    /// Whether to deliver now; if paused, remembers that something waits.
    fn may_deliver(&self, py: Python<'_>) -> bool {
        match &mut *self.receiver.borrow_mut(py) {
            Some(Receiver { state: Receiving::Running, .. }) => true,
            Some(receiver) => {
                receiver.state = Receiving::PausedWithMore;
                false
            }
            None => false,
        }
    }

    /// Sends what the system takes at once, and leaves for later what `keep` makes of the rest.
    fn send_or_keep(
        &self,
        py: Python<'_>,
        data: &[u8],
        keep: impl FnOnce(usize) -> Bytes,
    ) -> PyResult<usize> {
        if data.is_empty() {
            return Ok(self.unsent(py));
        }
        self.event_loop.get().waiting.note_active();
        match &*self.connection.borrow(py) {
            Some(connection) => {
                connection.write(data, keep).map(|written| written.unsent).map_err(os_error)
            }
            None => Ok(0),
        }
    }

    /// `None` if `data` is not bytes-like or not in one piece.
    fn send_object(&self, data: &Bound<'_, PyAny>) -> PyResult<Option<PyResult<usize>>> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return Ok(Some(self.send(bytes)));
        }
        if !is_view(data) {
            return Ok(None);
        }
        let view = PyUntypedBuffer::get(data)?;
        let sent = buffers::read(&view, |bytes| {
            let copy = |start: usize| Bytes::copy_from_slice(&bytes[start..]);
            self.send_or_keep(data.py(), bytes, copy)
        });
        view.release(data.py());
        Ok(sent)
    }

    fn transport<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.receiver.borrow(py).as_ref().map(|receiver| receiver.transport.bind(py).clone())
    }

    fn take(&self, py: Python<'_>, buffer: &mut [u8]) -> Option<Delivery> {
        self.connection.borrow(py).as_ref().map(|connection| connection.take(buffer))
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
    let known =
        event_loop.get().connections.borrow(py).get(&token).map(|known| known.clone_ref(py));
    let Some(known) = known else { return Ok(()) };
    let this = known.get();
    let Some(receiver) = this.receiver(py) else { return Ok(()) };
    match event {
        Event::Received(_) if !this.may_deliver(py) => Ok(()),
        Event::Received(_) => receiver.receive(this),
        Event::Drained(_) => receiver.run("_maybe_resume_protocol"),
        Event::Flushed(_) => receiver.run("_on_flushed"),
        Event::SendFailed(_, error) => {
            receiver.fail(os_error(error), "Fatal write error on socket transport")
        }
        Event::Accepted(_) | Event::Resolved(..) | Event::Named(..) | Event::Ready { .. } => Ok(()),
    }
}

impl Borrowed<'_> {
    fn receive(&self, connection: &SocketConnection) -> PyResult<()> {
        if let Ok(tls) = self.protocol.cast::<TlsCore>() {
            self.feed(connection, tls)
        } else if self.is_buffered {
            self.fill_buffer(connection)
        } else {
            self.deliver(connection)
        }
    }

    fn deliver(&self, connection: &SocketConnection) -> PyResult<()> {
        let py = self.protocol.py();
        let taken = {
            let mut buffer = connection.event_loop.get().read_buffer.borrow_mut(py);
            buffer.resize(DELIVERED_AT_ONCE, 0);
            connection.take(py, &mut buffer).map(|delivery| {
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
            connection.event_loop.get().waiting.note_active();
            let received = data.and_then(|data| {
                let received = self.protocol.getattr(intern!(py, "data_received"))?;
                run_in(&self.context, &received, Some(data.as_any()))
            });
            self.check(received.map(drop), "Fatal error: protocol.data_received() call failed.")?;
        }
        self.finish(connection, delivery)
    }

    fn fill_buffer(&self, connection: &SocketConnection) -> PyResult<()> {
        let py = self.protocol.py();
        let buffer = self.protocol.getattr(intern!(py, "get_buffer")).and_then(|get_buffer| {
            let size = (-1_i32).into_pyobject(py)?.into_any();
            let buffer = run_in(&self.context, &get_buffer, Some(&size))?;
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
            let delivery = connection.take(py, bytes)?;
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
            connection.event_loop.get().waiting.note_active();
            let updated =
                self.protocol.getattr(intern!(py, "buffer_updated")).and_then(|updated| {
                    let count = count.into_pyobject(py)?.into_any();
                    run_in(&self.context, &updated, Some(&count))
                });
            self.check(updated.map(drop), "Fatal error: protocol.buffer_updated() call failed.")?;
        }
        self.finish(connection, delivery)
    }

    /// As `deliver`, to a TLS protocol: what was read just now is with OpenSSL before any Python
    /// runs, so that the room for it serves all connections.
    fn feed(&self, connection: &SocketConnection, tls: &Bound<'_, TlsCore>) -> PyResult<()> {
        let py = self.protocol.py();
        let event_loop = connection.event_loop.get();
        let (delivery, just_read, data) = Buffers::of(py, event_loop)?.receive(py, |bytes| {
            let delivery = connection.take(py, bytes);
            let count = match delivery.as_ref().map(|delivery| &delivery.data) {
                Some(Data::InBuffer(count)) => *count,
                _ => 0,
            };
            (delivery, count)
        })?;
        let Some(mut delivery) = delivery else { return Ok(()) };
        let read_ahead = match &mut delivery.data {
            Data::Pieces(pieces) => std::mem::take(pieces),
            Data::InBuffer(_) => Vec::new(),
        };
        let count = just_read + read_ahead.iter().map(Bytes::len).sum::<usize>();
        if count > 0 {
            event_loop.waiting.note_active();
            let kept = if just_read > 0 { TlsCore::keep(tls, &data) } else { Ok(()) };
            let received = kept.and_then(|()| {
                TlsCore::arrive(tls, read_ahead);
                let go_on = tls.getattr(intern!(py, "_go_on_reading"))?;
                run_in(&self.context, &go_on, None)
            });
            self.check(received.map(drop), "Fatal error: protocol.data_received() call failed.")?;
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
        let method = self.transport.getattr(method)?;
        run_in(&self.context, &method, None).map(drop)
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
