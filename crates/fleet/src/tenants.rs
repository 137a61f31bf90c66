//! Those who share a fleet, and how much of it each may have.

use serde::Deserialize;

/// One of those who share a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tenant {
    pub name: String,
    /// So many of its jobs may wait; as many as of all, if left out.
    #[serde(default)]
    pub most_waiting: Option<usize>,
    /// So many of its jobs may run at once; all there is room for, if left out.
    #[serde(default)]
    pub most_running: Option<usize>,
    /// Its jobs have this priority at most.
    #[serde(default)]
    pub highest_priority: i8,
}
