//! Calls of RPC methods: from the server's thread through the door to `aiobpy.rpc`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aiobpy_reactor::ReadyQueue;
use aiobpy_server::{Answer, Call, MainThread, Note, Principal, Refused, Work};
use aiobpy_wire::{MainThreadStatus, Problem, Scope};
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
            Work::Call(call) => Ready::Call(Box::new(call)),
            Work::Exchange(exchange) => Ready::Exchange(exchange),
            Work::News(id) => Ready::News(id),
            Work::Cancel(number) => Ready::Cancel(number),
            Work::Reply { question, answer } => Ready::Reply(Box::new((question, answer))),
            Work::Pairing(claim) => Ready::Pairing(Box::new(claim)),
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
    /// Names the call in `aiobpy.rpc.cancel`.
    #[pyo3(get)]
    number: u64,
    asking: Principal,
    /// The value of a W3C `traceparent` header for what is done in the name of the request.
    #[pyo3(get)]
    trace: Option<String>,
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

    /// Says that the parameters fit and the method begins.
    fn begin(&self) {
        self.note(Note::Begun);
    }

    /// Says how far the method has come. Whoever does not follow misses it.
    fn progress(&self, fraction: Option<f64>, text: String) {
        self.note(Note::Progress { fraction, text });
    }

    /// Sends a message to a client that logs: a level of syslog's, and the text of a JSON value.
    fn log(&self, level: String, data: String) {
        self.note(Note::Log { level, data });
    }

    /// Asks the client something: a method of the client's, and the text of a JSON object. What
    /// comes back goes to `aiobpy.rpc.replied`. Returns whether there is somebody to ask.
    fn ask(&self, number: u64, method: String, params: String) -> bool {
        self.note(Note::Question { number, method, params })
    }

    /// Who asks, as the user knows it.
    #[getter]
    fn principal(&self) -> &str {
        &self.asking.name
    }

    /// Whether whoever asks has a scope.
    ///
    /// Raises `ValueError` if there is no such scope.
    fn may(&self, scope: &str) -> PyResult<bool> {
        let scope: Scope = serde_json::from_value(scope.into())
            .map_err(|_| PyValueError::new_err(format!("{scope:?} is no scope")))?;
        Ok(self.asking.has(scope))
    }

    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool {
        lock(&self.answer).as_ref().is_none_or(Answer::is_abandoned)
    }
}

impl CallAnswer {
    fn note(&self, note: Note) -> bool {
        lock(&self.answer).as_ref().is_some_and(|answer| answer.note(note))
    }

    fn give(&self, result: Result<String, Problem>) {
        if let Some(answer) = lock(&self.answer).take() {
            answer.send(result);
        }
    }
}

/// Has `aiobpy.rpc` run the method. One whose client has left is not begun.
pub(crate) fn run_call(event_loop: &Bound<'_, LoopCore>, call: Call) -> PyResult<()> {
    let _room = tracing::trace_span!("native/main_thread").entered();
    let Call { number, method, params, principal, trace, mut answer } = call;
    if answer.is_abandoned() {
        return Ok(());
    }
    answer.begin();
    let py = event_loop.py();
    let trace = trace.map(|trace| trace.parent());
    let answer = CallAnswer { number, asking: principal, trace, answer: Mutex::new(Some(answer)) };
    let answer = Bound::new(py, answer)?;
    let dispatched = py
        .import(intern!(py, "aiobpy.rpc"))
        .and_then(|rpc| rpc.call_method1(intern!(py, "dispatch"), (&method, params, answer)));
    let message = format!("the RPC method {method:?} could not be called");
    reported(event_loop, dispatched, &message)
}

/// Has `aiobpy.rpc` cancel a method that still runs.
pub(crate) fn run_cancel(event_loop: &Bound<'_, LoopCore>, number: u64) -> PyResult<()> {
    let py = event_loop.py();
    let cancelled = py
        .import(intern!(py, "aiobpy.rpc"))
        .and_then(|rpc| rpc.call_method1(intern!(py, "cancel"), (number,)));
    reported(event_loop, cancelled, "a method could not be cancelled")
}

/// Hands what a client has answered to whoever asked it.
pub(crate) fn run_reply(
    event_loop: &Bound<'_, LoopCore>,
    question: u64,
    answer: Result<String, Problem>,
) -> PyResult<()> {
    let py = event_loop.py();
    let (answer, problem) = match answer {
        Ok(json) => (Some(json), None),
        Err(problem) => (None, serde_json::to_string(&problem).ok()),
    };
    let replied = py
        .import(intern!(py, "aiobpy.rpc"))
        .and_then(|rpc| rpc.call_method1(intern!(py, "replied"), (question, answer, problem)));
    reported(event_loop, replied, "a client's answer could not be handed on")
}

fn reported(
    event_loop: &Bound<'_, LoopCore>,
    result: PyResult<Bound<'_, PyAny>>,
    message: &str,
) -> PyResult<()> {
    match result {
        Err(error) if !is_exit(event_loop.py(), &error) => report(event_loop, message, error, &[]),
        result => result.map(drop),
    }
}
