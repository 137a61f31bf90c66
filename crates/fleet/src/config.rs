//! What a fleet is told when it starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aiobpy_wire::Welcome;

use crate::pool::{Berth, Pool};
use crate::tenants::Tenant;

/// Where a fleet keeps its things, what it renders, and with how many Blenders.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// A folder of the fleet's own: the queue's database, the artefacts and the files under way.
    pub data_dir: PathBuf,
    /// Template files, or folders whose `*.py` files are looked through for templates.
    pub templates: Vec<PathBuf>,
    /// Whether aiobpy's own templates are there as well.
    pub builtins: bool,
    /// Folders in which jobs may name files by their path.
    pub roots: Vec<PathBuf>,
    /// Python files, and folders of them, whose functions jobs may call.
    pub trusted: Vec<PathBuf>,
    /// How many Blenders to keep warm.
    pub workers: usize,
    pub launch: WorkerLaunch,
    /// Where jobs are kept.
    pub engine: EngineChoice,
    /// What the other nodes call this one; made from the host's name if left out. Nobody else may have it.
    pub node: Option<String>,
    /// More Blenders, of other kinds, for jobs that name their pool.
    pub pools: Vec<Pool>,
    /// A worker that says nothing for this long is taken for lost.
    pub silence_limit: Duration,
    /// A node that is not heard of for this long has lost its jobs to the others.
    pub lease: Duration,
    /// How long a worker may take to load Blender and the templates.
    pub start_limit: Duration,
    /// A job that makes no progress for this long hangs, and its worker with it.
    pub hang_limit: Duration,
    /// How often a job is started before it is given up.
    pub attempts: u32,
    /// So many workers may crash or hang at a job; then it is kept from the others.
    pub crashes: u32,
    /// So many jobs may wait; the next is told to come later.
    pub most_waiting: usize,
    /// Whether what a job has made answers the same request again.
    pub cache: bool,
    /// How long jobs that have ended are kept, with their files.
    pub keep_ended: Duration,
    pub recycling: Recycling,
    /// Those who share the fleet.
    pub tenants: Vec<Tenant>,
}

/// When a worker has done its share and makes room for a fresh one: a Blender that renders for days
/// grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recycling {
    pub jobs: Option<u64>,
    /// Bytes of memory, looked at between two jobs.
    pub resident_bytes: Option<u64>,
    pub age: Option<Duration>,
}

impl FleetConfig {
    /// The usual limits: 15 s of silence of a worker or a node, 10 min without progress, 2 min to start, 5 attempts of
    /// which 2 may crash, 10,000 jobs that wait, 7 days that ended ones are kept, and workers that
    /// go after a day or 1,000 jobs.
    pub fn new(data_dir: PathBuf, templates: Vec<PathBuf>, launch: WorkerLaunch) -> Self {
        Self {
            data_dir,
            templates,
            builtins: true,
            roots: Vec::new(),
            trusted: Vec::new(),
            workers: 1,
            launch,
            engine: EngineChoice::Embedded,
            node: None,
            pools: Vec::new(),
            silence_limit: Duration::from_secs(15),
            lease: Duration::from_secs(15),
            start_limit: Duration::from_mins(2),
            hang_limit: Duration::from_mins(10),
            attempts: 5,
            crashes: 2,
            most_waiting: 10_000,
            cache: true,
            keep_ended: Duration::from_hours(7 * 24),
            recycling: Recycling {
                jobs: Some(1000),
                resident_bytes: None,
                age: Some(Duration::from_hours(24)),
            },
            tenants: Vec::new(),
        }
    }
}

impl FleetConfig {
    /// Where workers write: one folder each, removed with its worker.
    pub(crate) fn work_dir(&self) -> PathBuf {
        self.data_dir.join("work")
    }

    /// Where the files are that clients have sent.
    pub(crate) fn inputs_dir(&self) -> PathBuf {
        self.data_dir.join("inputs")
    }

    /// What a worker with a folder of its own has to know.
    pub(crate) fn welcome(&self, folder: &Path, berth: &Berth) -> Welcome {
        Welcome {
            templates: self.templates.clone(),
            builtins: self.builtins,
            inputs: self.inputs_dir(),
            roots: self.roots.clone(),
            trusted: self.trusted.clone(),
            folder: folder.into(),
            pool: berth.pool.clone(),
            device: berth.device.as_ref().map(|device| device.kind().to_owned()),
        }
    }
}

/// Which engine keeps the jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The fleet's own, in its data folder: nothing to install.
    #[default]
    Embedded,
    /// Servers of NATS with `JetStream`, which several nodes share.
    Nats(NatsConfig),
}

/// Where the servers are, and which of the fleets that they serve it is.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsConfig {
    /// As in `nats://host:4222`, with user and password if the servers ask for them.
    pub servers: Vec<String>,
    /// The name of the fleet: letters, digits, `-` and `_`.
    pub fleet: String,
}

impl std::fmt::Debug for NatsConfig {
    /// Without the servers, whose addresses may have a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NatsConfig").field("fleet", &self.fleet).finish_non_exhaustive()
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
