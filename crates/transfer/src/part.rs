//! What has come of a file, beside the place where it is to be.
//!
//! `NAME.part` holds the bytes and `NAME.part.json` the [`Note`]. The name itself appears when all
//! of it is on the disk.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::failure::Failure;
use crate::resume::Note;

/// A part that is written to, by us alone. Dropped, it leaves what is of use later and no more.
pub(crate) struct Part {
    target: PathBuf,
    path: PathBuf,
    file: File,
    len: u64,
    /// How much of it had come before this download.
    taken_over: u64,
    /// Whether it came in more than one piece.
    is_patched: bool,
    note: Option<Note>,
    /// Of all that was written, where it is to be checked.
    digest: Option<Digest>,
    /// Whether a later download may go on with it.
    is_kept: bool,
}

impl Part {
    /// Opens or makes it, and takes over what is there, if it is to be `resumed`.
    pub(crate) fn open(target: PathBuf, resumed: bool, is_checked: bool) -> Result<Self, Failure> {
        if target.is_dir() || target.file_name().is_none() {
            return Err(failed("write", &target)(io::ErrorKind::IsADirectory.into()));
        }
        let path = beside(&target, ".part");
        let file = open_alone(&path)?;
        let digest = is_checked.then(Digest::sha256);
        let mut part = Self {
            target,
            path,
            file,
            len: 0,
            taken_over: 0,
            is_patched: false,
            note: None,
            digest,
            is_kept: resumed,
        };
        match part.read_note().filter(|note| resumed && note.is_of_use(is_checked)) {
            Some(note) => part.take_over(note)?,
            None => part.truncate()?,
        }
        Ok(part)
    }

    fn read_note(&self) -> Option<Note> {
        serde_json::from_slice(&std::fs::read(self.note_path()).ok()?).ok()
    }

    fn take_over(&mut self, note: Note) -> Result<(), Failure> {
        let failed = failed("read", &self.path);
        self.len = match &mut self.digest {
            None => self.file.seek(SeekFrom::End(0)).map_err(failed)?,
            Some(digest) => {
                let mut block = vec![0; 1 << 20];
                let mut len = 0;
                loop {
                    match self.file.read(&mut block) {
                        Ok(0) => break len,
                        Ok(count) => {
                            digest.update(&block[..count]);
                            len += count as u64;
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(failed(error)),
                    }
                }
            }
        };
        self.taken_over = self.len;
        self.note = Some(note);
        Ok(())
    }

    fn truncate(&mut self) -> Result<(), Failure> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .map_err(failed("write", &self.path))?;
        (self.len, self.taken_over, self.is_patched, self.note) = (0, 0, false, None);
        self.digest = self.digest.is_some().then(Digest::sha256);
        remove(&self.note_path());
        Ok(())
    }

    /// Forgets what has come. `note`: of what comes now.
    pub(crate) fn restart(&mut self, note: Option<Note>) -> Result<(), Failure> {
        self.truncate()?;
        let Some(note) = note else { return Ok(()) };
        if let Some(total) = note.total {
            self.check_room(total)?;
        }
        if note.is_of_use(self.digest.is_some()) && self.is_kept {
            let text = serde_json::to_vec(&note).unwrap_or_default();
            let path = self.note_path();
            std::fs::write(&path, text).map_err(failed("write", &path))?;
        }
        self.note = Some(note);
        Ok(())
    }

    /// Fails now, and not in an hour, if the disk has no room for so many bytes.
    fn check_room(&self, bytes: u64) -> Result<(), Failure> {
        match room(&self.file) {
            Some(room) if room < bytes => {
                Err(failed("write all of", &self.target)(io::ErrorKind::StorageFull.into()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn taken_over(&self) -> u64 {
        self.taken_over
    }

    /// What comes now is put behind what has come.
    pub(crate) fn patch(&mut self) {
        self.is_patched = true;
    }

    pub(crate) fn is_patched(&self) -> bool {
        self.is_patched
    }

    pub(crate) fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// The sha256 of what has come, if it is to be checked.
    pub(crate) fn digest(&self) -> Option<String> {
        self.digest.clone().map(Digest::text)
    }

    /// Puts it in its place, once it is on the disk.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.file.sync_all().map_err(failed("write", &self.path))?;
        std::fs::rename(&self.path, &self.target).map_err(failed("write", &self.target))?;
        remove(&self.note_path());
        // The name is on the disk when its folder is. Not all systems can be asked for that.
        if let Some(folder) = self.target.parent() {
            let _best_effort = File::open(folder).and_then(|folder| folder.sync_all());
        }
        self.path = PathBuf::new();
        Ok(())
    }

    fn note_path(&self) -> PathBuf {
        beside(&self.path, ".json")
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.len += count as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(&bytes[..count]);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let is_in_place = self.path.as_os_str().is_empty();
        let is_of_use = |note: &Note| note.is_of_use(self.digest.is_some());
        let is_kept = self.is_kept && self.len > 0 && self.note.as_ref().is_some_and(is_of_use);
        if !is_in_place && !is_kept {
            remove(&self.path);
            remove(&self.note_path());
        }
    }
}

/// Opens a file that no other download writes to, ours or another program's.
fn open_alone(path: &Path) -> Result<File, Failure> {
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // Not through a link that somebody has put there.
            options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        let file = options.open(path).map_err(failed("write", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Failure::Busy { path: path.to_owned() }),
            // A file system without locks.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
        // The one before us may have put it in its place between our two steps.
        if is_still(&file, path) {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(ours), Ok(there)) = (file.metadata(), path.symlink_metadata()) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
fn is_still(_file: &File, _path: &Path) -> bool {
    // An open file cannot be renamed.
    true
}

/// Bytes that we may still write to the file system of `file`, if it tells.
#[cfg(unix)]
fn room(file: &File) -> Option<u64> {
    let about = rustix::fs::fstatvfs(file).ok().filter(|about| about.f_blocks > 0)?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

#[cfg(not(unix))]
fn room(_file: &File) -> Option<u64> {
    None
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "could not remove");
    }
}

pub(crate) fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Failure + use<> {
    let path = path.to_owned();
    move |source| Failure::File { doing, path: path.clone(), source }
}
