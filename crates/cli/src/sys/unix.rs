//! Signals.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::io::AsyncReadExt;

/// Each Ctrl-C and each request to terminate, from [`Interruptions::watch`] on.
pub(crate) struct Interruptions {
    /// A byte comes out of it for each.
    signals: UnixStream,
}

impl Interruptions {
    pub(crate) fn watch() -> io::Result<Self> {
        let (signals, writer) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Self { signals })
    }

    /// Waits for the next one.
    pub(crate) async fn next(self) -> io::Result<()> {
        tokio::net::UnixStream::from_std(self.signals)?.read_u8().await.map(drop)
    }
}

/// `$XDG_DATA_HOME`, or `~/.local/share`.
pub(crate) fn data_folder() -> Option<PathBuf> {
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))
}
