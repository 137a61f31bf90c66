//! The I/O thread, and what it tells the main thread.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::birthplace::Birthplace;
use crate::inbox::ReadAhead;
use crate::resolver::{AddressInfo, LookupFailed, NameInfo};

/// Names a connection, a listener, a look-up or a watched file descriptor, for good.
///
/// The I/O thread knows these numbers only; what belongs to a number is the main thread's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// What the I/O thread tells the main thread.
#[derive(Debug)]
pub enum Event {
    /// A connection has bytes, or its end, to be taken.
    Received(Token),
    /// A connection's unsent bytes have fallen to the mark that was asked for.
    Drained(Token),
    /// A connection has sent its last byte, and has shut its sending side down if it was to.
    Flushed(Token),
    /// A connection could not send.
    SendFailed(Token, io::Error),
    /// A listener has connections, or an error, to be taken.
    Accepted(Token),
    /// The answer to a look-up.
    Resolved(Token, Result<Vec<AddressInfo>, LookupFailed>),
    /// What an address is called.
    Named(Token, Result<NameInfo, LookupFailed>),
    /// A watched file descriptor is ready. It is not watched any more until it is watched again.
    Ready { token: Token, readable: bool, writable: bool },
}

/// Where events go: the main thread's queue, behind one function.
pub type Door = Arc<dyn Fn(Event) + Send + Sync>;

/// One I/O thread with all that runs on it. It never waits for the main thread.
pub struct Reactor {
    pub(crate) handle: Handle,
    pub(crate) door: Door,
    pub(crate) read_ahead: Arc<ReadAhead>,
    next_token: AtomicU64,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    birthplace: Birthplace,
}

/// How long a name look-up under way may delay the end: the system's resolver cannot be stopped.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(100);

impl Reactor {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, if no thread or no epoll instance can be had.
    pub fn start(door: Door, read_ahead: Arc<ReadAhead>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("aiobpy-resolver")
            .max_blocking_threads(8)
            .thread_keep_alive(Duration::from_secs(5))
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("aiobpy-io".to_owned())
            .spawn(move || run(runtime, stopped))?;
        Ok(Self {
            handle,
            door,
            read_ahead,
            next_token: AtomicU64::new(1),
            thread: Some((stop, thread)),
            birthplace: Birthplace::here(),
        })
    }

    pub fn new_token(&self) -> Token {
        Token(self.next_token.fetch_add(1, Ordering::Relaxed))
    }
}

fn run(runtime: Runtime, stopped: oneshot::Receiver<()>) {
    // An error means that the sender is gone, which is a stop as well.
    let _stopped_or_dropped = runtime.block_on(stopped);
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
}

impl Drop for Reactor {
    /// Drops every task, closes what they hold and waits for the thread to end.
    fn drop(&mut self) {
        let Some((stop, thread)) = self.thread.take() else { return };
        drop(stop);
        if !self.birthplace.is_here() {
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the I/O thread panicked");
        }
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reactor").finish_non_exhaustive()
    }
}
