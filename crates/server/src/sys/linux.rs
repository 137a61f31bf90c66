//! `openat2`, by which the kernel itself sees to it that a path leads nowhere else.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use super::{Below, canonical, looked_at};

/// A rename under way makes the kernel say `EAGAIN`; it does not go on for ever.
const ATTEMPTS: usize = 8;

pub(crate) fn open_below(folder: &Path, path: &str) -> io::Result<Below> {
    let folder_flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(folder, folder_flags, Mode::empty())?;
    // Without waiting, as for the other end of a pipe that has a name there.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let path_or_self = if path.is_empty() { "." } else { path };
    for _ in 0..ATTEMPTS {
        match openat2(&root, path_or_self, flags, Mode::empty(), below) {
            Ok(file) => return looked_at(File::from(file)),
            Err(Errno::AGAIN) => {}
            // An older kernel, or a sandbox that knows of no such call.
            Err(Errno::NOSYS) => return canonical::open_below(folder, path),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::PermissionDenied.into())
}
