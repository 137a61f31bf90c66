//! What a worker process and its supervisor say to each other: one JSON object a line.

use std::collections::BTreeMap;
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
    Welcome(Welcome),
    /// Make what is asked for; write it to `output_path`, which does not exist yet.
    Start {
        id: JobId,
        attempt: u32,
        template: String,
        params: Map<String, Value>,
        output: OutputRequest,
        output_path: PathBuf,
        /// The job's place in a W3C trace, for what its template asks of others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// Leave this attempt at the next chance, and answer with [`FromWorker::Failed`].
    Cancel { id: JobId, attempt: u32 },
    /// Finish nothing more; exit.
    Stop,
}

/// What a worker has to know before it can serve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Template files, and folders of them.
    pub templates: Vec<PathBuf>,
    /// Whether aiobpy's own templates are there as well.
    #[serde(default)]
    pub builtins: bool,
    /// `<first two digits>/<hash>`: the files that clients have sent.
    #[serde(default)]
    pub inputs: PathBuf,
    /// Folders in which jobs may name files.
    #[serde(default)]
    pub roots: Vec<PathBuf>,
    /// Python files, and folders of them, whose functions jobs may call.
    #[serde(default)]
    pub trusted: Vec<PathBuf>,
    /// The worker's own folder.
    #[serde(default)]
    pub folder: PathBuf,
    /// The pool that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The kind of graphics card to render on, as in `cuda`; the processor, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// What a template is made of, as the worker has loaded it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeOf {
    /// A hash of its Python file.
    pub code: String,
    /// The .blend that its jobs begin with, if that is always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<PathBuf>,
}

/// From a worker to the supervisor. Any line is also a sign of life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    Ready {
        blender_version: String,
        python_version: String,
        templates: Vec<TemplateDescription>,
        /// Of each template whose pictures may answer the same request again: what it is made of.
        #[serde(default)]
        made_of: BTreeMap<String, MadeOf>,
        /// Whose scene it has open already, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
        /// Whether it can leave an attempt within a frame: see [`ToWorker::Cancel`].
        #[serde(default)]
        can_leave: bool,
    },
    Progressed {
        id: JobId,
        attempt: u32,
        progress: f64,
        message: String,
    },
    /// There is a picture of how far it is, in the worker's folder.
    Pictured {
        id: JobId,
        attempt: u32,
        picture: PictureUnderWay,
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

/// A picture that a job has made on its way, which is gone with the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PictureUnderWay {
    /// A whole one, as the frame of a video: a PNG.
    Whole { path: PathBuf },
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
    /// The pool that it is in, if that has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What it renders on, as in `cuda:0`; the processor, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The memory that it holds, if it is on the node that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// How many workers in a row have gone from this place without having done a job. The more, the longer it
    /// takes until the next is started: a minute at most.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failures: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_none(failures: &u32) -> bool {
    *failures == 0
}
