//! Small things about files.

use std::fs;
use std::path::Path;

use crate::failure::{Doing, Outcome};

/// Remove a folder or file that may not be there.
pub(crate) fn remove(path: &Path) -> Outcome {
    if !path.exists() {
        return Ok(());
    }
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.doing(|| format!("could not remove `{}`", path.display()))
}

/// Create a folder, and those above it, if it is not there.
pub(crate) fn create_folder(path: &Path) -> Outcome {
    fs::create_dir_all(path).doing(|| format!("could not create the folder `{}`", path.display()))
}

/// Write a file that can be run.
pub(crate) fn write_program(path: &Path, text: &str) -> Outcome {
    fs::write(path, text)
        .and_then(|()| make_executable(path))
        .doing(|| format!("could not write `{}`", path.display()))
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> std::io::Result<()> {
    Err(std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "this chore needs programs that are shell scripts: run it on Linux",
    ))
}
