//! The one place that reads the time.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys;

/// Seconds that never go back. On Linux this is the clock, with its zero, of Python's `time.monotonic()`.
pub fn monotonic_seconds() -> f64 {
    sys::monotonic_seconds()
}

/// The time as a loop sees it: the real one, or one that a test drives by hand.
#[derive(Debug)]
pub struct Clock {
    /// The bits of the seconds that a test has set; `REAL` while nobody has.
    manual: AtomicU64,
}

/// A NaN that no clock can show.
const REAL: u64 = u64::MAX;

impl Clock {
    pub fn new() -> Self {
        Self { manual: AtomicU64::new(REAL) }
    }

    /// Seconds since an arbitrary moment; never goes back.
    pub fn now(&self) -> f64 {
        match self.manual.load(Ordering::Relaxed) {
            REAL => monotonic_seconds(),
            bits => f64::from_bits(bits),
        }
    }

    /// From now on the time is `seconds`, until it is set again.
    pub fn set(&self, seconds: f64) {
        self.manual.store(seconds.to_bits(), Ordering::Relaxed);
    }

    /// Whether a test drives it: then no wait in real time brings the next timer nearer.
    pub fn is_manual(&self) -> bool {
        self.manual.load(Ordering::Relaxed) != REAL
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_clock_does_not_go_back() {
        let clock = Clock::new();
        let earlier = clock.now();
        assert!(clock.now() >= earlier);
        assert!(!clock.is_manual());
    }

    #[test]
    fn a_clock_that_was_set_stands_still() {
        let clock = Clock::new();
        clock.set(12.5);
        assert!((clock.now() - 12.5).abs() < f64::EPSILON);
        assert!(clock.is_manual());
    }
}
