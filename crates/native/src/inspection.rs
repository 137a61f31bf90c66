//! What debuggers, monitors and tests read of a loop under the names that asyncio's own has.

use std::convert::Infallible;

use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList};

use crate::handle::{Handle, TimerHandle, lock};
use crate::loop_core::LoopCore;
use crate::main_thread::Ready;

#[pymethods]
impl LoopCore {
    /// The callbacks that wait for their turn: a `deque` of its own, in order.
    #[getter(_ready)]
    fn ready_callbacks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut waiting = Vec::new();
        for item in &*lock(&self.generation) {
            waiting.extend(callback_of(item, py));
        }
        let Ok(()) = self.queue.try_for_each(|item| {
            waiting.extend(callback_of(item, py));
            Ok::<(), Infallible>(())
        });
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
            lock(&self.timers).iter().map(|timer| timer.clone_ref(py)).collect();
        timers.sort_by(|one, other| one.get().due().total_cmp(&other.get().due()));
        PyList::new(py, timers)
    }

    /// Nothing is done: asyncio sets its own list, which is never used.
    #[expect(clippy::unused_self, reason = "a property has a self")]
    #[setter(_scheduled)]
    fn set_scheduled_timers(&self, _timers: &Bound<'_, PyAny>) {}
}

fn callback_of(item: &Ready, py: Python<'_>) -> Option<Py<Handle>> {
    match item {
        Ready::Callback(handle) => Some(handle.clone_ref(py)),
        Ready::Io(_) | Ready::Call(_) | Ready::Transfer(_) | Ready::Returned(_) => None,
    }
}
