//! What `call_soon` and `call_later` return: a callback that has not run yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyTuple};

/// A callback with its arguments and its context: `asyncio.Handle` in Rust.
#[pyclass(subclass, frozen, weakref, module = "aiobpy._native")]
pub(crate) struct Handle {
    body: Mutex<Option<Body>>,
    is_cancelled: AtomicBool,
    event_loop: Mutex<Option<Py<PyAny>>>,
    source_traceback: Mutex<Option<Py<PyAny>>>,
}

struct Body {
    /// The callback and its arguments, ready to be passed to `Context.run`.
    call: Py<PyTuple>,
    context: Py<PyAny>,
}

impl Handle {
    pub(crate) fn new(
        event_loop: Py<PyAny>,
        callback: &Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = callback.py();
        let context = match context {
            Some(context) if !context.is_none() => context,
            _ => copy_context(py)?,
        };
        let call = match arguments.len() {
            0 => PyTuple::new(py, [callback])?,
            _ => PyTuple::new(
                py,
                std::iter::once(callback.clone()).chain(arguments.iter()).collect::<Vec<_>>(),
            )?,
        };
        let body = Body { call: call.unbind(), context: context.unbind() };
        Ok(Self {
            body: Mutex::new(Some(body)),
            is_cancelled: AtomicBool::new(false),
            event_loop: Mutex::new(Some(event_loop)),
            source_traceback: Mutex::new(None),
        })
    }

    /// Runs the callback in its context. A cancelled one does nothing.
    pub(crate) fn run(&self, py: Python<'_>) -> PyResult<()> {
        let (call, context) = match &*lock(&self.body) {
            Some(body) => (body.call.clone_ref(py), body.context.clone_ref(py)),
            None => return Ok(()),
        };
        context.bind(py).call_method1(intern!(py, "run"), call.bind(py)).map(drop)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn callback<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let call = lock(&self.body).as_ref().map(|body| body.call.clone_ref(py))?;
        call.bind(py).get_item(0).ok()
    }

    pub(crate) fn set_source_traceback(&self, traceback: Py<PyAny>) {
        *lock(&self.source_traceback) = Some(traceback);
    }

    /// Returns whether it was not cancelled before.
    pub(crate) fn cancel_now(&self) -> bool {
        if self.is_cancelled.swap(true, Ordering::Relaxed) {
            return false;
        }
        // Dropped only after the lock: that may run any code.
        let body = lock(&self.body).take();
        drop(body);
        true
    }
}

#[pymethods]
impl Handle {
    fn cancel(&self) {
        self.cancel_now();
    }

    fn cancelled(&self) -> bool {
        self.is_cancelled()
    }

    fn get_context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.body).as_ref().map(|body| body.context.clone_ref(py))
    }

    fn _run(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py)
    }

    #[getter]
    fn _cancelled(&self) -> bool {
        self.is_cancelled()
    }

    #[getter]
    fn _callback<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.callback(py)
    }

    #[getter(_args)]
    fn arguments<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        let call = lock(&self.body).as_ref().map(|body| body.call.clone_ref(py))?;
        Some(call.bind(py).get_slice(1, call.bind(py).len()))
    }

    #[getter]
    fn _context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.get_context(py)
    }

    #[getter(_loop)]
    fn event_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.event_loop).as_ref().map(|event_loop| event_loop.clone_ref(py))
    }

    #[getter(_source_traceback)]
    fn source_traceback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.source_traceback).as_ref().map(|traceback| traceback.clone_ref(py))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let mut parts = vec![slf.get_type().name()?.to_string()];
        let this = slf.get();
        if this.is_cancelled() {
            parts.push("cancelled".to_owned());
        }
        if let Ok(timer) = slf.cast::<TimerHandle>() {
            parts.push(format!("when={}", timer.get().when));
        }
        if let Some(callback) = this.callback(py) {
            let arguments = this.arguments(py);
            let source = py
                .import("asyncio.format_helpers")?
                .call_method1("_format_callback_source", (callback, arguments))?;
            parts.push(source.to_string());
        }
        if let Some(traceback) = this.source_traceback(py)
            && let Ok(frame) = traceback.bind(py).get_item(-1)
        {
            let (file, line) = (frame.get_item(0)?, frame.get_item(1)?);
            parts.push(format!("created at {file}:{line}"));
        }
        Ok(format!("<{}>", parts.join(" ")))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(body) = self.body.try_lock()
            && let Some(body) = &*body
        {
            visit.call(&body.call)?;
            visit.call(&body.context)?;
        }
        if let Ok(event_loop) = self.event_loop.try_lock() {
            visit.call(&*event_loop)?;
        }
        if let Ok(traceback) = self.source_traceback.try_lock() {
            visit.call(&*traceback)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let gone = (
            lock(&self.body).take(),
            lock(&self.event_loop).take(),
            lock(&self.source_traceback).take(),
        );
        drop(gone);
    }
}

/// A callback with a deadline: `asyncio.TimerHandle` in Rust.
#[pyclass(extends = Handle, frozen, module = "aiobpy._native")]
pub(crate) struct TimerHandle {
    /// In seconds of the loop's clock.
    when: f64,
    /// Whether it is still among the loop's timers.
    pub(crate) is_scheduled: AtomicBool,
    /// As the handle's own, where it can be seen without Python.
    pub(crate) is_cancelled: AtomicBool,
}

impl TimerHandle {
    pub(crate) fn create(py: Python<'_>, handle: Handle, when: f64) -> PyResult<Bound<'_, Self>> {
        let timer = Self {
            when,
            is_scheduled: AtomicBool::new(true),
            is_cancelled: AtomicBool::new(false),
        };
        Bound::new(py, PyClassInitializer::from(handle).add_subclass(timer))
    }

    /// In seconds of the loop's clock.
    pub(crate) fn due(&self) -> f64 {
        self.when
    }
}

#[pymethods]
impl TimerHandle {
    fn when(&self) -> f64 {
        self.when
    }

    #[getter]
    fn _when(&self) -> f64 {
        self.when
    }

    #[getter]
    fn _scheduled(&self) -> bool {
        self.is_scheduled.load(Ordering::Relaxed)
    }

    fn cancel(slf: &Bound<'_, Self>) -> PyResult<()> {
        let handle = slf.as_super().get();
        let event_loop = handle.event_loop(slf.py());
        slf.get().is_cancelled.store(true, Ordering::Relaxed);
        if handle.cancel_now()
            && slf.get().is_scheduled.load(Ordering::Relaxed)
            && let Some(event_loop) = event_loop
        {
            event_loop
                .bind(slf.py())
                .cast::<crate::loop_core::LoopCore>()?
                .get()
                .note_cancelled_timer();
        }
        Ok(())
    }

    fn __hash__(&self) -> u64 {
        self.when.to_bits()
    }

    fn __lt__(&self, other: &Self) -> bool {
        self.when < other.when
    }

    fn __le__(&self, other: &Self) -> bool {
        self.when <= other.when
    }

    fn __gt__(&self, other: &Self) -> bool {
        self.when > other.when
    }

    fn __ge__(&self, other: &Self) -> bool {
        self.when >= other.when
    }
}

fn copy_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static COPY_CONTEXT: pyo3::sync::PyOnceLock<Py<PyAny>> = pyo3::sync::PyOnceLock::new();
    COPY_CONTEXT.import(py, "contextvars", "copy_context")?.call0()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
