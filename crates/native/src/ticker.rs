//! What Blender's main loop calls at each pass. Most calls find nothing to do: those run no Python.
//!
//! Blender comes 200 times a second when it idles, each time from a sleep, with cold caches: even a
//! short function of Python then costs tens of microseconds.

use std::sync::atomic::Ordering;

use aiobpy_reactor::monotonic_seconds;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyFloat};

use crate::gil_cell::GilCell;
use crate::loop_core::LoopCore;

/// A callback for `bpy.app.timers`: has its host visit the loop if there is anything to do.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct Ticker {
    event_loop: Py<LoopCore>,
    /// The seconds after which Blender is to call again: at its next pass.
    again: Py<PyAny>,
    state: GilCell<State>,
}

struct State {
    /// Called with the time and the seconds since the last call.
    visit: Option<Py<PyAny>>,
    /// Whether to visit though nothing is ready.
    is_wanted: bool,
    visits: u64,
    left: f64,
    last_away: f64,
    worst_away: f64,
}

#[pymethods]
impl Ticker {
    #[new]
    fn new(event_loop: &Bound<'_, LoopCore>, visit: Py<PyAny>) -> Self {
        let state = State {
            visit: Some(visit),
            is_wanted: false,
            visits: 0,
            left: monotonic_seconds(),
            last_away: 0.0,
            worst_away: 0.0,
        };
        Self {
            event_loop: event_loop.clone().unbind(),
            again: PyFloat::new(event_loop.py(), 0.0).into_any().unbind(),
            state: GilCell::new(state),
        }
    }

    fn __call__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let event_loop = self.event_loop.get();
        if event_loop.is_closed.load(Ordering::Relaxed) {
            return Ok(py.None());
        }
        let now = monotonic_seconds();
        let (away, is_wanted) = self.state.borrow_mut(py).arrive(now);
        if !is_wanted && !event_loop.has_ready(py) {
            event_loop.stats.note_alive(now);
            self.state.borrow_mut(py).left = now;
            return Ok(self.again.clone_ref(py));
        }
        let visit = self.state.borrow(py).visit.as_ref().map(|visit| visit.clone_ref(py));
        if let Some(visit) = visit {
            visit.call1(py, (now, away))?;
        }
        self.state.borrow_mut(py).left = monotonic_seconds();
        Ok(self.again.clone_ref(py))
    }

    /// Counts from now on how long Blender stays away.
    fn begin(&self, py: Python<'_>) {
        self.state.borrow_mut(py).left = monotonic_seconds();
    }

    /// How often Blender has called.
    #[getter]
    fn visits(&self, py: Python<'_>) -> u64 {
        self.state.borrow(py).visits
    }

    /// Seconds that Blender stayed away before its last call, and at most.
    #[getter]
    fn lateness(&self, py: Python<'_>) -> (f64, f64) {
        let state = self.state.borrow(py);
        (state.last_away, state.worst_away)
    }

    #[getter]
    fn is_wanted(&self, py: Python<'_>) -> bool {
        self.state.borrow(py).is_wanted
    }

    /// Whether the host is to visit though nothing is ready.
    #[setter]
    fn set_is_wanted(&self, py: Python<'_>, is_wanted: bool) {
        self.state.borrow_mut(py).is_wanted = is_wanted;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        match self.state.visited(&visit) {
            Some(state) => visit.call(&state.visit),
            None => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        let visit = self.state.borrow_mut(py).visit.take();
        drop(visit);
    }
}

impl State {
    /// The seconds that Blender was away, and whether to visit whatever is ready.
    fn arrive(&mut self, now: f64) -> (f64, bool) {
        self.visits += 1;
        self.last_away = now - self.left;
        self.worst_away = self.worst_away.max(self.last_away);
        (self.last_away, self.is_wanted)
    }
}
