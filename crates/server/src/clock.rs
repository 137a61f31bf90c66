//! The one place that reads the time.

use std::time::{Duration, Instant, SystemTime};

/// What the calendar says, as files and HTTP's dates have it.
pub(crate) fn today() -> SystemTime {
    SystemTime::now()
}

/// Measures from the moment it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the room's clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
