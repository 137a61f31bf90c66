//! Signals, file systems and `/proc`.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

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

/// How many bytes this user may still write below `folder`; `None` if nobody knows.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The processes whose command line holds one of the texts, and whose parent has gone; nothing where there is no
/// `/proc`.
pub(crate) fn orphans(texts: &[&str]) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| is_orphan(*pid, texts)).collect()
}

fn is_orphan(pid: u32, texts: &[&str]) -> bool {
    let Ok(command) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    if !texts.iter().any(|text| command.contains(text)) {
        return false;
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    // Who has lost its parent is given to the first process.
    parent.is_some_and(|parent| parent.trim() == "1")
}
