//! Where the system has no call for it: links are followed first, and where they lead is looked at.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{Below, looked_at};

/// Between the look and the opening, who may write into the folder can still swap a link; that one
/// may put any file there as well.
pub(crate) fn open_below(folder: &Path, path: &str) -> io::Result<Below> {
    let folder = folder.canonicalize()?;
    let path = folder.join(path).canonicalize()?;
    if !path.starts_with(&folder) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Ok(Below::Folder);
    }
    // Opening what is neither could wait for ever.
    if !metadata.is_file() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    looked_at(File::open(path)?)
}
