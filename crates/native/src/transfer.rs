//! Transfers: a future for each, resolved when its end comes through the door.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aiobpy_transfer::{
    Answered, Downloaded, Event, Failure, Outcome, Progress, Transfer, TransferId, Transfers,
};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyTuple};

use crate::errors::os_error;
use crate::filling::{Filling, PIECE};
use crate::handle::{Handle, lock};
use crate::loop_core::LoopCore;
use crate::main_thread::{Ready, run_handle};
use crate::transfer_orders::{DownloadOrder, FetchOrder, UploadOrder};

/// The transfers of one loop.
#[derive(Default)]
pub(crate) struct LoopTransfers {
    /// Started by the first that needs it.
    transfers: Mutex<Option<Transfers>>,
    waiting: Mutex<HashMap<TransferId, Waiting>>,
}

/// What belongs to a transfer under way.
struct Waiting {
    future: Py<PyAny>,
    on_progress: Option<OnProgress>,
}

/// Called with `(done, total)` in the context of whoever began the transfer.
struct OnProgress {
    callback: Py<PyAny>,
    context: Py<PyAny>,
    progress: Arc<Progress>,
}

/// A transfer under way, for Python.
#[pyclass(frozen, name = "Transfer", module = "aiobpy._native")]
pub(crate) struct PyTransfer {
    /// Gets the result.
    #[pyo3(get)]
    future: Py<PyAny>,
    transfer: Transfer,
}

#[pymethods]
impl PyTransfer {
    /// Stops it soon and in good order: its future ends when it has stopped.
    fn cancel(&self) {
        self.transfer.cancel();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.future)
    }
}

#[pymethods]
impl LoopCore {
    /// Ends with `(path, size, sha256, url, resumed_from, version)`.
    #[pyo3(signature = (order, on_progress = None))]
    fn _download<'py>(
        slf: &Bound<'py, Self>,
        order: DownloadOrder,
        on_progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTransfer>> {
        let order = order.checked()?;
        begin(slf, on_progress, |transfers, reports| transfers.download(order, reports))
    }

    /// Ends as `_fetch` does.
    #[pyo3(signature = (order, on_progress = None))]
    fn _upload<'py>(
        slf: &Bound<'py, Self>,
        order: UploadOrder,
        on_progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTransfer>> {
        let order = order.checked()?;
        begin(slf, on_progress, |transfers, reports| transfers.upload(order, reports))
    }

    /// Ends with `(url, status, version, headers, body)`.
    fn _fetch<'py>(slf: &Bound<'py, Self>, order: FetchOrder) -> PyResult<Bound<'py, PyTransfer>> {
        let order = order.checked()?;
        begin(slf, None, |transfers, _| transfers.fetch(order))
    }

    /// Ends with hexadecimal digits.
    #[pyo3(signature = (path, algorithm, on_progress = None))]
    fn _hash_file<'py>(
        slf: &Bound<'py, Self>,
        path: PathBuf,
        algorithm: String,
        on_progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTransfer>> {
        begin(slf, on_progress, |transfers, reports| transfers.hash_file(path, algorithm, reports))
    }

    /// Ends with bytes.
    #[pyo3(signature = (path, limit = None))]
    fn _read_file<'py>(
        slf: &Bound<'py, Self>,
        path: PathBuf,
        limit: Option<u64>,
    ) -> PyResult<Bound<'py, PyTransfer>> {
        begin(slf, None, |transfers, _| transfers.read_file(path, limit))
    }
}

impl LoopTransfers {
    /// Ends the thread, without Python, and drops what waits.
    pub(crate) fn close(&self, py: Python<'_>) {
        let transfers = lock(&self.transfers).take();
        py.detach(|| drop(transfers));
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        drop(waiting);
    }

    /// Tells whoever waits, if anybody still does.
    fn end(&self, id: TransferId, method: &str, result: Bound<'_, PyAny>) -> PyResult<()> {
        let Some(Waiting { future, .. }) = lock(&self.waiting).remove(&id) else { return Ok(()) };
        let future = future.bind(result.py());
        if future.call_method0("done")?.is_truthy()? {
            return Ok(());
        }
        future.call_method1(method, (result,)).map(drop)
    }

    /// Gives memory back where that holds nobody up.
    fn discard(&self, bytes: Vec<u8>) {
        if bytes.len() > PIECE
            && let Some(transfers) = &*lock(&self.transfers)
        {
            transfers.discard(bytes);
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(waiting) = self.waiting.try_lock() else { return Ok(()) };
        waiting.values().try_for_each(|waiting| {
            visit.call(&waiting.future)?;
            match &waiting.on_progress {
                Some(on_progress) => {
                    visit.call(&on_progress.callback)?;
                    visit.call(&on_progress.context)
                }
                None => Ok(()),
            }
        })
    }
}

fn begin<'py>(
    event_loop: &Bound<'py, LoopCore>,
    on_progress: Option<Bound<'py, PyAny>>,
    begin: impl FnOnce(&Transfers, bool) -> Transfer,
) -> PyResult<Bound<'py, PyTransfer>> {
    let (py, this) = (event_loop.py(), event_loop.get());
    this.check_open()?;
    let future = event_loop.call_method0(intern!(py, "create_future"))?.unbind();
    let context = match on_progress {
        Some(_) => Some(crate::context::copy_context(py)?.unbind()),
        None => None,
    };
    let mut transfers = lock(&this.transfers.transfers);
    let started = match &mut *transfers {
        Some(transfers) => transfers,
        none => {
            let queue = Arc::clone(&this.queue);
            let door = Arc::new(move |event: Event| queue.arrive(Ready::Transfer(event)));
            none.insert(Transfers::start(door).map_err(os_error)?)
        }
    };
    let transfer = begin(started, on_progress.is_some());
    drop(transfers);
    let on_progress = on_progress.zip(context).map(|(callback, context)| OnProgress {
        callback: callback.unbind(),
        context,
        progress: Arc::clone(&transfer.progress),
    });
    let waiting = Waiting { future: future.clone_ref(py), on_progress };
    // Its first event cannot overtake this: only the main thread takes events, and that is we.
    lock(&this.transfers.waiting).insert(transfer.id, waiting);
    Bound::new(py, PyTransfer { future, transfer })
}

pub(crate) fn run_event(event_loop: &Bound<'_, LoopCore>, event: Event) -> PyResult<()> {
    match event {
        Event::Progress(id) => run_progress(event_loop, id),
        Event::Done(id, result) => run_done(event_loop, id, result),
    }
}

fn run_progress(event_loop: &Bound<'_, LoopCore>, id: TransferId) -> PyResult<()> {
    let py = event_loop.py();
    let call = match lock(&event_loop.get().transfers.waiting).get(&id) {
        Some(Waiting { on_progress: Some(on_progress), .. }) => {
            let OnProgress { callback, context, progress } = on_progress;
            (callback.clone_ref(py), context.clone_ref(py), progress.take())
        }
        _ => return Ok(()),
    };
    let (callback, context, (done, total)) = call;
    let arguments =
        PyTuple::new(py, [done.into_pyobject(py)?.into_any(), total.into_pyobject(py)?])?;
    let context = Some(context.into_bound(py));
    let handle = Handle::new(event_loop);
    handle.fill(callback.bind(py), &arguments, context)?;
    run_handle(event_loop, &Bound::new(py, handle)?)
}

fn run_done(
    event_loop: &Bound<'_, LoopCore>,
    id: TransferId,
    result: Result<Outcome, Failure>,
) -> PyResult<()> {
    let (py, this) = (event_loop.py(), event_loop.get());
    match result {
        Ok(Outcome::Bytes(bytes)) => run_copying(event_loop, Copying::new(py, id, None, bytes)?),
        Ok(Outcome::Answered(mut answered)) => {
            let body = std::mem::take(&mut answered.body);
            run_copying(event_loop, Copying::new(py, id, Some(answered), body)?)
        }
        Ok(Outcome::Downloaded(Downloaded { path, size, sha256, url, resumed_from, version })) => {
            let result = (path, size, sha256, url, resumed_from, version);
            this.transfers.end(id, "set_result", result.into_pyobject(py)?.into_any())
        }
        Ok(Outcome::Digest(text)) => {
            this.transfers.end(id, "set_result", text.into_pyobject(py)?.into_any())
        }
        Err(Failure::Cancelled) => this.transfers.end(id, "cancel", py.None().into_bound(py)),
        Err(failure) => this.transfers.end(id, "set_exception", raised(py, failure)?),
    }
}

/// A result whose bytes are on their way into Python's memory.
pub(crate) struct Copying {
    id: TransferId,
    /// Without its body, if they are the body of an answer.
    answered: Option<Answered>,
    filling: Filling,
}

impl Copying {
    fn new(
        py: Python<'_>,
        id: TransferId,
        answered: Option<Answered>,
        bytes: Vec<u8>,
    ) -> PyResult<Self> {
        Ok(Self { id, answered, filling: Filling::new(py, bytes)? })
    }
}

/// Copies a piece; if there are more, they wait for their turn.
pub(crate) fn run_copying(event_loop: &Bound<'_, LoopCore>, copying: Copying) -> PyResult<()> {
    let (py, this) = (event_loop.py(), event_loop.get());
    let Copying { id, answered, filling } = copying;
    if !lock(&this.transfers.waiting).contains_key(&id) {
        return Ok(());
    }
    let (bytes, copied) = match filling.go_on(py) {
        Ok(complete) => complete,
        Err(filling) => {
            this.queue.arrive(Ready::Copying(Box::new(Copying { id, answered, filling })));
            return Ok(());
        }
    };
    this.transfers.discard(copied);
    let result = match answered {
        None => bytes.into_bound(py).into_any(),
        Some(Answered { full_url, status, version, headers, .. }) => {
            (full_url, status, version, headers, bytes).into_pyobject(py)?.into_any()
        }
    };
    this.transfers.end(id, "set_result", result)
}

/// What Python raises: an `OSError` of the disk's, a `ValueError` of a wrong argument, or one of
/// `aiobpy.transferred`.
fn raised(py: Python<'_>, failure: Failure) -> PyResult<Bound<'_, PyAny>> {
    let hint = failure.hint();
    let text = match &hint {
        Some(hint) => format!("{failure}; {hint}"),
        None => failure.to_string(),
    };
    let own = |name: &str| py.import("aiobpy.transferred")?.getattr(name);
    match failure {
        Failure::Argument(_) => {
            Ok(PyValueError::new_err(text).into_value(py).into_bound(py).into_any())
        }
        Failure::File { doing, path, source } => {
            let reason = source.to_string();
            let reason = reason.split(" (os error").next().unwrap_or_default();
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            let text = format!("{reason} (could not {doing} it{hint})");
            py.get_type::<PyOSError>().call1((number_of(&source), text, path))
        }
        Failure::Status { answer } => {
            let body = PyBytes::new(py, &answer.body);
            own("HttpError")?.call1((text, answer.url, answer.status, answer.headers, body))
        }
        Failure::TimedOut { url, .. } => own("TransferTimeout")?.call1((text, url)),
        Failure::Checksum { url, .. } => own("ChecksumError")?.call1((text, url)),
        Failure::Network { url, .. }
        | Failure::Untrusted { url, .. }
        | Failure::Redirect { url, .. }
        | Failure::Protocol { url, .. } => own("TransferError")?.call1((text, url)),
        Failure::Busy { .. }
        | Failure::TooLarge { .. }
        | Failure::Everywhere { .. }
        | Failure::Cancelled => own("TransferError")?.call1((text,)),
    }
}

/// As Python's `errno` has it, of our own errors too.
fn number_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::StorageFull => 28,
        io::ErrorKind::IsADirectory => 21,
        _ => 5,
    })
}
