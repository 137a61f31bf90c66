//! The data path of TLS over `ssl.MemoryBIO`.
//!
//! `aiobpy.tls.TlsProtocol` inherits from this class and from asyncio's own protocol: what runs once
//! per record or per write is here; the handshake, the time-outs and the goodbye are asyncio's
//! Python. OpenSSL is reached through Python's `SSLObject` alone, so that every setting of an
//! `ssl.SSLContext` holds.
//!
//! The way in, for a guest: what the I/O thread has read is copied into `_incoming` in pieces that
//! the processor's cache holds, and decrypted into the very bytes object that the application is
//! given. The way out: as much at once as one `write` of OpenSSL turns into records.

mod reading;
mod windows;
mod writing;

use bytes::Bytes;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyAny, PyByteArray, PyBytes, PyDict, PyMemoryView, PySlice, PyTuple};

use crate::buffers;
use crate::call::call_method;
use crate::loop_core::LoopCore;

/// The Rust half of a TLS protocol.
///
/// What asyncio's half sets under these names is kept here. A borrow of it never lasts while Python
/// runs, as that may set any of them.
#[pyclass(subclass, module = "aiobpy._native")]
#[expect(clippy::struct_excessive_bools, reason = "they are asyncio's, set one by one")]
pub(crate) struct TlsCore {
    incoming: Py<PyAny>,
    outgoing: Py<PyAny>,
    ssl_object: Py<PyAny>,
    /// What to call `read` and `write` of: what is within `ssl_object`, if that only passes them on.
    engine: Py<PyAny>,
    state: Py<PyAny>,
    transport: Py<PyAny>,
    app_protocol: Py<PyAny>,
    event_loop: Py<PyAny>,
    /// Plain text that could not be encrypted yet: a `deque` of bytes-like objects.
    backlog: Py<PyAny>,
    #[pyo3(get, set, name = "_write_buffer_size")]
    backlog_size: usize,
    #[pyo3(get, set, name = "_app_protocol_is_buffer")]
    is_buffered: bool,
    #[pyo3(get, set, name = "_app_reading_paused")]
    is_app_reading_paused: bool,
    #[pyo3(get, set, name = "_app_writing_paused")]
    is_app_writing_paused: bool,
    #[pyo3(get, set, name = "_ssl_reading_paused")]
    is_reading_paused: bool,
    #[pyo3(get, set, name = "_ssl_writing_paused")]
    is_writing_paused: bool,
    #[pyo3(get, set, name = "_incoming_high_water")]
    incoming_high: usize,
    #[pyo3(get, set, name = "_incoming_low_water")]
    incoming_low: usize,
    #[pyo3(get, set, name = "_outgoing_high_water")]
    outgoing_high: usize,
    #[pyo3(get, set, name = "_outgoing_low_water")]
    outgoing_low: usize,
    /// OpenSSL may hold what it has decrypted, or a part of a record.
    has_openssl_more: bool,
    /// Encrypted bytes that `_incoming` is still to be given.
    arrived: Vec<Bytes>,
    /// `_go_on_writing` is among the loop's callbacks.
    is_to_go_on_writing: bool,
}

/// The most that a TLS record holds, in bytes: what one `SSLObject.read` or `write` moves.
const RECORD: usize = 16 << 10;
/// The most that it takes when it is encrypted.
const WHOLE_RECORD: usize = RECORD + 256 + 5;
/// The most that a transport delivers at once, in bytes.
const RECEIVED_AT_ONCE: usize = 256 << 10;
/// Once so many bytes are decrypted, the rest waits for another turn: a delivery must not stop a
/// frame. As much as one delivery of the transport completes.
const DELIVERED_AT_ONCE: usize = RECEIVED_AT_ONCE + RECORD;
/// Up to so many bytes, a copy costs less than what avoids it.
const FEW: usize = WHOLE_RECORD;

/// Room for what comes in, which all TLS connections of one loop share, as nothing stays there.
pub(crate) struct Buffers {
    encrypted: Py<PyMemoryView>,
    /// The same, for Rust.
    encrypted_bytes: PyUntypedBuffer,
}

impl Buffers {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let bytes = PyByteArray::new_with(py, RECEIVED_AT_ONCE, |_zeroes| Ok(()))?;
        let encrypted = PyMemoryView::from(&bytes)?;
        Ok(Self {
            encrypted_bytes: PyUntypedBuffer::get(&encrypted)?,
            encrypted: encrypted.unbind(),
        })
    }

    pub(crate) fn of<'a>(py: Python<'_>, event_loop: &'a LoopCore) -> PyResult<&'a Self> {
        event_loop.tls_buffers.get_or_try_init(py, || Self::new(py))
    }

    /// Lends the room for encrypted bytes to `receive`, which says how many it has put there, and
    /// returns them for `data_received`: a few as bytes, many without a copy.
    pub(crate) fn receive<'py, T>(
        &self,
        py: Python<'py>,
        receive: impl FnOnce(&mut [u8]) -> (T, usize),
    ) -> PyResult<(T, usize, Bound<'py, PyAny>)> {
        let (result, count, few) = buffers::write(&self.encrypted_bytes, |bytes| {
            let (result, count) = receive(bytes);
            (result, count, (count <= FEW).then(|| PyBytes::new(py, &bytes[..count])))
        })?;
        let data = match few {
            Some(bytes) => bytes.into_any(),
            None => part(self.encrypted.bind(py), 0, count)?,
        };
        Ok((result, count, data))
    }
}

#[pymethods]
impl TlsCore {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(
        py: Python<'_>,
        _arguments: &Bound<'_, PyTuple>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> Self {
        Self {
            incoming: py.None(),
            outgoing: py.None(),
            ssl_object: py.None(),
            engine: py.None(),
            state: py.None(),
            transport: py.None(),
            app_protocol: py.None(),
            event_loop: py.None(),
            backlog: py.None(),
            backlog_size: 0,
            is_buffered: false,
            is_app_reading_paused: false,
            is_app_writing_paused: false,
            is_reading_paused: false,
            is_writing_paused: false,
            incoming_high: 0,
            incoming_low: 0,
            outgoing_high: 0,
            outgoing_low: 0,
            has_openssl_more: true,
            arrived: Vec::new(),
            is_to_go_on_writing: false,
        }
    }

    #[getter(_sslobj)]
    fn ssl_object(&self, py: Python<'_>) -> Py<PyAny> {
        self.ssl_object.clone_ref(py)
    }

    #[setter(_sslobj)]
    fn set_ssl_object(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let engine = engine_of(value)?.unbind();
        let mut this = slf.borrow_mut();
        let before = (
            std::mem::replace(&mut this.ssl_object, value.clone().unbind()),
            std::mem::replace(&mut this.engine, engine),
        );
        drop(this);
        drop(before);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.objects().into_iter().try_for_each(|object| visit.call(object))
    }
}

/// Attributes for Python. What was there before is let go after the borrow, as that may run any code.
macro_rules! attributes {
    ($($name:ident: $field:ident, $setter:ident;)*) => {$(
        #[pymethods]
        impl TlsCore {
            #[getter($name)]
            fn $field(&self, py: Python<'_>) -> Py<PyAny> {
                self.$field.clone_ref(py)
            }

            #[setter($name)]
            fn $setter(slf: &Bound<'_, Self>, value: Py<PyAny>) {
                let before = std::mem::replace(&mut slf.borrow_mut().$field, value);
                drop(before);
            }
        }
    )*};
}

attributes! {
    _incoming: incoming, set_incoming;
    _outgoing: outgoing, set_outgoing;
    _state: state, set_state;
    _transport: transport, set_transport;
    _app_protocol: app_protocol, set_app_protocol;
    _loop: event_loop, set_event_loop;
    _write_backlog: backlog, set_backlog;
}

impl TlsCore {
    fn objects(&self) -> [&Py<PyAny>; 9] {
        [
            &self.incoming,
            &self.outgoing,
            &self.ssl_object,
            &self.engine,
            &self.state,
            &self.transport,
            &self.app_protocol,
            &self.event_loop,
            &self.backlog,
        ]
    }

    /// One of the objects that are kept here, with a reference of its own.
    fn get<'py>(slf: &Bound<'py, Self>, which: fn(&Self) -> &Py<PyAny>) -> Bound<'py, PyAny> {
        which(&slf.borrow()).bind(slf.py()).clone()
    }

    /// Room for encrypted bytes.
    fn buffer<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = Self::get(slf, |this| &this.event_loop).cast_into::<LoopCore>()?;
        Ok(Buffers::of(slf.py(), event_loop.get())?.encrypted.bind(slf.py()).as_any().clone())
    }

    fn is_in(slf: &Bound<'_, Self>, states: &[Stage]) -> PyResult<bool> {
        let names = Names::of(slf.py())?;
        let state = &slf.borrow().state;
        Ok(states.iter().any(|stage| names.stages[*stage as usize].is(state)))
    }

    /// What one `call_soon` of the loop takes.
    fn call_soon(slf: &Bound<'_, Self>, method: &Bound<'_, PyAny>) -> PyResult<()> {
        let event_loop = Self::get(slf, |this| &this.event_loop);
        call_method(&event_loop, intern!(slf.py(), "call_soon"), [method]).map(drop)
    }

    /// Closes the connection for an `Exception`; passes on what ends the loop.
    fn check(slf: &Bound<'_, Self>, result: PyResult<()>) -> PyResult<()> {
        match result {
            Err(error) if error.is_instance_of::<PyException>(slf.py()) => {
                let error = error.into_value(slf.py());
                let message = "Fatal error on SSL protocol";
                slf.call_method1(intern!(slf.py(), "_fatal_error"), (error, message)).map(drop)
            }
            result => result,
        }
    }
}

/// The stages of a connection that the data path tells apart: `SSLProtocolState`.
#[derive(Clone, Copy)]
enum Stage {
    Handshake,
    Wrapped,
    Flushing,
    Shutdown,
}

/// What is looked up once in a process.
struct Names {
    /// In the order of [`Stage`].
    stages: [Py<PyAny>; 4],
    /// `ssl.SSLObject`.
    ssl_object: Py<PyAny>,
    /// The exceptions that mean: later.
    again: Py<PyAny>,
    /// `SSLProtocol._write_appdata`.
    refuse_write: Py<PyAny>,
}

impl Names {
    fn of(py: Python<'_>) -> PyResult<&Self> {
        static NAMES: PyOnceLock<Names> = PyOnceLock::new();
        NAMES.get_or_try_init(py, || {
            let module = py.import("asyncio.sslproto")?;
            let states = module.getattr("SSLProtocolState")?;
            let stage = |name| states.getattr(name).map(Bound::unbind);
            Ok(Self {
                stages: [
                    stage("DO_HANDSHAKE")?,
                    stage("WRAPPED")?,
                    stage("FLUSHING")?,
                    stage("SHUTDOWN")?,
                ],
                ssl_object: py.import("ssl")?.getattr("SSLObject")?.unbind(),
                again: module.getattr("SSLAgainErrors")?.unbind(),
                refuse_write: module.getattr("SSLProtocol")?.getattr("_write_appdata")?.unbind(),
            })
        })
    }
}

/// `SSLObject.read` and `write` only pass on what they are given: a Python frame for each record.
/// Another class may do more.
fn engine_of<'py>(ssl_object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = ssl_object.py();
    if !ssl_object.get_type().is(&Names::of(py)?.ssl_object) {
        return Ok(ssl_object.clone());
    }
    Ok(ssl_object.getattr_opt(intern!(py, "_sslobj"))?.unwrap_or_else(|| ssl_object.clone()))
}

/// `None` if OpenSSL has to wait for the other side.
fn unless_again<'py>(
    py: Python<'py>,
    result: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.matches(py, &Names::of(py)?.again)? => Ok(None),
        Err(error) => Err(error),
    }
}

/// A part of bytes, without a copy.
fn part<'py>(data: &Bound<'py, PyAny>, from: usize, to: usize) -> PyResult<Bound<'py, PyAny>> {
    if from == 0 && to == data.len()? {
        return Ok(data.clone());
    }
    let slice = PySlice::new(data.py(), from.try_into()?, to.try_into()?, 1);
    match data.cast::<PyMemoryView>() {
        Ok(view) => view.get_item(slice),
        Err(_) => PyMemoryView::from(data)?.get_item(slice),
    }
}

fn pending(bio: &Bound<'_, PyAny>) -> PyResult<usize> {
    bio.getattr(intern!(bio.py(), "pending"))?.extract()
}
