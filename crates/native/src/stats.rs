//! What the loop counts, readable from any thread without Python.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use aiobpy_reactor::monotonic_seconds;
use aiobpy_wire::{LoopStatus, SlowCallback};

use crate::handle::lock;

#[derive(Debug, Default)]
pub(crate) struct Stats {
    ticks: AtomicU64,
    callbacks: AtomicU64,
    nanoseconds_in_callbacks: AtomicU64,
    overruns: AtomicU64,
    /// The bits of the time of the last tick, in seconds of the monotonic clock.
    last_tick: AtomicU64,
    slowest: Mutex<Vec<SlowCallback>>,
}

/// So many of the slowest callbacks are remembered by name.
const SLOWEST_KEPT: usize = 5;
/// A callback that takes less, in seconds, is not worth a name.
const SLOW_FROM: f64 = 0.001;

impl Stats {
    /// `now` is the time of the monotonic clock.
    pub(crate) fn note_tick(&self, callbacks: u64, now: f64, seconds: f64, is_overrun: bool) {
        add(&self.ticks, 1);
        add(&self.callbacks, callbacks);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration")]
        let nanoseconds = (seconds.max(0.0) * 1e9) as u64;
        add(&self.nanoseconds_in_callbacks, nanoseconds);
        add(&self.overruns, u64::from(is_overrun));
        self.note_alive(now);
    }

    /// The main thread came by at `now`, though it may have had nothing to do.
    pub(crate) fn note_alive(&self, now: f64) {
        self.last_tick.store(now.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn seconds_since_tick(&self) -> f64 {
        (monotonic_seconds() - f64::from_bits(self.last_tick.load(Ordering::Relaxed))).max(0.0)
    }

    /// Whether a callback that took so long belongs among the slowest: then find out its name.
    pub(crate) fn is_among_slowest(&self, seconds: f64) -> bool {
        seconds >= SLOW_FROM && {
            let slowest = lock(&self.slowest);
            slowest.len() < SLOWEST_KEPT || slowest.iter().any(|slow| slow.seconds < seconds)
        }
    }

    pub(crate) fn note_slow(&self, name: String, seconds: f64) {
        let mut slowest = lock(&self.slowest);
        match slowest.iter_mut().find(|slow| slow.name == name) {
            Some(slow) => slow.seconds = slow.seconds.max(seconds),
            None => slowest.push(SlowCallback { name, seconds }),
        }
        slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        slowest.truncate(SLOWEST_KEPT);
    }

    pub(crate) fn status(&self) -> LoopStatus {
        #[expect(clippy::cast_precision_loss, reason = "exact for 104 days, and good enough after")]
        let nanoseconds = self.nanoseconds_in_callbacks.load(Ordering::Relaxed) as f64;
        LoopStatus {
            ticks: self.ticks.load(Ordering::Relaxed),
            callbacks: self.callbacks.load(Ordering::Relaxed),
            seconds_in_callbacks: nanoseconds / 1e9,
            overruns: self.overruns.load(Ordering::Relaxed),
            slowest: lock(&self.slowest).clone(),
        }
    }
}

/// Only the thread that runs the loop counts: no locked addition.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}
