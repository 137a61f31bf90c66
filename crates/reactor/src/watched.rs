//! The one place that hands a descriptor to tokio.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the current runtime watch `fd`, which must be non-blocking.
#[expect(unsafe_code, reason = "tokio cannot know of every `AsRawFd` that it keeps its descriptor")]
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` returns the same open descriptor from `as_raw_fd` until it is dropped, and
    // nothing takes it out of the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}
