//! The one place that reads the time.

use jiff::Timestamp;
use tokio::time::Instant;

/// For measuring how long something takes.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// For saying when something happened.
pub(crate) fn timestamp() -> Timestamp {
    Timestamp::now()
}
