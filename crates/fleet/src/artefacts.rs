//! Files that jobs leave behind, named by what is in them.
//!
//! **Invariant:** a file is at its final place only when all its bytes are on the disk.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aiobpy_wire::{Artefact, OutputFormat};

use crate::sys;

/// Bytes that have to be free for a job to begin.
const LEAST_FREE: u64 = 16 << 20;

/// A folder of files `<first two digits>/<hash>`.
#[derive(Clone, Debug)]
pub(crate) struct Artefacts {
    folder: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error("the worker said that it had finished but wrote no file")]
    NoFile,
    #[error("the worker wrote an empty file")]
    EmptyFile,
    #[error("could not keep the file in `{}`: {source}", folder.display())]
    Keep { folder: PathBuf, source: io::Error },
}

impl KeepError {
    /// Whether it is what a full disk looks like: there may be room for the next attempt's file.
    pub(crate) fn is_of_a_full_disk(&self) -> bool {
        match self {
            Self::NoFile => false,
            Self::EmptyFile => true,
            Self::Keep { source, .. } => source.kind() == io::ErrorKind::StorageFull,
        }
    }
}

impl Artefacts {
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Moves the file into the store. It has to be on the store's file system.
    #[tracing::instrument(name = "artefacts", skip_all)]
    pub(crate) fn keep(&self, file: &Path, format: OutputFormat) -> Result<Artefact, KeepError> {
        let (hash, bytes) = hash_of(file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => KeepError::NoFile,
            _ => self.failed(error),
        })?;
        if bytes == 0 {
            return Err(KeepError::EmptyFile);
        }
        let artefact = Artefact { hash, content_type: format.content_type().into(), bytes };
        self.move_in(file, &self.path(&artefact)).map_err(|error| self.failed(error))?;
        Ok(artefact)
    }

    /// Moves a file into the store that is known to be the artefact.
    pub(crate) fn take(&self, file: &Path, artefact: &Artefact) -> Result<(), KeepError> {
        self.move_in(file, &self.path(artefact)).map_err(|error| self.failed(error))
    }

    /// Whether there is room for more. On a disk that is full, Blender writes empty files, and says that
    /// all went well.
    pub(crate) fn has_room(&self) -> bool {
        sys::free_bytes(&self.folder).is_none_or(|free| free >= LEAST_FREE)
    }

    pub(crate) fn path(&self, artefact: &Artefact) -> PathBuf {
        self.place(&artefact.hash)
    }

    /// Has a file count as written just now.
    pub(crate) fn use_now(&self, artefact: &Artefact) -> Result<(), KeepError> {
        let now = FileTimes::new().set_modified(SystemTime::now());
        let file = File::options().append(true).open(self.path(artefact));
        file.and_then(|file| file.set_times(now)).map_err(|error| self.failed(error))
    }

    /// Removes a file that nobody names any more, unless it was written since `time`: by a job that
    /// is about to name it.
    pub(crate) fn forget(&self, hash: &str, time: SystemTime) -> io::Result<()> {
        let place = self.place(hash);
        match fs::metadata(&place).and_then(|found| found.modified()) {
            Ok(modified) if modified >= time => Ok(()),
            Ok(_) => fs::remove_file(&place),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes every file that was written before a time: they can be fetched again.
    pub(crate) fn forget_older(&self, time: SystemTime) -> io::Result<()> {
        for folder in fs::read_dir(&self.folder)? {
            for file in fs::read_dir(folder?.path())? {
                let name = file?.file_name();
                self.forget(&name.to_string_lossy(), time)?;
            }
        }
        Ok(())
    }

    fn place(&self, hash: &str) -> PathBuf {
        self.folder.join(hash.get(..2).unwrap_or_default()).join(hash)
    }

    fn move_in(&self, file: &Path, place: &Path) -> io::Result<()> {
        let folder = place.parent().unwrap_or(&self.folder);
        if fs::create_dir(folder).is_ok() {
            File::open(&self.folder)?.sync_all()?;
        }
        File::open(file)?.sync_all()?;
        // The same bytes may be there already: the rename changes nothing then.
        fs::rename(file, place)?;
        File::open(folder)?.sync_all()
    }

    fn failed(&self, source: io::Error) -> KeepError {
        KeepError::Keep { folder: self.folder.clone(), source }
    }
}

/// Of a file that may be larger than memory: its hash, and how many bytes were hashed.
pub(crate) fn hash_of(file: &Path) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(file)?)?;
    Ok((hasher.finalize().to_hex().to_string(), hasher.count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Artefacts) {
        let folder = tempfile::tempdir().unwrap();
        let artefacts = Artefacts::open(folder.path().join("objects")).unwrap();
        (folder, artefacts)
    }

    #[test]
    fn a_file_moves_to_the_place_that_its_hash_names() {
        let (folder, artefacts) = store();
        let file = folder.path().join("picture.png");
        fs::write(&file, b"pixels").unwrap();
        let artefact = artefacts.keep(&file, OutputFormat::Png).unwrap();
        assert_eq!(artefact.hash, blake3::hash(b"pixels").to_hex().as_str());
        assert_eq!((artefact.bytes, artefact.content_type.as_str()), (6, "image/png"));
        assert_eq!(fs::read(artefacts.path(&artefact)).unwrap(), b"pixels");
        assert!(!file.exists());
    }

    #[test]
    fn the_same_bytes_are_kept_once() {
        let (folder, artefacts) = store();
        let kept = ["a.png", "b.png"].map(|name| {
            let file = folder.path().join(name);
            fs::write(&file, b"pixels").unwrap();
            artefacts.keep(&file, OutputFormat::Png).unwrap()
        });
        assert_eq!(kept[0], kept[1]);
        let shelf = artefacts.path(&kept[0]);
        assert_eq!(fs::read_dir(shelf.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_missing_or_empty_is_refused() {
        let (folder, artefacts) = store();
        let file = folder.path().join("picture.png");
        assert!(matches!(artefacts.keep(&file, OutputFormat::Png), Err(KeepError::NoFile)));
        fs::write(&file, b"").unwrap();
        assert!(matches!(artefacts.keep(&file, OutputFormat::Png), Err(KeepError::EmptyFile)));
    }
}
