//! The worker's end of its link, for Python.

use aiobpy_fleet::WorkerEnd;
use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<WorkerLink>()
}

/// Lines to and from the supervisor of this worker process.
///
/// Made once, at the start of a worker: it takes the link that it was started with, and ends the process when the
/// supervisor is gone.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct WorkerLink {
    end: WorkerEnd,
}

#[pymethods]
impl WorkerLink {
    /// Raises `OSError` if this process was not started by a supervisor.
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self { end: WorkerEnd::of_this_process()? })
    }

    /// Waits for the next line, with the GIL released; None once the supervisor has gone.
    fn receive(&self, python: Python<'_>) -> Option<String> {
        python.detach(|| self.end.receive())
    }

    /// Whether the supervisor has taken an attempt back. Never waits.
    fn is_cancelled(&self, job: &str, attempt: u32) -> bool {
        self.end.is_cancelled(job, attempt)
    }

    /// Queues a line of JSON. Never waits: any thread may call it, a render thread of Blender's too.
    fn send(&self, json: String) {
        self.end.send(json);
    }
}
