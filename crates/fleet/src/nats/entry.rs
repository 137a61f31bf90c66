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
    /// Whether the event is that the job waits now: it would have the whole job once more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_new: bool,
}

impl Entry {
    pub(super) fn of(changed: Changed) -> Self {
        let Changed { job, event } = changed;
        if matches!(event, Event::JobQueued { .. }) {
            return Self { is_new: true, ..Self::new(Some(job), None) };
        }
        Self::new(Some(job), Some(event))
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
        let traceparent = self.job.as_ref().and_then(|job| job.traceparent.clone());
        let event = match (self.event, self.job) {
            (Some(event), _) => event,
            (None, Some(job)) if self.is_new => Event::JobQueued { job: Box::new(job) },
            (None, _) => return None,
        };
        Some(EventRecord { sequence, at: self.at, traceparent, event })
    }

    fn new(job: Option<Job>, event: Option<Event>) -> Self {
        Self { write: Uuid::now_v7(), at: clock::timestamp(), job, event, is_new: false }
    }
}

/// What a client calls a request: the job that it became, and what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) write: Uuid,
    pub(super) job: JobId,
    pub(super) request_hash: String,
}

#[cfg(test)]
mod tests {
    use aiobpy_wire::{JobRequest, WorkerId};

    use super::*;
    use crate::engine::Terms;
    use crate::rules;

    #[test]
    fn a_message_tells_what_was_written() {
        let id = JobId::new(Uuid::now_v7());
        let queued =
            rules::submitted(id, JobRequest::new("mug"), &Terms::default(), clock::timestamp());
        let worker = WorkerId("a/worker-1".into());
        let started = rules::started(queued.job.clone(), &worker, clock::timestamp()).unwrap();
        for changed in [queued.clone(), started] {
            let text = serde_json::to_string(&Entry::of(changed.clone())).unwrap();
            let entry: Entry = serde_json::from_str(&text).unwrap();
            assert_eq!(entry.job.as_ref(), Some(&changed.job));
            assert_eq!(entry.record(7).unwrap().event, changed.event);
        }
        assert_eq!(Entry::again(queued.job).record(7), None);
        assert_eq!(Entry::nothing().record(7), None);
    }
}
