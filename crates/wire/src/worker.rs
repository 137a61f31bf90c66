//! What a worker process and its supervisor say to each other: one JSON object a line.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{JobId, OutputRequest, Problem, TemplateDescription};

/// Names one worker process; a replacement gets a new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub String);

impl WorkerId {
    /// The name of the node that it works on, which stands before the slash; empty where the fleet is one
    /// node only, whose workers are named without one.
    pub fn node(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(node, _)| node)
    }

    /// Its name on its node.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// From the supervisor to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// Load these template files and answer with [`FromWorker::Ready`].
    Welcome { templates: Vec<PathBuf> },
    /// Render; write the image to `output_path`, which does not exist yet.
    Start {
        id: JobId,
        attempt: u32,
        template: String,
        params: Map<String, Value>,
        output: OutputRequest,
        output_path: PathBuf,
    },
    /// Finish nothing more; exit.
    Stop,
}

/// From a worker to the supervisor. Any line is also a sign of life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    Ready {
        blender_version: String,
        python_version: String,
        templates: Vec<TemplateDescription>,
    },
    Progressed {
        id: JobId,
        attempt: u32,
        progress: f64,
        message: String,
    },
    Finished {
        id: JobId,
        attempt: u32,
    },
    Failed {
        id: JobId,
        attempt: u32,
        problem: Problem,
    },
    /// Sent by a Rust thread while Python may be blocked: the process is there.
    Alive,
    /// The worker cannot serve at all, as with a Blender that is too old.
    Unusable {
        problem: Problem,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    Starting,
    Warm,
    Busy,
    Lost,
}

/// A worker as `GET /api/v1/workers` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerDescription {
    pub id: WorkerId,
    pub state: WorkerState,
    pub pid: Option<u32>,
    pub blender_version: Option<String>,
    pub job: Option<JobId>,
    pub jobs_done: u64,
    /// Why it is lost, if it is: what it printed last is in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
