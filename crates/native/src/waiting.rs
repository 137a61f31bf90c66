//! How the main thread waits for I/O: alone it drives the poll itself; as a guest it leaves that to
//! the I/O thread, but for the moments in which an answer is under way.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use aiobpy_reactor::{Parked, Reactor, monotonic_seconds};
use pyo3::prelude::*;

use crate::errors::os_error;
use crate::loop_core::LoopCore;

/// What a loop remembers of its I/O from turn to turn.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// The loop stands alone at this moment.
    is_alone: AtomicBool,
    /// The bits of the time of the last look at the poll, in seconds of the monotonic clock.
    last_look: AtomicU64,
    /// Something has been sent or received in this tick.
    is_active: AtomicBool,
    /// How many times in a row lingering has brought nothing.
    futile: AtomicU32,
    /// The main thread waits, or is about to. Set while it holds the GIL: who has the GIL and sees
    /// that it is not set was there before the main thread looks for what there is to do.
    may_park: AtomicBool,
}

/// One tick of a guest.
pub(crate) struct Tick {
    pub(crate) began: f64,
    /// In seconds.
    pub(crate) budget: f64,
    /// The main thread drives the poll until the tick ends.
    has_taken_over: bool,
}

/// The longest wait in one go, in seconds, as asyncio has it.
const LONGEST_WAIT: f64 = 24.0 * 3600.0;
/// While callbacks are ready, the poll is looked at so often, in seconds: a look costs as much as
/// several callbacks.
const LOOK_EVERY: f64 = 250e-6;
/// How long a guest waits for an answer that is under way, in seconds of its budget.
const LINGER: f64 = 200e-6;
/// Having lingered so often in vain, a guest tries only now and then.
const FUTILE_MAX: u32 = 3;
const TRY_EVERY: u32 = 16;

impl Tick {
    pub(crate) fn new(budget: f64) -> Self {
        Self { began: monotonic_seconds(), budget, has_taken_over: false }
    }
}

impl Waiting {
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone.load(Ordering::Relaxed)
    }

    /// Something has been sent, or a protocol has been given something.
    pub(crate) fn note_active(&self) {
        self.is_active.store(true, Ordering::Relaxed);
    }

    /// Whether the main thread has to be woken for what it is left. Asked by whoever holds the GIL.
    pub(crate) fn may_park(&self) -> bool {
        self.may_park.load(Ordering::Relaxed)
    }

    /// Waits without the GIL.
    fn park<T: Send>(&self, py: Python<'_>, park: impl FnOnce() -> T + Send) -> T {
        self.may_park.store(true, Ordering::Relaxed);
        let result = py.detach(park);
        self.may_park.store(false, Ordering::Relaxed);
        result
    }

    fn is_linger_worthwhile(&self) -> bool {
        self.is_active.load(Ordering::Relaxed) && {
            let futile = self.futile.load(Ordering::Relaxed);
            futile < FUTILE_MAX || {
                self.futile.store(futile + 1, Ordering::Relaxed);
                futile.is_multiple_of(TRY_EVERY)
            }
        }
    }

    fn note_linger(&self, has_come: bool) {
        if has_come {
            self.futile.store(0, Ordering::Relaxed);
        } else {
            self.futile.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LoopCore {
    /// The main thread drives the poll from now on.
    pub(crate) fn begin_alone(&self) -> PyResult<()> {
        self.waiting.is_alone.store(true, Ordering::Relaxed);
        self.started_reactor().map_or(Ok(()), |reactor| self.take_over(&reactor))
    }

    pub(crate) fn take_over(&self, reactor: &Reactor) -> PyResult<()> {
        reactor.take_over();
        self.queue.watch_signals(reactor).map_err(os_error)
    }

    /// The I/O thread drives the poll from now on.
    pub(crate) fn end_alone(&self) {
        self.waiting.is_alone.store(false, Ordering::Relaxed);
        if let Some(reactor) = self.started_reactor() {
            self.queue.forget_signals(&reactor);
            reactor.hand_back();
        }
    }

    /// Before a turn of a loop that stands alone, at `now`: waits for the next thing to do, if there
    /// is none. Returns what time it is then.
    pub(crate) fn look_for_io(&self, event_loop: &Bound<'_, Self>, now: f64) -> PyResult<f64> {
        let py = event_loop.py();
        let is_ready = !self.queue.is_empty() || self.is_stopping.load(Ordering::Relaxed);
        let limit = if is_ready {
            Some(0.0)
        } else {
            let due = self.next_due(py);
            due.filter(|_| !self.clock.is_manual() || self.is_timer_due(py))
                .map(|due| (due - self.clock.now()).max(0.0))
        };
        if limit == Some(0.0) {
            let last_look = f64::from_bits(self.waiting.last_look.load(Ordering::Relaxed));
            if now - last_look < LOOK_EVERY {
                py.check_signals()?;
                return Ok(now);
            }
            self.waiting.last_look.store(now.to_bits(), Ordering::Relaxed);
            match self.started_reactor() {
                Some(reactor) => {
                    Self::after_wait(event_loop, self.queue.look_around(&reactor))?;
                }
                None => py.check_signals()?,
            }
            return Ok(now);
        }
        self.wait(event_loop, limit)?;
        let now = monotonic_seconds();
        self.waiting.last_look.store(now.to_bits(), Ordering::Relaxed);
        Ok(now)
    }

    /// Waits until something is ready, for `seconds` at most; may return early.
    pub(crate) fn wait(&self, event_loop: &Bound<'_, Self>, seconds: Option<f64>) -> PyResult<()> {
        let limit = seconds.map(duration);
        let reactor = self.started_reactor().filter(|it| it.is_driven_by_main_thread());
        let parked = self.waiting.park(event_loop.py(), || match reactor {
            Some(reactor) => self.queue.park_in_poll(&reactor, limit),
            None => self.queue.park(limit),
        });
        Self::after_wait(event_loop, parked)
    }

    /// Within a guest's tick, when nothing is ready: waits a little if an answer may be under way.
    /// Returns whether something has come.
    pub(crate) fn linger(&self, event_loop: &Bound<'_, Self>, tick: &mut Tick) -> PyResult<bool> {
        let left = tick.budget - (monotonic_seconds() - tick.began);
        let Some(reactor) = self.started_reactor() else { return Ok(false) };
        if left <= 0.0 || !self.waiting.is_linger_worthwhile() {
            return Ok(false);
        }
        let until_due = self.next_due(event_loop.py()).filter(|_| !self.clock.is_manual());
        let until_due = until_due.map_or(f64::INFINITY, |due| due - self.clock.now());
        let limit = Some(duration(LINGER.min(left).min(until_due)));
        let parked = self.waiting.park(event_loop.py(), || {
            if !tick.has_taken_over {
                reactor.take_over();
                tick.has_taken_over = true;
            }
            self.queue.park_in_poll(&reactor, limit)
        });
        let has_come = self.has_ready(event_loop.py());
        self.waiting.note_linger(has_come);
        Self::after_wait(event_loop, parked)?;
        Ok(has_come)
    }

    pub(crate) fn end_tick(&self, tick: &Tick) {
        self.waiting.is_active.store(false, Ordering::Relaxed);
        if tick.has_taken_over
            && let Some(reactor) = self.started_reactor()
        {
            reactor.hand_back();
        }
    }

    fn after_wait(event_loop: &Bound<'_, Self>, parked: Parked) -> PyResult<()> {
        event_loop.py().check_signals()?;
        if let Parked::Signalled(signals) = parked {
            event_loop.call_method1("_process_self_data", (signals,))?;
        }
        Ok(())
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_WAIT))
}
