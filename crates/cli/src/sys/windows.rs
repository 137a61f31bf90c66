//! What the console says.

use std::io;
use std::path::{Path, PathBuf};

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};

/// Each Ctrl-C and each request to terminate, from [`Interruptions::watch`] on.
pub(crate) struct Interruptions {
    typed: CtrlC,
    /// How one program asks another: `CTRL_C_EVENT` reaches the whole console.
    asked: CtrlBreak,
    window_closed: CtrlClose,
    machine_stops: CtrlShutdown,
}

impl Interruptions {
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self {
            typed: ctrl_c()?,
            asked: ctrl_break()?,
            window_closed: ctrl_close()?,
            machine_stops: ctrl_shutdown()?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(mut self) -> io::Result<()> {
        tokio::select! {
            _ = self.typed.recv() => {}
            _ = self.asked.recv() => {}
            _ = self.window_closed.recv() => {}
            _ = self.machine_stops.recv() => {}
        }
        Ok(())
    }
}

/// `%LOCALAPPDATA%`.
pub(crate) fn data_folder() -> Option<PathBuf> {
    std::env::var_os("LOCALAPPDATA").map(PathBuf::from)
}

/// Nobody has asked yet.
pub(crate) fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

/// Here, a worker that has lost its server has ended with its job object.
pub(crate) fn orphans(_texts: &[&str]) -> Vec<u32> {
    Vec::new()
}
