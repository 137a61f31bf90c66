//! The user's profile, whose files only the user, the system and administrators may read: what is created in it
//! inherits that.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::MetadataExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject,
};

/// There is none: tokio opens Unix sockets on Unix alone.
pub(crate) enum LocalListener {}

/// Any stream will do, as there is none.
pub(crate) type LocalStream = tokio::net::TcpStream;

impl LocalListener {
    pub(crate) fn bind(_path: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) async fn accept(&self) -> io::Result<LocalStream> {
        match *self {}
    }
}

/// `%LOCALAPPDATA%`: a part of the profile that does not travel with the user.
pub(crate) fn configuration_folder() -> Option<PathBuf> {
    std::env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Creates a folder, and those above it. In the profile, it is for this user alone.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Creates a file, to be written. In the profile, it is for this user alone. Fails if there is one.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// What is other when a file has been replaced: when it was created. Its number is not told.
pub(crate) fn fingerprint(metadata: &Metadata) -> [u64; 3] {
    [0, 0, metadata.creation_time()]
}

pub(crate) fn is_loop_of_links(_error: &io::Error) -> bool {
    false
}

#[expect(unsafe_code, reason = "the standard library knows only processes that it has started")]
pub(crate) fn is_alive(pid: u32) -> bool {
    // SAFETY: takes numbers and returns a handle or null.
    let handle = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) };
    if handle.is_null() {
        // It is there and another user's.
        return io::Error::last_os_error().raw_os_error()
            == Some(ERROR_ACCESS_DENIED.cast_signed());
    }
    // SAFETY: it was opened above and nobody else has it.
    let process = unsafe { OwnedHandle::from_raw_handle(handle) };
    // SAFETY: the handle is open as long as its owner lives; waiting for no time returns at once.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_that_never_was_is_not() {
        assert!(is_alive(std::process::id()));
        // The numbers of processes are multiples of four.
        assert!(!is_alive(0x3fff_fffd));
    }
}
