//! What a fleet is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

/// Where a fleet keeps its things, what it renders, and with how many Blenders.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// A folder of the fleet's own: the queue's database, the artefacts and the images under way.
    pub data_dir: PathBuf,
    /// Template files, or folders whose `*.py` files are looked through for templates.
    pub templates: Vec<PathBuf>,
    /// How many Blenders to keep warm.
    pub workers: usize,
    pub launch: WorkerLaunch,
    /// A worker that says nothing for this long is taken for lost.
    pub silence_limit: Duration,
    /// How long a worker may take to load Blender and the templates.
    pub start_limit: Duration,
    /// How often a job is started before it is given up.
    pub attempts: u32,
}

impl FleetConfig {
    /// The usual limits: 15 s of silence, 120 s to start, 3 attempts.
    pub fn new(data_dir: PathBuf, templates: Vec<PathBuf>, launch: WorkerLaunch) -> Self {
        Self {
            data_dir,
            templates,
            workers: 1,
            launch,
            silence_limit: Duration::from_secs(15),
            start_limit: Duration::from_mins(2),
            attempts: 3,
        }
    }
}

impl FleetConfig {
    /// Where workers write: one folder each, removed with its worker.
    pub(crate) fn work_dir(&self) -> PathBuf {
        self.data_dir.join("work")
    }
}

/// How a worker process is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerLaunch {
    /// `python -m aiobpy.worker`: a Python that has `aiobpy` and the `bpy` module.
    BpyModule { python: PathBuf },
    /// `blender --background`: a real Blender. `package_dir` holds the folder `aiobpy`.
    Blender { path: PathBuf, package_dir: PathBuf },
}
