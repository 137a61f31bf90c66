//! A listening socket: connections are accepted with no help from the main thread.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::birthplace::Birthplace;
use crate::io_thread::{Door, Event, Reactor, Token};
use crate::watched::watch;

/// The main thread's hold on a listening socket. Dropping it stops the accepting.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    /// Closed when the accept task is gone.
    gone: mpsc::Receiver<()>,
    birthplace: Birthplace,
}

/// A connection that was accepted: non-blocking and close-on-exec.
#[derive(Debug)]
pub struct Accepted {
    pub socket: OwnedFd,
    pub peer: Option<SocketAddrAny>,
}

struct Shared {
    token: Token,
    waiting: Mutex<Waiting>,
    room: Notify,
    door: Door,
}

#[derive(Debug, Default)]
struct Waiting {
    results: VecDeque<io::Result<Accepted>>,
    announced: bool,
}

/// Connections that wait for the main thread; beyond that they wait in the kernel's backlog.
const WAITING_MAX: usize = 128;
/// How long to leave the socket alone when the process is out of file descriptors, as asyncio does.
const RETRY_DELAY: Duration = Duration::from_secs(1);

impl Listener {
    /// Starts to accept on a copy of a listening socket, which must be non-blocking.
    ///
    /// # Errors
    /// The system's, if the socket cannot be watched.
    pub fn start(reactor: &Reactor, token: Token, socket: OwnedFd) -> io::Result<Self> {
        let _runtime = reactor.handle.enter();
        let socket = watch(socket, Interest::READABLE)?;
        let shared = Arc::new(Shared {
            token,
            waiting: Mutex::default(),
            room: Notify::new(),
            door: Arc::clone(&reactor.door),
        });
        let (stop, stopped) = oneshot::channel();
        let (alive, gone) = mpsc::channel();
        let task = Arc::clone(&shared);
        drop::<JoinHandle<()>>(reactor.handle.spawn(async move {
            tokio::select! {
                () = accept(&task, &socket) => {}
                _stopped_or_dropped = stopped => {}
            }
            drop(socket);
            drop(alive);
        }));
        Ok(Self { shared, stop: Some(stop), gone, birthplace: Birthplace::here() })
    }

    pub fn token(&self) -> Token {
        self.shared.token
    }

    /// Takes what has been accepted, oldest first.
    pub fn take(&self) -> Vec<io::Result<Accepted>> {
        let mut waiting = self.shared.waiting();
        waiting.announced = false;
        let results = waiting.results.drain(..).collect();
        drop(waiting);
        self.shared.room.notify_one();
        results
    }
}

impl Drop for Listener {
    /// Waits until the I/O thread has let go of the socket: from then on its port is free.
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.birthplace.is_here() {
            let _closed = self.gone.recv();
        }
    }
}

async fn accept(shared: &Shared, socket: &AsyncFd<OwnedFd>) {
    loop {
        let result = accept_one(socket).await;
        let is_failed = result.is_err();
        shared.deliver(result);
        if is_failed {
            tokio::time::sleep(RETRY_DELAY).await;
        }
        shared.wait_for_room().await;
    }
}

async fn accept_one(socket: &AsyncFd<OwnedFd>) -> io::Result<Accepted> {
    loop {
        let mut guard = socket.readable().await?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match guard.try_io(|socket| Ok(acceptfrom_with(socket.get_ref(), flags)?)) {
            Ok(Ok((socket, peer))) => return Ok(Accepted { socket, peer }),
            Ok(Err(error)) if is_passing(&error) => {}
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
}

/// The connection, not the listener, is at fault: the next one may be well.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::PERM)
    )
}

impl Shared {
    fn deliver(&self, result: io::Result<Accepted>) {
        let is_news = {
            let mut waiting = self.waiting();
            waiting.results.push_back(result);
            !std::mem::replace(&mut waiting.announced, true)
        };
        if is_news {
            (self.door)(Event::Accepted(self.token));
        }
    }

    async fn wait_for_room(&self) {
        while self.waiting().results.len() >= WAITING_MAX {
            self.room.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("token", &self.token).finish_non_exhaustive()
    }
}
