//! Turns of the loop on the main thread: the only place where the ready queue reaches Python.

use std::sync::atomic::Ordering;

use aiobpy_reactor::{Event, monotonic_seconds};
use aiobpy_server::Call;
use aiobpy_wire::Problem;
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::handle::{Handle, TimerHandle};
use crate::loop_core::LoopCore;
use crate::transfer::Copying;
use crate::untracked;
use crate::waiting::Tick;

/// What goes through the one door.
pub(crate) enum Ready {
    Callback(Py<Handle>),
    Io(Event),
    /// A method that somebody called over HTTP.
    Call(Box<Call>),
    /// A request that a site answers.
    Exchange(Box<aiobpy_server::Exchange>),
    /// Nobody wants the answer to the call of this number any more.
    Cancel(u64),
    /// What a client has answered to the question of this number.
    Reply(Box<(u64, Result<String, Problem>)>),
    /// In this exchange, something has come to be taken, or there is room again.
    News(u64),
    /// A device that waits for a person to let it in.
    Pairing(Box<aiobpy_server::Claim>),
    /// What a download and its like have to say.
    Transfer(aiobpy_transfer::Event),
    /// A large result that is on its way into Python's memory.
    Copying(Box<Copying>),
    /// The I/O thread has sent what it was lent under this number.
    Returned(u64),
}

impl Ready {
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Callback(handle) => untracked::traverse(handle, visit),
            Self::Io(_)
            | Self::Call(_)
            | Self::Exchange(_)
            | Self::News(_)
            | Self::Cancel(_)
            | Self::Reply(..)
            | Self::Pairing(_)
            | Self::Transfer(_)
            | Self::Copying(_)
            | Self::Returned(_) => Ok(()),
        }
    }
}

/// The clock's grain, in seconds: a timer that is due within it is due.
const RESOLUTION: f64 = 1e-9;

#[pymethods]
impl LoopCore {
    /// Runs turns, parking in between, until the loop is stopped.
    fn _run_until_stopped(event_loop: &Bound<'_, Self>) -> PyResult<()> {
        let this = event_loop.get();
        this.begin_alone()?;
        let result = this.run_alone(event_loop);
        this.end_alone();
        result
    }

    /// Runs turns until nothing is ready, `budget` seconds are spent, or the loop is told to stop,
    /// which ends the turn first; looks at the time after each callback. Returns whether something
    /// is left.
    fn _run_turns(event_loop: &Bound<'_, Self>, budget: f64) -> PyResult<bool> {
        let this = event_loop.get();
        let mut tick = Tick::new(budget);
        let result = this.run_tick(event_loop, &mut tick);
        this.end_tick(&tick);
        result
    }

    /// Waits until something is ready, without running it, for `limit` seconds at most.
    #[pyo3(signature = (limit = None))]
    fn _wait_for_ready(event_loop: &Bound<'_, Self>, limit: Option<f64>) -> PyResult<bool> {
        let this = event_loop.get();
        let until = limit.map(|limit| monotonic_seconds() + limit);
        while !this.has_ready(event_loop.py()) {
            let left = until.map(|until| until - monotonic_seconds());
            if left.is_some_and(|left| left <= 0.0) {
                return Ok(false);
            }
            this.wait(event_loop, left)?;
        }
        Ok(true)
    }

    /// The deadline of the next timer, in seconds of the loop's clock.
    #[pyo3(name = "_next_due")]
    pub(crate) fn next_due(&self, py: Python<'_>) -> Option<f64> {
        self.forget_cancelled_timers(py);
        self.timers.borrow(py).next_due()
    }

    /// Notes that the host came by though nothing was ready.
    fn _note_idle_tick(&self) {
        self.stats.note_alive(monotonic_seconds());
    }

    /// The loop's counters: a JSON object as `/api/v1/status` shows it.
    fn _status(&self) -> String {
        serde_json::to_string(&self.stats.status()).unwrap_or_default()
    }
}

impl LoopCore {
    pub(crate) fn is_timer_due(&self, py: Python<'_>) -> bool {
        let due = self.timers.borrow(py).next_due();
        due.is_some_and(|due| due <= self.clock.now() + RESOLUTION)
    }

    fn run_alone(&self, event_loop: &Bound<'_, Self>) -> PyResult<()> {
        let py = event_loop.py();
        let mut now = monotonic_seconds();
        loop {
            if self.generation.borrow(py).is_empty() {
                now = self.look_for_io(event_loop, now)?;
                self.begin_turn(py);
            }
            let began = now;
            let mut count = 0;
            while let Some(item) = self.next_of_generation(py) {
                count += 1;
                let (handle, ran) = item.run(event_loop);
                if let Some(handle) = handle {
                    self.let_go_of(handle);
                }
                ran?;
            }
            now = monotonic_seconds();
            self.stats.note_tick(count, now, now - began, false);
            if self.is_stopping.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn run_tick(&self, event_loop: &Bound<'_, Self>, tick: &mut Tick) -> PyResult<bool> {
        let py = event_loop.py();
        let mut now = tick.began;
        let mut count = 0;
        let mut result = Ok(false);
        'turns: loop {
            if self.generation.borrow(py).is_empty() {
                self.begin_turn(py);
            }
            let Some(mut next) = self.next_of_generation(py) else {
                match self.linger(event_loop, tick) {
                    Ok(true) => continue,
                    Ok(false) => break,
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                }
            };
            loop {
                let (handle, ran) = next.run(event_loop);
                result = ran.map(|()| false);
                count += 1;
                let before = std::mem::replace(&mut now, monotonic_seconds());
                if let Some(handle) = handle {
                    if self.stats.is_among_slowest(now - before) {
                        self.stats.note_slow(name_of(event_loop, &handle), now - before);
                    }
                    self.let_go_of(handle);
                }
                if result.is_err() {
                    break 'turns;
                }
                if now - tick.began >= tick.budget {
                    result = Ok(self.has_ready(py));
                    break 'turns;
                }
                match self.next_of_generation(py) {
                    Some(item) => next = item,
                    None => break,
                }
            }
            if self.is_stopping.load(Ordering::Relaxed) {
                result = Ok(self.has_ready(py));
                break;
            }
        }
        now = monotonic_seconds();
        let seconds = now - tick.began;
        self.stats.note_tick(count, now, seconds, seconds > tick.budget);
        result
    }

    /// Makes all that is ready the next generation, and puts the timers that are due behind it.
    fn begin_turn(&self, py: Python<'_>) {
        self.forget_cancelled_timers(py);
        let mut generation = self.generation.borrow_mut(py);
        std::mem::swap(&mut *self.scheduled.borrow_mut(py), &mut generation.scheduled);
        self.queue.take_arrived(&mut generation.arrived);
        let mut timers = self.timers.borrow_mut(py);
        if timers.is_empty() {
            return;
        }
        let now = self.clock.now() + RESOLUTION;
        while let Some(timer) = timers.pop_due(now) {
            timer.get().is_scheduled.store(false, Ordering::Relaxed);
            generation.due.push_back(timer);
        }
    }

    /// A handle that has run.
    fn let_go_of(&self, handle: Bound<'_, Handle>) {
        untracked::track_if_kept(&handle);
        self.spares.put_handle(handle);
    }

    fn next_of_generation(&self, py: Python<'_>) -> Option<Ready> {
        self.generation.borrow_mut(py).next(py)
    }

    fn forget_cancelled_timers(&self, py: Python<'_>) {
        let is_cancelled = |timer: &Py<TimerHandle>| is_cancelled_timer(py, timer);
        let gone = self.timers.borrow_mut(py).pop_cancelled(is_cancelled);
        for timer in &gone {
            timer.get().is_scheduled.store(false, Ordering::Relaxed);
        }
    }
}

impl Ready {
    /// Returns the handle too, if it was one, to be let go of when its name is not wanted any more.
    pub(crate) fn run<'py>(
        self,
        event_loop: &Bound<'py, LoopCore>,
    ) -> (Option<Bound<'py, Handle>>, PyResult<()>) {
        match self {
            Self::Callback(handle) => {
                let handle = handle.into_bound(event_loop.py());
                let result = run_handle(event_loop, &handle);
                (Some(handle), result)
            }
            Self::Io(event) => (None, run_event(event_loop, event)),
            Self::Call(call) => (None, crate::calls::run_call(event_loop, *call)),
            Self::Cancel(number) => (None, crate::calls::run_cancel(event_loop, number)),
            Self::Reply(reply) => {
                let (question, answer) = *reply;
                (None, crate::calls::run_reply(event_loop, question, answer))
            }
            Self::Exchange(exchange) => {
                let result = crate::exchange::run_exchange(event_loop, *exchange);
                let begun = event_loop.get().begun.borrow_mut(event_loop.py()).take();
                (begun.map(|handle| handle.into_bound(event_loop.py())), result)
            }
            Self::News(id) => (None, crate::exchange::run_news(event_loop, id)),
            Self::Pairing(claim) => (None, crate::pairing::run_claim(event_loop, *claim)),
            Self::Transfer(event) => (None, crate::transfer::run_event(event_loop, event)),
            Self::Copying(copying) => (None, crate::transfer::run_copying(event_loop, *copying)),
            Self::Returned(number) => {
                event_loop.get().take_back(event_loop.py(), number);
                (None, Ok(()))
            }
        }
    }
}

fn run_event(event_loop: &Bound<'_, LoopCore>, event: Event) -> PyResult<()> {
    let _room = tracing::trace_span!("native/main_thread").entered();
    match event {
        Event::Received(token)
        | Event::Drained(token)
        | Event::Flushed(token)
        | Event::SendFailed(token, _) => {
            crate::socket_connection::run_event(event_loop, token, event)
        }
        Event::Accepted(token) => crate::serving::run_accepted(event_loop, token),
        Event::Resolved(token, result) => crate::look_ups::run_resolved(event_loop, token, result),
        Event::Named(token, result) => crate::look_ups::run_named(event_loop, token, result),
        Event::Ready { token, readable, writable } => {
            crate::watched_fds::run_ready(event_loop, token, readable, writable)
        }
    }
}

/// Runs a callback; what it raises goes to the loop's exception handler.
pub(crate) fn run_handle(
    event_loop: &Bound<'_, LoopCore>,
    handle: &Bound<'_, Handle>,
) -> PyResult<()> {
    if handle.get().is_cancelled() {
        return Ok(());
    }
    if event_loop.get().is_debug() {
        return run_watched(event_loop, handle);
    }
    run_reported(event_loop, handle)
}

pub(crate) fn run_reported(
    event_loop: &Bound<'_, LoopCore>,
    handle: &Bound<'_, Handle>,
) -> PyResult<()> {
    match handle.get().run(handle.py()) {
        Ok(()) => Ok(()),
        Err(error) if is_exit(handle.py(), &error) => Err(error),
        Err(error) => {
            let message = match handle.get().source(handle.py())? {
                Some(source) => format!("Exception in callback {source}"),
                None => "Exception in a callback that was cancelled as it ran".to_owned(),
            };
            report(event_loop, &message, error, &[("handle", handle.as_any())])
        }
    }
}

/// In debug mode: says so if the callback was slow.
fn run_watched(event_loop: &Bound<'_, LoopCore>, handle: &Bound<'_, Handle>) -> PyResult<()> {
    event_loop.setattr("_current_handle", handle)?;
    let began = monotonic_seconds();
    let result = run_reported(event_loop, handle);
    event_loop.setattr("_current_handle", event_loop.py().None())?;
    let seconds = monotonic_seconds() - began;
    let slow: f64 = event_loop.getattr("slow_callback_duration")?.extract()?;
    if result.is_ok() && seconds >= slow {
        event_loop.call_method1("_warn_of_slow_callback", (handle, seconds))?;
    }
    result
}

/// Whether an exception ends the run of the loop itself.
pub(crate) fn is_exit(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py)
}

/// Hands an exception to the loop's exception handler.
pub(crate) fn report(
    event_loop: &Bound<'_, LoopCore>,
    message: &str,
    error: PyErr,
    extra: &[(&str, &Bound<'_, PyAny>)],
) -> PyResult<()> {
    let py = event_loop.py();
    let context = PyDict::new(py);
    context.set_item("message", message)?;
    context.set_item("exception", error.into_value(py))?;
    for (key, value) in extra {
        context.set_item(key, value)?;
        if let Ok(traceback) = value.getattr("_source_traceback")
            && !traceback.is_none()
        {
            context.set_item("source_traceback", traceback)?;
        }
    }
    event_loop.call_method1(intern!(py, "call_exception_handler"), (context,)).map(drop)
}

/// Whose callback it is, as the panel and the status show it.
fn name_of(event_loop: &Bound<'_, LoopCore>, handle: &Bound<'_, Handle>) -> String {
    let name = event_loop.call_method1(intern!(handle.py(), "_name_of_callback"), (handle,));
    name.and_then(|name| name.extract()).unwrap_or_else(|error: PyErr| error.to_string())
}

pub(crate) fn is_cancelled_timer(py: Python<'_>, timer: &Py<TimerHandle>) -> bool {
    timer.bind(py).as_super().get().is_cancelled()
}
