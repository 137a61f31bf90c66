//! A job: one template, its parameters, one file.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{BatchId, OutputRequest, Problem, Webhook, WorkerId};

/// Names a job for good. A UUID of version 7, so that ids sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    pub fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::str::FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a client asks for: the body of `POST /api/v1/jobs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    pub template: String,
    /// The template's own parameters; those left out take the template's defaults.
    #[serde(default)]
    pub params: Map<String, Value>,
    #[serde(default)]
    pub output: OutputRequest,
    /// Jobs of higher priority come first; -100 to 100.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub priority: i8,
    /// How long an attempt may take; as long as it goes on, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// The workers that may do it; those that the template names, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Who is to be told what becomes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Whether what an earlier job has made of the same is good enough.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub cache: bool,
}

impl JobRequest {
    /// A job as a template's defaults have it.
    pub fn new(template: impl Into<String>) -> Self {
        Self {
            template: template.into(),
            params: Map::new(),
            output: OutputRequest::default(),
            priority: 0,
            timeout_seconds: None,
            pool: None,
            webhook: None,
            cache: true,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_usual(priority: &i8) -> bool {
    *priority == 0
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_yes(said: &bool) -> bool {
    *said
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    Finished,
    Failed,
    Cancelled,
}

impl JobState {
    /// Whether nothing more will happen to the job.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// A job as a client sees it: the answer of `GET /api/v1/jobs/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    #[serde(flatten)]
    pub request: JobRequestFields,
    /// Whose it is; nobody's in particular without tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The place in a W3C trace of the request that asked for it: a `traceparent` for what is done in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The batch that it belongs to, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    pub state: JobState,
    /// How often a worker has started it; 0 while it has never run.
    pub attempt: u32,
    /// How many workers have crashed or hung at it.
    #[serde(default)]
    pub crashes: u32,
    /// From 0 to 1, of the attempt under way.
    pub progress: f64,
    /// What Blender is doing, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artefact: Option<Artefact>,
    /// The same for jobs of which the same is made, once that is made; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
    /// The job that has made its artefact, if that was an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<JobId>,
    /// Why it failed; also why the attempt before this one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// [`JobRequest`] once more, for a place where serde cannot both flatten and deny unknown fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRequestFields {
    pub template: String,
    pub params: Map<String, Value>,
    pub output: OutputRequest,
    #[serde(default, skip_serializing_if = "is_usual")]
    pub priority: i8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// The workers that may do it; those that the template names, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub cache: bool,
}

impl From<JobRequest> for JobRequestFields {
    fn from(request: JobRequest) -> Self {
        let JobRequest {
            template,
            params,
            output,
            priority,
            timeout_seconds,
            pool,
            webhook,
            cache,
        } = request;
        Self { template, params, output, priority, timeout_seconds, pool, webhook, cache }
    }
}

/// A file that a job left behind, named by what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// The BLAKE3 hash of the bytes, as 64 hexadecimal digits.
    pub hash: String,
    pub content_type: String,
    pub bytes: u64,
}
