//! Calls of RPC methods: from the server's thread through the door to `aiobpy.rpc`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aiobpy_reactor::ReadyQueue;
use aiobpy_server::{Answer, Call, MainThread, Refused, Work};
use aiobpy_wire::{MainThreadStatus, Problem};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::handle::lock;
use crate::loop_core::LoopCore;
use crate::main_thread::{Ready, is_exit, report};
use crate::stats::Stats;

/// What the server sees of a loop: a queue to push to, and counters to read.
pub(crate) struct LoopMainThread {
    queue: Arc<ReadyQueue<Ready>>,
    stats: Arc<Stats>,
    is_closed: Arc<AtomicBool>,
    blender_version: Option<String>,
}

impl LoopCore {
    /// The loop as the server sees it; `blender_version` as in `5.2.3`.
    pub(crate) fn main_thread(&self, blender_version: Option<String>) -> LoopMainThread {
        LoopMainThread {
            queue: Arc::clone(&self.queue),
            stats: Arc::clone(&self.stats),
            is_closed: Arc::clone(&self.is_closed),
            blender_version,
        }
    }
}

impl MainThread for LoopMainThread {
    fn post(&self, work: Work) -> Result<(), Refused> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Refused::Closed);
        }
        self.queue.arrive(match work {
            Work::Call(call) => Ready::Call(call),
            Work::Exchange(exchange) => Ready::Exchange(exchange),
            Work::News(id) => Ready::News(id),
        });
        Ok(())
    }

    fn status(&self) -> MainThreadStatus {
        MainThreadStatus {
            blender_version: self.blender_version.clone(),
            seconds_since_tick: self.stats.seconds_since_tick(),
            event_loop: self.stats.status(),
        }
    }
}

/// Where a method's answer goes; dropped without one, the client is told that Blender is closing.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct CallAnswer {
    answer: Mutex<Option<Answer>>,
}

#[pymethods]
impl CallAnswer {
    /// Answers with the text of a JSON value. Only the first answer counts.
    fn send(&self, json: String) {
        self.give(Ok(json));
    }

    /// Answers with a problem: the text of a JSON object as RFC 9457 has it.
    ///
    /// Raises `ValueError` if it is not one.
    fn fail(&self, problem: &str) -> PyResult<()> {
        let problem: Problem = serde_json::from_str(problem)
            .map_err(|error| PyValueError::new_err(format!("not a problem object: {error}")))?;
        self.give(Err(problem));
        Ok(())
    }

    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool {
        lock(&self.answer).as_ref().is_none_or(Answer::is_abandoned)
    }
}

impl CallAnswer {
    fn give(&self, result: Result<String, Problem>) {
        if let Some(answer) = lock(&self.answer).take() {
            answer.send(result);
        }
    }
}

/// Has `aiobpy.rpc` run the method. One whose client has left is not begun.
pub(crate) fn run_call(event_loop: &Bound<'_, LoopCore>, call: Call) -> PyResult<()> {
    let _room = tracing::trace_span!("native/main_thread").entered();
    let Call { method, params, answer } = call;
    if answer.is_abandoned() {
        return Ok(());
    }
    let py = event_loop.py();
    let answer = Bound::new(py, CallAnswer { answer: Mutex::new(Some(answer)) })?;
    let dispatched = py
        .import(intern!(py, "aiobpy.rpc"))
        .and_then(|rpc| rpc.call_method1(intern!(py, "dispatch"), (&method, params, answer)));
    match dispatched {
        Err(error) if !is_exit(py, &error) => report(
            event_loop,
            &format!("the RPC method {method:?} could not be called"),
            error,
            &[],
        ),
        result => result.map(drop),
    }
}
