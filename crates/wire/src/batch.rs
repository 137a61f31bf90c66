//! A batch: one request, many jobs that differ in their frames or their parameters.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{JobRequest, JobState, Webhook};

/// Names a batch for good. A UUID of version 7, so that ids sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(Uuid);

impl BatchId {
    pub fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::str::FromStr for BatchId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a client asks for: the body of `POST /api/v1/batches`. Each variant is made of each frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// What all of its jobs have in common.
    pub job: JobRequest,
    /// As in `1-24x2,30`: from 1 to 24 each second one, and 30. Each job gets one of them as its
    /// output's `frame`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<String>,
    /// Parameters, each in the place of those of the same name in `job`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Map<String, Value>>,
    /// Parameters and the values that each is to take: all combinations, the last one changing
    /// fastest.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub matrix: Map<String, Value>,
    /// Who is to be told when all of it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// A batch as a client sees it: the answer of `GET /api/v1/batches/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub id: BatchId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub template: String,
    /// `running` while any job waits or runs; `finished` if all have; else what became of the others.
    pub state: JobState,
    pub jobs: BatchCounts,
    /// From 0 to 1, of all jobs together.
    pub progress: f64,
    pub created_at: Timestamp,
    /// When the last of its jobs that have ended did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Batch {
    /// One without jobs: [`Self::add`] them.
    pub fn new(
        id: BatchId,
        tenant: Option<String>,
        template: String,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant,
            template,
            state: JobState::Queued,
            jobs: BatchCounts::default(),
            progress: 0.0,
            created_at,
            ended_at: None,
        }
    }

    /// Adds so many of its jobs in one state: how far they are in all, and when the last has ended.
    pub fn add(&mut self, state: JobState, count: u64, progress: f64, ended_at: Option<Timestamp>) {
        let before = self.progress * as_number(self.jobs.total);
        let done = if state.is_final() { as_number(count) } else { progress };
        self.jobs.add(state, count);
        self.progress = (before + done) / as_number(self.jobs.total).max(1.0);
        self.state = self.jobs.state();
        self.ended_at = self.ended_at.max(ended_at);
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are no 2^52 jobs")]
fn as_number(count: u64) -> f64 {
    count as f64
}

/// How many jobs of a batch are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchCounts {
    pub total: u64,
    pub queued: u64,
    pub running: u64,
    pub finished: u64,
    pub failed: u64,
    pub cancelled: u64,
}

impl BatchCounts {
    /// Adds so many jobs in one state.
    pub fn add(&mut self, state: JobState, count: u64) {
        self.total += count;
        *match state {
            JobState::Queued => &mut self.queued,
            JobState::Running => &mut self.running,
            JobState::Finished => &mut self.finished,
            JobState::Failed => &mut self.failed,
            JobState::Cancelled => &mut self.cancelled,
        } += count;
    }

    /// What the whole of it is.
    pub fn state(&self) -> JobState {
        match self {
            Self { running: 1.., .. } => JobState::Running,
            Self { queued, total, .. } if *queued > 0 && queued == total => JobState::Queued,
            Self { queued: 1.., .. } => JobState::Running,
            Self { failed: 1.., .. } => JobState::Failed,
            Self { cancelled: 1.., .. } => JobState::Cancelled,
            _ => JobState::Finished,
        }
    }
}
