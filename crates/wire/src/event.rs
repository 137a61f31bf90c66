//! What happened, as `GET /api/v1/events` and `GET /api/v1/jobs/{id}/events` tell it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Artefact, Job, JobId, Problem, WorkerId};

/// Something that a user cares about. The `type` in JSON is also the name of the server-sent event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    #[serde(rename = "job.queued")]
    JobQueued { job: Box<Job> },
    #[serde(rename = "job.started")]
    JobStarted { id: JobId, attempt: u32, worker: WorkerId },
    #[serde(rename = "job.progressed")]
    JobProgressed { id: JobId, attempt: u32, progress: f64, message: String },
    /// There is a newer picture of it, the attempt's `number`th. Kept nowhere: who was not there has missed
    /// it, and its record has the number of the last event before it.
    #[serde(rename = "job.preview")]
    JobPreview { id: JobId, attempt: u32, number: u64 },
    /// The attempt was lost with its worker; the job waits for another.
    #[serde(rename = "job.requeued")]
    JobRequeued { id: JobId, attempt: u32, problem: Problem },
    #[serde(rename = "job.finished")]
    JobFinished {
        id: JobId,
        /// 0 of a job that was never begun: what was asked for was there.
        attempt: u32,
        artefact: Artefact,
        /// The job that has made it, if that was an earlier one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cached_from: Option<JobId>,
    },
    #[serde(rename = "job.failed")]
    JobFailed { id: JobId, attempt: u32, problem: Problem },
    #[serde(rename = "job.cancelled")]
    JobCancelled { id: JobId },
    #[serde(rename = "worker.ready")]
    WorkerReady { worker: WorkerId },
    /// The worker has done its share and makes room for a fresh one.
    #[serde(rename = "worker.recycled")]
    WorkerRecycled { worker: WorkerId, reason: String },
    #[serde(rename = "worker.lost")]
    WorkerLost { worker: WorkerId, problem: Problem },
    /// Published by Python: `aiobpy.publish("my_addon.saved", {...})`.
    #[serde(rename = "message")]
    Message { topic: String, data: Value },
}

impl Event {
    /// The `type` member, which is also the `event:` field of the server-sent event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::JobQueued { .. } => "job.queued",
            Self::JobStarted { .. } => "job.started",
            Self::JobProgressed { .. } => "job.progressed",
            Self::JobPreview { .. } => "job.preview",
            Self::JobRequeued { .. } => "job.requeued",
            Self::JobFinished { .. } => "job.finished",
            Self::JobFailed { .. } => "job.failed",
            Self::JobCancelled { .. } => "job.cancelled",
            Self::WorkerReady { .. } => "worker.ready",
            Self::WorkerRecycled { .. } => "worker.recycled",
            Self::WorkerLost { .. } => "worker.lost",
            Self::Message { .. } => "message",
        }
    }

    /// Whether it is the last that is told of its job.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::JobFinished { .. } | Self::JobFailed { .. } | Self::JobCancelled { .. }
        )
    }

    /// Whether it is kept, so that who comes back is told of it.
    pub fn is_kept(&self) -> bool {
        !matches!(self, Self::JobPreview { .. })
    }

    /// The job that it is about, if it is about one.
    pub fn job_id(&self) -> Option<JobId> {
        match self {
            Self::JobQueued { job } => Some(job.id),
            Self::JobStarted { id, .. }
            | Self::JobProgressed { id, .. }
            | Self::JobPreview { id, .. }
            | Self::JobRequeued { id, .. }
            | Self::JobFinished { id, .. }
            | Self::JobFailed { id, .. }
            | Self::JobCancelled { id } => Some(*id),
            Self::WorkerReady { .. }
            | Self::WorkerRecycled { .. }
            | Self::WorkerLost { .. }
            | Self::Message { .. } => None,
        }
    }
}

/// An event with its place in the order of things: `sequence` is what `Last-Event-ID` names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    pub sequence: u64,
    pub at: Timestamp,
    /// That of the job that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(flatten)]
    pub event: Event,
}
