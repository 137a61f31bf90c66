//! Small files that were sent lately, kept in memory.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::files::sending::Content;
use crate::{clock, sys};

/// Larger files are read from the disk each time.
const LARGEST: u64 = 2 << 20;
/// Bytes of all that is kept.
const ROOM: usize = 16 << 20;
/// Files that are kept, however short.
const MOST: usize = 1024;
/// A file that changed so lately may change again without its time telling.
const SETTLED: Duration = Duration::from_secs(1);

/// Names a state of a file: what is written anew, or replaced, has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    pub(super) modified: Option<SystemTime>,
    fingerprint: [u64; 3],
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            fingerprint: sys::fingerprint(metadata),
        }
    }

    /// Tells states of one address apart, for clients: as in `3f-18a2b`, without quotes.
    pub(super) fn tag(&self) -> String {
        let modified = self.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.unwrap_or_default().as_nanos();
        let [_, file, changed] = self.fingerprint;
        format!("{:x}-{modified:x}-{:x}", self.bytes, file ^ changed.rotate_left(32))
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        self.modified.is_some_and(|time| now.duration_since(time).is_ok_and(|age| age >= SETTLED))
    }
}

/// What is kept, by the files' paths. A file is looked at each time before what is kept of it is sent.
#[derive(Default)]
pub(crate) struct FileCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    files: HashMap<PathBuf, Entry>,
    bytes: usize,
    /// Counts uses, to know which was the last.
    uses: u64,
}

struct Entry {
    stamp: Stamp,
    bytes: Bytes,
    last_use: u64,
}

impl FileCache {
    /// What a file has in it: of a small one the bytes, from memory if they are there.
    pub(super) fn content(
        &self,
        path: PathBuf,
        mut file: File,
        stamp: Stamp,
    ) -> io::Result<Content> {
        if stamp.bytes > LARGEST {
            return Ok(Content::OnDisk(file));
        }
        if let Some(bytes) = self.get(&path, &stamp) {
            return Ok(Content::InMemory(bytes));
        }
        let bytes = read_whole(&mut file, stamp.bytes)?;
        if Stamp::of(&file.metadata()?) == stamp {
            self.put(path, stamp, bytes.clone(), clock::today());
        }
        Ok(Content::InMemory(bytes))
    }

    /// What is kept of a file, if it is in that state still.
    fn get(&self, path: &Path, stamp: &Stamp) -> Option<Bytes> {
        let mut kept = self.lock();
        kept.uses += 1;
        let now = kept.uses;
        let file = kept.files.get_mut(path).filter(|file| file.stamp == *stamp)?;
        file.last_use = now;
        Some(file.bytes.clone())
    }

    /// Keeps a file that was read, and drops those that nobody has asked for the longest.
    fn put(&self, path: PathBuf, stamp: Stamp, bytes: Bytes, now: SystemTime) {
        if bytes.len() as u64 > LARGEST || !stamp.is_settled(now) {
            return;
        }
        let mut kept = self.lock();
        kept.remove(&path);
        while kept.bytes + bytes.len() > ROOM || kept.files.len() >= MOST {
            kept.remove_oldest();
        }
        kept.bytes += bytes.len();
        kept.uses += 1;
        let last_use = kept.uses;
        kept.files.insert(path, Entry { stamp, bytes, last_use });
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, path: &Path) {
        if let Some(file) = self.files.remove(path) {
            self.bytes -= file.bytes.len();
        }
    }

    fn remove_oldest(&mut self) {
        let oldest = self.files.iter().min_by_key(|(_, file)| file.last_use);
        if let Some(path) = oldest.map(|(path, _)| path.clone()) {
            self.remove(&path);
        }
    }
}

/// So many bytes, or an error: what was said of the file is no longer so.
fn read_whole(file: &mut File, bytes: u64) -> io::Result<Bytes> {
    let mut whole = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
    file.take(bytes).read_to_end(&mut whole)?;
    if whole.len() as u64 != bytes {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(bytes: u64) -> Stamp {
        Stamp { bytes, modified: Some(UNIX_EPOCH), fingerprint: [1, 2, 3] }
    }

    fn later() -> SystemTime {
        UNIX_EPOCH + Duration::from_mins(1)
    }

    fn put(cache: &FileCache, name: &str, bytes: usize) {
        cache.put(name.into(), stamp(bytes as u64), Bytes::from(vec![0; bytes]), later());
    }

    #[test]
    fn a_file_is_kept_until_it_changes() {
        let cache = FileCache::default();
        put(&cache, "a", 10);
        assert!(cache.get("a".as_ref(), &stamp(10)).is_some());
        for other in [
            stamp(11),
            Stamp { modified: Some(later()), ..stamp(10) },
            Stamp { fingerprint: [1, 2, 4], ..stamp(10) },
        ] {
            assert!(cache.get("a".as_ref(), &other).is_none(), "{other:?}");
            assert_ne!(other.tag(), stamp(10).tag());
        }
    }

    #[test]
    fn what_has_just_changed_and_what_is_large_is_not_kept() {
        let cache = FileCache::default();
        let just_now = UNIX_EPOCH + Duration::from_millis(900);
        cache.put("a".into(), stamp(1), Bytes::from_static(b"a"), just_now);
        assert!(cache.get("a".as_ref(), &stamp(1)).is_none());
        let large = usize::try_from(LARGEST + 1).unwrap();
        put(&cache, "large", large);
        assert!(cache.get("large".as_ref(), &stamp(large as u64)).is_none());
    }

    #[test]
    fn what_nobody_asks_for_makes_room() {
        let cache = FileCache::default();
        let names: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        for name in &names {
            put(&cache, name, 1 << 20);
            assert!(cache.get("0".as_ref(), &stamp(1 << 20)).is_some());
        }
        assert!(cache.get("1".as_ref(), &stamp(1 << 20)).is_none());
        assert!(cache.get("19".as_ref(), &stamp(1 << 20)).is_some());
        let kept = cache.lock();
        assert!(kept.bytes <= ROOM);
        let bytes: usize = kept.files.values().map(|file| file.bytes.len()).sum();
        assert_eq!(kept.bytes, bytes);
    }

    #[test]
    fn there_are_not_too_many_however_short() {
        let cache = FileCache::default();
        for number in 0..MOST + 10 {
            put(&cache, &number.to_string(), 0);
        }
        assert_eq!(cache.lock().files.len(), MOST);
    }
}
