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
    #[error("a fleet of no workers cannot render")]
    NoWorkers,
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
            Self::NoWorkers => "give `--workers` at least 1",
            Self::StartThread { .. } => "the machine is out of threads or memory",
        }
    }
}
