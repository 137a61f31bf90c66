//! What `call_soon` and `call_later` return: a callback that has not run yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyFloat, PyTuple};

use crate::callback::Callback;
use crate::context::{copy_context_unless_empty, new_context};
use crate::gil_cell::GilCell;
use crate::loop_core::LoopCore;
use crate::untracked;

/// A callback with its arguments and its context: `asyncio.Handle` in Rust.
#[pyclass(subclass, frozen, weakref, module = "aiobpy._native")]
pub(crate) struct Handle {
    /// `None` once cancelled. Lent for as long as it runs.
    callback: GilCell<Option<Callback>>,
    /// `None` for one with nothing in it, which is found as it runs.
    context: GilCell<Option<Py<PyAny>>>,
    event_loop: Py<LoopCore>,
    is_cancelled: AtomicBool,
    notes: GilCell<Option<Box<Notes>>>,
}

/// What debug mode keeps.
#[derive(Default)]
struct Notes {
    source_traceback: Option<Py<PyAny>>,
    repr_when_cancelled: Option<String>,
}

impl Handle {
    /// With nothing in it.
    pub(crate) fn new(event_loop: &Bound<'_, LoopCore>) -> Self {
        Self {
            callback: GilCell::default(),
            context: GilCell::default(),
            event_loop: event_loop.clone().unbind(),
            is_cancelled: AtomicBool::new(false),
            notes: GilCell::default(),
        }
    }

    /// `context`: `None` for a copy of the present one.
    pub(crate) fn fill(
        &self,
        callback: &Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = callback.py();
        let context = match context {
            Some(context) if !context.is_none() => Some(context),
            _ => copy_context_unless_empty(py)?,
        };
        *self.context.borrow_mut(py) = context.map(Bound::unbind);
        *self.callback.borrow_mut(py) = Some(Callback::new(callback, arguments)?);
        Ok(())
    }

    /// Once it has run: lets go of all that is in it. Returns whether it is like a new one then.
    pub(crate) fn empty(&self, py: Python<'_>) -> bool {
        if self.is_cancelled() || self.notes.borrow(py).is_some() {
            return false;
        }
        self.drop_callback(py);
        let context = self.context.borrow_mut(py).take();
        drop(context);
        self.callback.borrow(py).is_none()
    }

    /// Runs the callback in its context. A cancelled one does nothing.
    pub(crate) fn run(&self, py: Python<'_>) -> PyResult<()> {
        let context = self.context.borrow(py).as_ref().map(|context| context.bind(py).clone());
        match context {
            Some(context) => self.run_in(&context),
            None => self.run_in_empty_context(py),
        }
    }

    fn run_in(&self, context: &Bound<'_, PyAny>) -> PyResult<()> {
        let result = match &*self.callback.borrow(context.py()) {
            Some(callback) => callback.run_in(context),
            None => return Ok(()),
        };
        if self.is_cancelled() {
            self.drop_callback(context.py());
        }
        result
    }

    fn run_in_empty_context(&self, py: Python<'_>) -> PyResult<()> {
        let spares = &self.event_loop.get().spares;
        let context = spares.take_context(py)?;
        *self.context.borrow_mut(py) = Some(context.clone().unbind());
        let result = self.run_in(&context);
        // Only we have it, twice, and nothing is left in it: it is as good as a new one.
        if untracked::count(context.as_unbound()) == 2 && context.len().is_ok_and(|len| len == 0) {
            let ours = self.context.borrow_mut(py).take();
            drop(ours);
            spares.put_context(context);
        }
        result
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn callable<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        if self.is_cancelled() {
            return None;
        }
        self.callback.borrow(py).as_ref().map(|callback| callback.callable(py))
    }

    pub(crate) fn set_source_traceback(&self, py: Python<'_>, traceback: Py<PyAny>) {
        self.notes.borrow_mut(py).get_or_insert_default().source_traceback = Some(traceback);
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        if let Some(context) = self.context.visited(visit) {
            visit.call(&*context)?;
        }
        if let Some(callback) = self.callback.visited(visit)
            && let Some(callback) = &*callback
        {
            callback.traverse(visit)?;
        }
        if let Some(notes) = self.notes.visited(visit)
            && let Some(notes) = &*notes
        {
            visit.call(&notes.source_traceback)?;
        }
        Ok(())
    }

    /// Returns whether it was not cancelled before.
    pub(crate) fn cancel_now(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let this = slf.get();
        if this.is_cancelled() {
            return Ok(false);
        }
        if this.event_loop.get().is_debug() {
            let repr = Self::repr_of(slf, true)?;
            let mut notes = this.notes.borrow_mut(slf.py());
            notes.get_or_insert_default().repr_when_cancelled = Some(repr);
        }
        this.is_cancelled.store(true, Ordering::Relaxed);
        this.drop_callback(slf.py());
        untracked::track(slf);
        Ok(true)
    }

    /// The callback and its arguments are let go of, unless they run: then when they have run.
    fn drop_callback(&self, py: Python<'_>) {
        let callback = self.callback.try_borrow_mut(py).and_then(|mut callback| callback.take());
        // Only now that it is no longer borrowed: this may run any code.
        drop(callback);
    }

    fn repr_of(slf: &Bound<'_, Self>, is_cancelled: bool) -> PyResult<String> {
        let (py, this) = (slf.py(), slf.get());
        let mut parts = vec![slf.get_type().name()?.to_string()];
        if is_cancelled {
            parts.push("cancelled".to_owned());
        }
        if let Ok(timer) = slf.cast::<TimerHandle>() {
            parts.push(format!("when={}", PyFloat::new(py, timer.get().when)));
        }
        if let Some(source) = this.source(py)? {
            parts.push(source);
        }
        if let Some(traceback) = this.source_traceback(py)
            && let Ok(frame) = traceback.bind(py).get_item(-1)
        {
            let (file, line) = (frame.get_item(0)?, frame.get_item(1)?);
            parts.push(format!("created at {file}:{line}"));
        }
        Ok(format!("<{}>", parts.join(" ")))
    }

    /// The callback as asyncio writes it, with where it is defined. `None` if cancelled.
    pub(crate) fn source(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let (Some(callable), Some(arguments)) = (self.callable(py), self.arguments(py)?) else {
            return Ok(None);
        };
        let source = self
            .event_loop
            .bind(py)
            .call_method1(intern!(py, "_callback_source"), (callable, arguments))?;
        Ok(Some(source.to_string()))
    }
}

#[pymethods]
impl Handle {
    fn cancel(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::cancel_now(slf).map(drop)
    }

    fn cancelled(&self) -> bool {
        self.is_cancelled()
    }

    /// The context that it runs in.
    fn get_context(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let known = self.context.borrow(py).as_ref().map(|context| context.clone_ref(py));
        if let Some(context) = known {
            return Ok(context);
        }
        let context = new_context(py)?.unbind();
        *self.context.borrow_mut(py) = Some(context.clone_ref(py));
        Ok(context)
    }

    #[getter]
    fn _context(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.get_context(py)
    }

    fn _run(slf: &Bound<'_, Self>) -> PyResult<()> {
        crate::main_thread::run_reported(slf.get().event_loop.bind(slf.py()), slf)
    }

    #[getter]
    fn _cancelled(&self) -> bool {
        self.is_cancelled()
    }

    #[getter]
    fn _callback<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.callable(py)
    }

    #[getter(_args)]
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        if self.is_cancelled() {
            return Ok(None);
        }
        self.callback.borrow(py).as_ref().map(|callback| callback.arguments(py)).transpose()
    }

    #[getter(_loop)]
    fn event_loop(&self, py: Python<'_>) -> Py<LoopCore> {
        self.event_loop.clone_ref(py)
    }

    #[getter(_source_traceback)]
    fn source_traceback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let notes = self.notes.borrow(py);
        notes.as_ref()?.source_traceback.as_ref().map(|traceback| traceback.clone_ref(py))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let this = slf.get();
        if let Some(notes) = &*this.notes.borrow(slf.py())
            && let Some(repr) = &notes.repr_when_cancelled
        {
            return Ok(repr.clone());
        }
        Self::repr_of(slf, this.is_cancelled())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }

    /// The loop and the context, which it keeps, clear themselves.
    fn __clear__(slf: &Bound<'_, Self>) {
        let this = slf.get();
        this.drop_callback(slf.py());
        let notes = this.notes.borrow_mut(slf.py()).take();
        drop(notes);
    }
}

/// A callback with a deadline: `asyncio.TimerHandle` in Rust.
#[pyclass(extends = Handle, frozen, module = "aiobpy._native")]
pub(crate) struct TimerHandle {
    /// In seconds of the loop's clock.
    when: f64,
    /// Whether it is still among the loop's timers.
    pub(crate) is_scheduled: AtomicBool,
}

impl TimerHandle {
    pub(crate) fn create(py: Python<'_>, handle: Handle, when: f64) -> PyResult<Bound<'_, Self>> {
        let timer = Self { when, is_scheduled: AtomicBool::new(true) };
        Bound::new(py, PyClassInitializer::from(handle).add_subclass(timer))
    }

    /// In seconds of the loop's clock.
    pub(crate) fn due(&self) -> f64 {
        self.when
    }

    fn is_equal(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        let (one, two) = (slf.as_super().get(), other.as_super().get());
        #[expect(clippy::float_cmp, reason = "as asyncio has it")]
        let is_same_time = slf.get().when == other.get().when;
        Ok(is_same_time
            && one.is_cancelled() == two.is_cancelled()
            && one.callable(py).into_pyobject(py)?.eq(two.callable(py))?
            && one.arguments(py)?.into_pyobject(py)?.eq(two.arguments(py)?)?)
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
        let handle = slf.as_super();
        if Handle::cancel_now(handle)? && slf.get().is_scheduled.load(Ordering::Relaxed) {
            handle.get().event_loop.get().note_cancelled_timer(slf.py());
        }
        Ok(())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyFloat::new(py, self.when).hash()
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<bool> {
        Self::is_equal(slf, other)
    }

    fn __lt__(&self, other: &Self) -> bool {
        self.when < other.when
    }

    fn __le__(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<bool> {
        Ok(slf.get().when < other.get().when || Self::is_equal(slf, other)?)
    }

    fn __gt__(&self, other: &Self) -> bool {
        self.when > other.when
    }

    fn __ge__(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<bool> {
        Ok(slf.get().when > other.get().when || Self::is_equal(slf, other)?)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
