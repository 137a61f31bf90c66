//! Only sockets can be watched, and an edge is told once.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, FromRawSocket};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Interest, Token};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::SendFlags;

/// Where sources are watched.
#[derive(Debug)]
pub(crate) struct Registry {
    registry: mio::Registry,
    /// What mio knows a socket by. It looks at the sockets and does not own them.
    watched: Mutex<HashMap<Token, ManuallyDrop<mio::net::TcpStream>>>,
}

impl Registry {
    pub(crate) fn of(watched: &mio::Poll) -> io::Result<Self> {
        Ok(Self { registry: watched.registry().try_clone()?, watched: Mutex::default() })
    }

    pub(crate) fn waker(&self, token: Token) -> io::Result<mio::Waker> {
        mio::Waker::new(&self.registry, token)
    }

    /// Has the next edge told: that something can be read or written is told once, and then not again until
    /// somebody has found that it cannot.
    pub(crate) fn tell_again(&self, token: Token) {
        if let Some(source) = self.watched().get(&token) {
            let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            let _as_it_is_told = source.try_io(would_block);
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<Token, ManuallyDrop<mio::net::TcpStream>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that stays open at least until the call returns.
#[derive(Debug)]
pub(crate) struct Watchable<'a>(BorrowedFd<'a>);

impl<'a> Watchable<'a> {
    pub(crate) fn of(owner: &'a impl AsFd) -> Self {
        Self(owner.as_fd())
    }

    #[expect(unsafe_code, reason = "mio wants to own what it watches")]
    pub(crate) fn register(
        &self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        // SAFETY: the socket is open during this call, and it is never closed here. Later, only what mio has made of
        // its number is used: `try_io` and `deregister` do not look at it, and the system forgets who is closed.
        let source = unsafe { mio::net::TcpStream::from_raw_socket(self.0.as_raw_socket()) };
        let mut source = ManuallyDrop::new(source);
        source.register(&registry.registry, token, interest)?;
        registry.watched().insert(token, source);
        Ok(())
    }

    pub(crate) fn reregister(
        &self,
        registry: &Registry,
        before: Token,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        // Its number may belong to another socket by now.
        let _done_or_closed = self.deregister(registry, before);
        self.register(registry, token, interest)
    }

    #[expect(clippy::unused_self, reason = "elsewhere it is known by its number")]
    pub(crate) fn deregister(&self, registry: &Registry, token: Token) -> io::Result<()> {
        match registry.watched().remove(&token) {
            Some(mut source) => source.deregister(&registry.registry),
            None => Ok(()),
        }
    }
}

/// Returns how long the poll is to wait for `limit` not to be passed: the system counts in ticks of up to 16
/// milliseconds, and a guest that waits for less than one must not wait at all.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub(crate) fn wait_precisely(_watched: &mio::Poll, limit: Duration) -> io::Result<Duration> {
    const TICK: Duration = Duration::from_millis(1);
    Ok(if limit < TICK { Duration::ZERO } else { limit })
}

/// One end of a pair, of which the other can be written to by a signal handler.
pub(crate) type PairEnd = TcpStream;

pub(crate) fn pair() -> io::Result<(PairEnd, PairEnd)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let own_address = near.local_addr()?;
    loop {
        // Another program may have been quicker.
        let (far, address) = listener.accept()?;
        if address == own_address {
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

/// Seconds since this was first asked.
pub(crate) fn monotonic_seconds() -> f64 {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGINNING.elapsed().as_secs_f64()
}

/// Sends what the system takes at once.
///
/// # Errors
/// The system's: `WouldBlock` if it takes nothing now.
pub fn send(socket: impl AsFd, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, data, SendFlags::empty())?)
}

/// Sends the beginning of what the pieces hold.
pub(crate) fn send_pieces(socket: &OwnedFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    match pieces.iter().find(|piece| !piece.is_empty()) {
        Some(piece) => send(socket, piece),
        None => Ok(0),
    }
}

/// Accepts a connection: non-blocking, and not inherited by processes that are started.
pub(crate) fn accept(listening: &OwnedFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let (socket, peer) = rustix::net::acceptfrom(listening)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok((socket, peer.and_then(|peer| SocketAddr::try_from(peer).ok())))
}

/// The connection, not the listener, is at fault: the next one may be well.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    let passing = [Errno::INTR, Errno::CONNABORTED, Errno::CONNRESET];
    Errno::from_io_error(error).is_some_and(|error| passing.contains(&error))
}
