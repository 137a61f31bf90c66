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
