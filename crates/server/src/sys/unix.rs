//! File modes and signals.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::net::UnixListener;

pub(crate) type LocalStream = tokio::net::UnixStream;

/// A Unix socket that listens at a path, for this user alone. Dropped, it removes its file.
pub(crate) struct LocalListener {
    listener: UnixListener,
    path: PathBuf,
    /// The device and the number of its file, so that it removes no other.
    file: (u64, u64),
}

impl LocalListener {
    /// Listens at a path, in the place of a socket at which nobody listens any more.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        displaces_nothing(path)?;
        // What is bound has the mode of the moment's umask, which is the process's: nobody else may
        // reach it until it has ours.
        let folder =
            path.parent().unwrap_or(Path::new("")).join(format!(".{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let bound = bind_within(&folder, path);
        let removed = fs::remove_dir_all(&folder);
        let bound = bound?;
        removed.map(|()| bound)
    }

    pub(crate) async fn accept(&self) -> io::Result<LocalStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.file);
        if is_ours {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

fn bind_within(folder: &Path, path: &Path) -> io::Result<LocalListener> {
    let first = folder.join("s");
    let listener = UnixListener::bind(&first)?;
    fs::set_permissions(&first, Permissions::from_mode(0o600))?;
    let metadata = fs::symlink_metadata(&first)?;
    fs::rename(&first, path)?;
    let file = (metadata.dev(), metadata.ino());
    Ok(LocalListener { listener, path: path.to_owned(), file })
}

/// A socket that nobody answers may be replaced, and nothing else.
fn displaces_nothing(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(io::ErrorKind::AlreadyExists.into())
        }
        Ok(_) => match net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            _ => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}

/// `$XDG_CONFIG_HOME`, or `~/.config`.
pub(crate) fn configuration_folder() -> Option<PathBuf> {
    let named = |variable| std::env::var_os(variable).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    named("XDG_CONFIG_HOME")
        .filter(absolute)
        .or_else(|| named("HOME").filter(absolute).map(|home| home.join(".config")))
}

/// Creates a folder, and those above it, for this user alone. One that is there is left as it is.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a file for this user alone, to be written. Fails if there is one.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// What is other when a file has been replaced or written, whatever time it claims to be of: its
/// device, its number, and when it really changed.
pub(crate) fn fingerprint(metadata: &Metadata) -> [u64; 3] {
    let changed = metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec());
    [metadata.dev(), metadata.ino(), changed.cast_unsigned()]
}

pub(crate) fn is_loop_of_links(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}
