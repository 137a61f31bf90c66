//! Requests that sites answer in Python: `_native.Exchange`, which is ASGI's scope, receive and send.

mod length;
mod messages;
mod scope;
mod upload;

use std::borrow::Cow;
use std::path::PathBuf;

use aiobpy_server::{ReceivedBody, Sent, Start, Trace};
use aiobpy_wire::Scope;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pyo3::exceptions::{PyConnectionError, PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyAny, PyBytes, PyDict, PyList, PyString};

use self::length::{Length, final_status};
pub(crate) use self::upload::UploadedFile;
use crate::gil_cell::GilCell;
use crate::loop_core::LoopCore;
use crate::main_thread::{is_exit, report};
use crate::outcome::Outcome;

/// Names with texts.
type Fields = Vec<(String, String)>;

/// A request of a client, and where its answer goes.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct Exchange {
    end: aiobpy_server::Exchange,
    event_loop: Py<LoopCore>,
    state: GilCell<State>,
}

/// How far the answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Awaited,
    Begun,
    /// Trailers may follow.
    BodyComplete,
    Complete,
}

#[derive(Default)]
struct State {
    /// Futures of those who wait to receive, and to send on.
    receiving: Option<Py<PyAny>>,
    sending: Option<Py<PyAny>>,
    /// Called when the client goes.
    gone: Option<Py<PyAny>>,
    /// Whether a WebSocket's `connect` was received.
    is_connected: bool,
    /// Kept until there is a body, so that a handler that fails can still answer with a 500.
    start: Option<Start>,
    phase: Phase,
    length: Length,
    /// Whether trailers follow the body, and those that have been sent.
    has_trailers: bool,
    trailers: HeaderMap,
}

#[pymethods]
impl Exchange {
    /// The number of the handler that is to answer.
    #[getter]
    fn handler(&self) -> u64 {
        self.end.head.handler
    }

    #[getter]
    fn is_websocket(&self) -> bool {
        self.end.head.is_websocket
    }

    #[getter]
    fn method(&self) -> &str {
        self.end.head.method.as_str()
    }

    /// As it was sent, without the query.
    #[getter]
    fn path(&self) -> &str {
        self.end.head.uri.path()
    }

    #[getter]
    fn query(&self) -> &str {
        self.end.head.uri.query().unwrap_or_default()
    }

    /// Where the site begins, as in `/a/my_addon`.
    #[getter]
    fn prefix(&self) -> &str {
        &self.end.head.prefix
    }

    /// What stood in the places of the route's pattern.
    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parameters = PyDict::new(py);
        for (name, value) in &self.end.head.parameters {
            parameters.set_item(name, value)?;
        }
        Ok(parameters)
    }

    /// The values of a header, joined with commas; `None` if there is none.
    fn header(&self, name: &str) -> Option<String> {
        let values = self.end.head.headers.get_all(name);
        let values: Vec<Cow<'_, str>> =
            values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body, where the route has it read before its handler is asked; `None` if there is none.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.end.head.body {
            ReceivedBody::Whole(bytes) => Some(PyBytes::new(py, bytes)),
            ReceivedBody::Streamed | ReceivedBody::Absent | ReceivedBody::Form(_) => None,
        }
    }

    /// The fields and the files of a form, as names with texts and with files; `None` if the route
    /// takes none.
    #[getter]
    fn form<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<(Fields, Bound<'py, PyList>)>> {
        let ReceivedBody::Form(form) = &slf.get().end.head.body else { return Ok(None) };
        let uploads = PyList::empty(slf.py());
        for index in 0..form.uploads.len() {
            uploads.append(Bound::new(slf.py(), UploadedFile::new(slf, index))?)?;
        }
        Ok(Some((form.fields.clone(), uploads)))
    }

    /// Whether there is no body to be received.
    #[getter]
    fn has_no_stream(&self) -> bool {
        !matches!(self.end.head.body, ReceivedBody::Streamed)
    }

    /// Who asks, as the user knows it.
    #[getter]
    fn principal(&self) -> &str {
        &self.end.head.principal.name
    }

    /// Whether whoever asks has a scope.
    ///
    /// Raises `ValueError` if there is no such scope.
    fn may(&self, scope: &str) -> PyResult<bool> {
        let scope: Scope = serde_json::from_value(scope.into())
            .map_err(|_| PyValueError::new_err(format!("{scope:?} is no scope")))?;
        Ok(self.end.head.principal.has(scope))
    }

    /// By what the request is found again in logs.
    #[getter]
    fn request_id(&self) -> Option<&str> {
        self.end.head.trace.as_ref().map(|trace| &*trace.request_id)
    }

    /// The value of a W3C `traceparent` header for what is done in the name of the request.
    #[getter]
    fn trace(&self) -> Option<String> {
        self.end.head.trace.as_ref().map(Trace::parent)
    }

    /// Whether the client has gone, or the answer is complete.
    #[getter]
    fn is_gone(&self) -> bool {
        self.end.is_gone()
    }

    #[getter]
    fn has_started(&self, py: Python<'_>) -> bool {
        self.state.borrow(py).phase >= Phase::Begun
    }

    #[getter]
    fn is_complete(&self, py: Python<'_>) -> bool {
        self.state.borrow(py).phase == Phase::Complete
    }

    /// Calls `function()` when the client goes before the answer is complete; only the last one
    /// given.
    fn on_gone(slf: &Bound<'_, Self>, function: Py<PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.end.watch_client();
        if this.end.is_gone() {
            return function.call0(py).map(drop);
        }
        let before = this.state.borrow_mut(py).gone.replace(function);
        drop(before);
        let mut waiting = this.event_loop.get().exchanges.borrow_mut(py);
        waiting.insert(this.end.id(), slf.clone().unbind());
        Ok(())
    }

    /// Ends it: an answer that is not complete is cut short.
    fn end(&self, py: Python<'_>) {
        let mut waiting = self.event_loop.get().exchanges.borrow_mut(py);
        // Most requests have never waited for anything.
        let waited = if waiting.is_empty() { None } else { waiting.remove(&self.end.id()) };
        // Not before the table is free: what it lets go of may run any code.
        drop(waiting);
        drop(waited);
        self.end.end();
    }

    /// ASGI's scope, without `state`; `root_path` if it is not where the site begins.
    #[pyo3(signature = (root_path = None))]
    fn scope<'py>(
        &self,
        py: Python<'py>,
        root_path: Option<&Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        scope::of(py, &self.end.head, root_path)
    }

    /// ASGI's receive.
    fn receive<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Outcome>> {
        let (py, this) = (slf.py(), slf.get());
        if let Some(message) = this.next_message(py)? {
            return Outcome::value(py, message.into_any().unbind());
        }
        let future = Self::wait(slf)?;
        this.state.borrow_mut(py).receiving = Some(future.clone().unbind());
        Outcome::future(&future)
    }

    /// ASGI's send.
    fn send<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Outcome>> {
        let (py, this) = (slf.py(), slf.get());
        let sent = messages::send(this, message)?;
        match sent {
            Sent::Room => Outcome::nothing(py),
            Sent::Gone => Err(gone()),
            Sent::Full => {
                let future = Self::wait(slf)?;
                this.state.borrow_mut(py).sending = Some(future.clone().unbind());
                Outcome::future(&future)
            }
        }
    }

    /// Answers with the whole of it: the status, the headers as pairs of text, the body.
    ///
    /// Raises `RuntimeError` if an answer has begun, and `ValueError` if a header cannot be sent.
    fn respond(
        &self,
        py: Python<'_>,
        status: u16,
        headers: Vec<(String, String)>,
        body: &[u8],
    ) -> PyResult<()> {
        let mut start = Start { status: final_status(status)?, headers: HeaderMap::new() };
        for (name, value) in headers {
            messages::add_header(&mut start.headers, name.as_bytes(), value.as_bytes())?;
        }
        let mut state = self.state.borrow_mut(py);
        if state.phase >= Phase::Begun {
            return Err(PyRuntimeError::new_err("the answer has begun already"));
        }
        state.note_answer();
        self.end.answer(start, Bytes::copy_from_slice(body));
        Ok(())
    }

    /// Answers with a file, which the server reads, with its length, a tag and ranges.
    ///
    /// Raises as `respond` does.
    fn respond_file(
        &self,
        py: Python<'_>,
        headers: Vec<(String, String)>,
        path: PathBuf,
    ) -> PyResult<()> {
        let mut start = Start { status: StatusCode::OK, headers: HeaderMap::new() };
        for (name, value) in headers {
            messages::add_header(&mut start.headers, name.as_bytes(), value.as_bytes())?;
        }
        let mut state = self.state.borrow_mut(py);
        if state.phase >= Phase::Begun {
            return Err(PyRuntimeError::new_err("the answer has begun already"));
        }
        state.note_answer();
        self.end.answer_file(start, path, true);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        if let Some(state) = self.state.visited(&visit) {
            visit.call(&state.receiving)?;
            visit.call(&state.sending)?;
            visit.call(&state.gone)?;
        }
        Ok(())
    }

    fn __clear__(&self, py: Python<'_>) {
        let mut state = self.state.borrow_mut(py);
        (state.receiving, state.sending, state.gone) = (None, None, None);
    }
}

impl State {
    /// Notes an answer that is given in one go.
    fn note_answer(&mut self) {
        self.phase = Phase::Complete;
        self.start = None;
    }
}

impl Exchange {
    /// A future that news of this exchange will resolve.
    fn wait<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let event_loop = this.event_loop.bind(py);
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        let mut waiting = event_loop.get().exchanges.borrow_mut(py);
        waiting.insert(this.end.id(), slf.clone().unbind());
        Ok(future)
    }

    /// What is there to be received, as ASGI has it.
    fn next_message<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.end.head.is_websocket
            && !std::mem::replace(&mut self.state.borrow_mut(py).is_connected, true)
        {
            return messages::connect(py).map(Some);
        }
        let Some(incoming) = self.end.receive() else { return Ok(None) };
        messages::received(py, incoming, self.end.head.is_websocket).map(Some)
    }

    /// Goes on with those who wait, as far as they can.
    fn tell(&self, py: Python<'_>) -> PyResult<bool> {
        let mut still_waits = false;
        if self.state.borrow(py).gone.is_some() {
            if self.end.is_gone() {
                let gone = self.state.borrow_mut(py).gone.take();
                gone.map(|function| function.call0(py)).transpose()?;
            } else {
                still_waits = true;
            }
        }
        let receiving = self.state.borrow_mut(py).receiving.take();
        if let Some(future) = receiving.filter(|future| !is_done(future.bind(py))) {
            if let Some(message) = self.next_message(py)? {
                future.bind(py).call_method1(intern!(py, "set_result"), (message,))?;
            } else {
                still_waits = true;
                self.state.borrow_mut(py).receiving = Some(future);
            }
        }
        let sending = self.state.borrow_mut(py).sending.take();
        if let Some(future) = sending.filter(|future| !is_done(future.bind(py))) {
            match self.end.room() {
                Sent::Room => {
                    future.bind(py).call_method1(intern!(py, "set_result"), (py.None(),))?;
                }
                Sent::Gone => {
                    let error = gone().into_value(py);
                    future.bind(py).call_method1(intern!(py, "set_exception"), (error,))?;
                }
                Sent::Full => {
                    still_waits = true;
                    self.state.borrow_mut(py).sending = Some(future);
                }
            }
        }
        Ok(still_waits)
    }
}

/// Has `aiobpy.web` find the handler and begin. A request whose client has left is not begun.
pub(crate) fn run_exchange(
    event_loop: &Bound<'_, LoopCore>,
    end: aiobpy_server::Exchange,
) -> PyResult<()> {
    static BEGIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let _room = tracing::trace_span!("native/main_thread").entered();
    if end.is_gone() {
        return Ok(());
    }
    end.begin();
    let py = event_loop.py();
    let event_loop_object = event_loop.clone().unbind();
    let exchange =
        Bound::new(py, Exchange { end, event_loop: event_loop_object, state: GilCell::default() })?;
    let begun = BEGIN
        .import(py, "aiobpy.web.serving", "begin")
        .and_then(|begin| begin.call1((exchange.clone(),)));
    match begun {
        Err(error) if !is_exit(py, &error) => {
            let path = exchange.get().end.head.uri.path();
            report(event_loop, &format!("the request for {path:?} could not be begun"), error, &[])
        }
        result => result.map(drop),
    }
}

/// Tells those who wait in an exchange.
pub(crate) fn run_news(event_loop: &Bound<'_, LoopCore>, id: u64) -> PyResult<()> {
    let py = event_loop.py();
    let waiting = event_loop.get().exchanges.borrow_mut(py).remove(&id);
    let Some(exchange) = waiting else { return Ok(()) };
    match exchange.get().tell(py) {
        Ok(false) => Ok(()),
        Ok(true) => {
            event_loop.get().exchanges.borrow_mut(py).insert(id, exchange);
            Ok(())
        }
        Err(error) if is_exit(py, &error) => Err(error),
        Err(error) => report(event_loop, "a request could not go on", error, &[]),
    }
}

fn is_done(future: &Bound<'_, PyAny>) -> bool {
    let done = future.call_method0(intern!(future.py(), "done"));
    done.and_then(|done| done.is_truthy()).unwrap_or(true)
}

/// As ASGI wants it since 2.4: an `OSError`.
fn gone() -> PyErr {
    PyConnectionError::new_err("the client has gone, or the answer is complete")
}
