//! A message of the stream: what a job has become, and the event that tells of it.

use aiobpy_wire::{Event, EventRecord, Job, JobId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;
use crate::rules::Changed;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Names the write: who got no answer finds out by it whether it was stored.
    pub(super) write: Uuid,
    pub(super) at: Timestamp,
    /// As it is from here on; `None` where the event is of no job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<Job>,
    /// `None` where nothing is told, as when a job is only kept from growing too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<Event>,
}

impl Entry {
    pub(super) fn of(changed: Changed) -> Self {
        Self::new(Some(changed.job), Some(changed.event))
    }

    pub(super) fn telling(event: Event) -> Self {
        Self::new(None, Some(event))
    }

    /// The same job once more.
    pub(super) fn again(job: Job) -> Self {
        Self::new(Some(job), None)
    }

    /// Of a message that says nothing.
    pub(super) fn nothing() -> Self {
        Self::new(None, None)
    }

    pub(super) fn record(self, sequence: u64) -> Option<EventRecord> {
        Some(EventRecord { sequence, at: self.at, event: self.event? })
    }

    fn new(job: Option<Job>, event: Option<Event>) -> Self {
        Self { write: Uuid::now_v7(), at: clock::timestamp(), job, event }
    }
}

/// What a client calls a request: the job that it became, and what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) write: Uuid,
    pub(super) job: JobId,
    pub(super) request_hash: String,
}
