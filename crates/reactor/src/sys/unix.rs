//! Any descriptor can be watched, and each edge is told.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmsg};
use rustix::time::{ClockId, clock_gettime};

/// Where sources are watched.
#[derive(Debug)]
pub(crate) struct Registry(mio::Registry);

impl Registry {
    pub(crate) fn of(watched: &mio::Poll) -> io::Result<Self> {
        Ok(Self(watched.registry().try_clone()?))
    }

    pub(crate) fn waker(&self, token: Token) -> io::Result<mio::Waker> {
        mio::Waker::new(&self.0, token)
    }

    /// Has the next edge told: it is told in any case.
    #[inline]
    #[expect(clippy::unused_self, reason = "elsewhere the system has to be asked")]
    pub(crate) fn tell_again(&self, _token: Token) {}
}

/// A descriptor that stays open at least until the call returns.
#[derive(Debug)]
pub(crate) struct Watchable<'a>(BorrowedFd<'a>);

impl<'a> Watchable<'a> {
    pub(crate) fn of(owner: &'a impl AsFd) -> Self {
        Self(owner.as_fd())
    }

    pub(crate) fn register(
        &self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match SourceFd(&self.0.as_raw_fd()).register(&registry.0, token, interest) {
            // Closed without being forgotten, and the number given to another by the system, or
            // still open under another number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                SourceFd(&self.0.as_raw_fd()).reregister(&registry.0, token, interest)
            }
            result => result,
        }
    }

    pub(crate) fn reregister(
        &self,
        registry: &Registry,
        _before: Token,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match SourceFd(&self.0.as_raw_fd()).reregister(&registry.0, token, interest) {
            // Closed without being forgotten, and its number belongs to another now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                SourceFd(&self.0.as_raw_fd()).register(&registry.0, token, interest)
            }
            result => result,
        }
    }

    pub(crate) fn deregister(&self, registry: &Registry, _token: Token) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(&registry.0)
    }
}

/// Waits until the poll has something to report, for `limit` at most: to the nanosecond, where the
/// poll itself rounds up to milliseconds and a guest would overrun its tick. Returns how long the poll is to
/// wait itself.
pub(crate) fn wait_precisely(watched: &mio::Poll, limit: Duration) -> io::Result<Duration> {
    let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    #[expect(unsafe_code, reason = "mio lends its descriptor as a number")]
    // SAFETY: the descriptor belongs to `watched`, which outlives this call.
    let descriptor = unsafe { BorrowedFd::borrow_raw(watched.as_raw_fd()) };
    match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&limit)) {
        Ok(_) | Err(Errno::INTR) => Ok(Duration::ZERO),
        Err(error) => Err(error.into()),
    }
}

/// One end of a pair, of which the other can be written to by a signal handler.
pub(crate) type PairEnd = UnixStream;

pub(crate) fn pair() -> io::Result<(PairEnd, PairEnd)> {
    UnixStream::pair()
}

/// Seconds of `CLOCK_MONOTONIC`: on Linux the same clock, with the same zero, as Python's
/// `time.monotonic()`.
pub(crate) fn monotonic_seconds() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 seconds of uptime")]
    let seconds = now.tv_sec as f64;
    #[expect(clippy::cast_precision_loss, reason = "below 10^9")]
    let fraction = now.tv_nsec as f64 * 1e-9;
    seconds + fraction
}

/// A write to a connection that is gone is an error, not a signal.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Here that is not said with each write but of the socket: see [`no_signal`].
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: SendFlags = SendFlags::empty();

#[cfg(not(target_vendor = "apple"))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
fn no_signal(_socket: &impl AsFd) -> io::Result<()> {
    Ok(())
}

#[cfg(target_vendor = "apple")]
fn no_signal(socket: &impl AsFd) -> io::Result<()> {
    match rustix::net::sockopt::set_socket_nosigpipe(socket, true) {
        // It has been shut down both ways, and nothing can be said of it any more.
        Err(Errno::INVAL) => Err(Errno::PIPE.into()),
        result => Ok(result?),
    }
}

/// Sends what the system takes at once.
///
/// # Errors
/// The system's: `WouldBlock` if it takes nothing now.
#[inline]
pub fn send(socket: impl AsFd, data: &[u8]) -> io::Result<usize> {
    no_signal(&socket)?;
    Ok(rustix::net::send(socket, data, NO_SIGNAL)?)
}

/// Sends the beginning of what the pieces hold.
pub(crate) fn send_pieces(socket: &OwnedFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    no_signal(socket)?;
    Ok(sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), NO_SIGNAL)?)
}

/// Accepts a connection: non-blocking and close-on-exec. The peer's address, if it has one of IP.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn accept(listening: &OwnedFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    use rustix::net::{SocketFlags, acceptfrom_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (socket, peer) = acceptfrom_with(listening, flags)?;
    Ok((socket, ip_address(peer)))
}

#[cfg(target_vendor = "apple")]
pub(crate) fn accept(listening: &OwnedFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let (socket, peer) = rustix::net::acceptfrom(listening)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok((socket, ip_address(peer)))
}

fn ip_address(peer: Option<SocketAddrAny>) -> Option<SocketAddr> {
    peer.and_then(|peer| SocketAddr::try_from(peer).ok())
}

/// The connection, not the listener, is at fault: the next one may be well.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    let passing = [Errno::INTR, Errno::CONNABORTED, Errno::PROTO, Errno::PERM];
    Errno::from_io_error(error).is_some_and(|error| passing.contains(&error))
}
