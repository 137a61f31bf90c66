//! Files for this user alone: with a token, a key, or what is known of a device.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::sys;

/// Writes the file in one step, so that nobody sees half of it, and nobody else sees any.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        sys::create_private_folder(folder)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    remove_if_there(&temporary)?;
    // Made anew, so that it is ours alone and nobody else holds it open or has linked it.
    let mut file = sys::create_private_file(&temporary)?;
    let written = file.write_all(bytes);
    // Windows does not rename what is open.
    drop(file);
    let written = written.and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        remove_if_there(&temporary)?;
    }
    written
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
