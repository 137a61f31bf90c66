//! Where downloads, Blenders and tools are kept from run to run, outside the clone where possible.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Outcome};
use crate::{files, workspace};

/// The cache's folder: `AIOBPY_CACHE`, else `~/.cache/aiobpy`, else inside cargo's target folder.
pub(crate) fn folder() -> PathBuf {
    candidates()
        .into_iter()
        .find(|folder| is_usable(folder))
        .unwrap_or_else(|| workspace::target_dir().join("aiobpy-cache"))
}

/// Keeps other runs out of a part of the cache until dropped.
pub(crate) struct Lock {
    _file: File,
}

/// Wait until nobody else writes the part of the cache that `name` names.
pub(crate) fn lock(name: &str) -> Outcome<Lock> {
    let folder = folder();
    files::create_folder(&folder)?;
    let path = folder.join(format!("{name}.lock"));
    let file = File::create(&path).doing(|| format!("could not create `{}`", path.display()))?;
    if file.try_lock().is_err() {
        println!("  waiting for another run that holds `{}`", path.display());
        file.lock().doing(|| format!("could not lock `{}`", path.display()))?;
    }
    Ok(Lock { _file: file })
}

fn candidates() -> Vec<PathBuf> {
    let named = std::env::var_os("AIOBPY_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/aiobpy"));
    named.into_iter().chain(home).collect()
}

fn is_usable(folder: &Path) -> bool {
    let probe = folder.join(format!(".writable-{}", std::process::id()));
    fs::create_dir_all(folder).is_ok()
        && File::create(&probe).is_ok()
        && fs::remove_file(&probe).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_made_is_not_usable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(is_usable(&folder.path().join("new")));
        assert!(!is_usable(&file.join("below a file")));
    }
}
