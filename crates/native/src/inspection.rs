//! What debuggers, monitors and tests read of a loop under the names that asyncio's own has.

use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList};

use crate::handle::{Handle, TimerHandle};
use crate::loop_core::LoopCore;

#[pymethods]
impl LoopCore {
    /// The callbacks that wait for their turn: a `deque` of its own, in order.
    #[getter(_ready)]
    fn ready_callbacks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut waiting: Vec<Py<Handle>> = self.generation.borrow(py).callbacks(py);
        waiting.extend(self.scheduled.borrow(py).iter().map(|handle| handle.clone_ref(py)));
        py.import("collections")?.getattr("deque")?.call1((waiting,))
    }

    /// Nothing is done: asyncio sets its own queue, which is never used.
    #[expect(clippy::unused_self, reason = "a property has a self")]
    #[setter(_ready)]
    fn set_ready_callbacks(&self, _queue: &Bound<'_, PyAny>) {}

    /// The timers, cancelled ones that have not been swept away included: a list of its own, the
    /// next one first.
    #[getter(_scheduled)]
    fn scheduled_timers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut timers: Vec<Py<TimerHandle>> =
            self.timers.borrow(py).iter().map(|timer| timer.clone_ref(py)).collect();
        timers.sort_by(|one, other| one.get().due().total_cmp(&other.get().due()));
        PyList::new(py, timers)
    }

    /// Nothing is done: asyncio sets its own list, which is never used.
    #[expect(clippy::unused_self, reason = "a property has a self")]
    #[setter(_scheduled)]
    fn set_scheduled_timers(&self, _timers: &Bound<'_, PyAny>) {}
}
