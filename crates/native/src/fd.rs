//! File descriptors that come from Python as numbers.

use std::io;

use rustix::fd::{BorrowedFd, OwnedFd, RawFd};
use rustix::io::Errno;

/// A copy of a descriptor that Python owns: both can be closed without asking the other.
///
/// # Errors
/// The system's: `EBADF` if it is not open, `EMFILE` if the process has too many.
pub(crate) fn copy(fd: RawFd) -> io::Result<OwnedFd> {
    with(fd, |fd| fd.try_clone_to_owned())
}

/// Lends a descriptor that Python owns to one call.
///
/// # Errors
/// `EBADF` for -1, else what `action` returns.
#[expect(unsafe_code, reason = "Python speaks of descriptors as numbers")]
pub(crate) fn with<T>(
    fd: RawFd,
    action: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>,
) -> io::Result<T> {
    if fd == !0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: it is not -1, and it is lent for this one call, during which the GIL keeps Python from
    // closing it. Of one that is not open, the system itself tells (`EBADF`).
    action(unsafe { BorrowedFd::borrow_raw(fd) })
}
