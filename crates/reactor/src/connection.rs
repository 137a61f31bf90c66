//! One connected stream socket: read ahead on the I/O thread, written from both.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

use crate::inbox::{End, Inbox, ReadAhead};
use crate::io_thread::{Door, Event, Reactor, Token};
use crate::outbox::{Outbox, slices};
use crate::watched::watch;

/// The main thread's hold on a connection. Dropping it closes the connection.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    handle: tokio::runtime::Handle,
    reader: Option<AbortHandle>,
}

struct Shared {
    token: Token,
    socket: AsyncFd<OwnedFd>,
    inbox: Mutex<Inbox>,
    /// Told when the main thread has made room in the inbox.
    room: Notify,
    outbox: Mutex<Outbox>,
    read_ahead: Arc<ReadAhead>,
    door: Door,
}

/// What [`Connection::take`] hands over.
#[derive(Debug)]
pub struct Delivery {
    pub chunks: Vec<Bytes>,
    /// How the input ended; never together with bytes.
    pub end: Option<End>,
    /// More is there already.
    pub more: bool,
}

/// What [`Connection::write`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes that the kernel took at once.
    pub at_once: usize,
    /// Bytes that are left for the I/O thread, those of earlier writes included.
    pub unsent: usize,
}

/// The most that one `recv` asks for, in bytes.
const READ_SIZE: usize = 256 << 10;
/// The most that one `write` sends on the main thread, in bytes: a write of 100 MiB must not stop a
/// frame.
const WRITE_AT_ONCE: usize = 256 << 10;

impl Connection {
    /// Takes over a connected socket, which must be non-blocking. Nothing is read yet.
    ///
    /// # Errors
    /// The system's, if the socket cannot be watched.
    pub fn adopt(reactor: &Reactor, token: Token, socket: OwnedFd) -> io::Result<Self> {
        let _runtime = reactor.handle.enter();
        let shared = Arc::new(Shared {
            token,
            socket: watch(socket, Interest::READABLE | Interest::WRITABLE)?,
            inbox: Mutex::default(),
            room: Notify::new(),
            outbox: Mutex::default(),
            read_ahead: Arc::clone(&reactor.read_ahead),
            door: Arc::clone(&reactor.door),
        });
        Ok(Self { shared, handle: reactor.handle.clone(), reader: None })
    }

    pub fn token(&self) -> Token {
        self.shared.token
    }

    /// Starts to read ahead. Each batch is announced by one [`Event::Received`].
    pub fn start_reading(&mut self) {
        if self.reader.is_none() {
            let reader = self.handle.spawn(read_ahead(Arc::clone(&self.shared)));
            self.reader = Some(reader.abort_handle());
        }
    }

    /// Takes `limit` bytes at most.
    ///
    /// If `more` is left, no event will tell of it: take again. If not, one will.
    pub fn take(&self, limit: usize) -> Delivery {
        let mut inbox = self.shared.inbox();
        let chunks = inbox.take(limit, &self.shared.read_ahead);
        // Not together with bytes: their receiver may pause, and then the end has to wait as well.
        let end = if chunks.is_empty() { inbox.take_end() } else { None };
        let more = inbox.has_something();
        inbox.announced = more;
        if inbox.is_reader_waiting {
            inbox.is_reader_waiting = false;
            drop(inbox);
            self.shared.room.notify_one();
        }
        Delivery { chunks, end, more }
    }

    /// Sends what the kernel takes at once and leaves the rest to the I/O thread.
    ///
    /// # Errors
    /// The system's; the connection is of no more use then.
    pub fn write(&self, data: &[u8]) -> io::Result<Written> {
        let mut outbox = self.shared.outbox();
        let mut at_once = 0;
        if outbox.is_empty() && !outbox.is_writing {
            at_once = self.shared.send_now(&data[..data.len().min(WRITE_AT_ONCE)])?;
        }
        if at_once < data.len() {
            outbox.push(Bytes::copy_from_slice(&data[at_once..]));
            self.ensure_writing(&mut outbox);
        }
        Ok(Written { at_once, unsent: outbox.len() })
    }

    /// Bytes that have not been sent.
    pub fn unsent(&self) -> usize {
        self.shared.outbox().len()
    }

    /// Asks for one [`Event::Drained`] when no more than `mark` bytes are unsent.
    ///
    /// Returns whether there is one to come: not if so few are unsent already.
    pub fn tell_below(&self, mark: usize) -> bool {
        let mut outbox = self.shared.outbox();
        let is_above = outbox.len() > mark;
        outbox.tell_below = is_above.then_some(mark);
        is_above
    }

    /// Asks for one [`Event::Flushed`] when nothing is unsent, and shuts the sending side down
    /// before that if `shut_down` says so.
    pub fn flush(&self, shut_down: bool) {
        let mut outbox = self.shared.outbox();
        outbox.shut_down_after |= shut_down;
        self.ensure_writing(&mut outbox);
    }

    /// Throws away what is unsent.
    pub fn discard_unsent(&self) {
        self.shared.outbox().clear();
    }

    fn ensure_writing(&self, outbox: &mut Outbox) {
        if !outbox.is_writing {
            outbox.is_writing = true;
            drop::<JoinHandle<()>>(self.handle.spawn(send_all(Arc::clone(&self.shared))));
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.socket.get_ref().as_fd()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
        self.shared.inbox().clear(&self.shared.read_ahead);
    }
}

/// The reader task of one connection, on the I/O thread.
async fn read_ahead(shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    loop {
        shared.wait_for_room().await;
        match shared.receive(&mut buffer).await {
            Ok(0) => return shared.deliver(|inbox, _| inbox.end(End::Eof)),
            Ok(_) => {
                let chunk = cut_chunk(&mut buffer);
                shared.deliver(|inbox, read_ahead| inbox.push(chunk, read_ahead));
            }
            Err(error) => return shared.deliver(|inbox, _| inbox.end(End::Failed(error))),
        }
    }
}

/// Hands over a well-filled buffer as it is, and copies a few bytes out of a large one, so that what
/// is held is what is counted.
fn cut_chunk(buffer: &mut Vec<u8>) -> Bytes {
    if buffer.len() >= READ_SIZE / 4 {
        return std::mem::take(buffer).into();
    }
    let chunk = Bytes::copy_from_slice(buffer);
    buffer.clear();
    chunk
}

/// The writer task of one connection: lives while there is something to send.
async fn send_all(shared: Arc<Shared>) {
    loop {
        let pieces = {
            let mut outbox = shared.outbox();
            let pieces = outbox.first_pieces();
            if pieces.is_empty() {
                outbox.is_writing = false;
                if std::mem::take(&mut outbox.shut_down_after) {
                    // The peer may have closed meanwhile; the reader tells of that.
                    let _done_or_gone = shutdown(shared.socket.get_ref(), Shutdown::Write);
                }
                drop(outbox);
                return (shared.door)(Event::Flushed(shared.token));
            }
            pieces
        };
        match shared.send_pieces(&pieces).await {
            Ok(count) => {
                // The outbox may have been thrown away meanwhile.
                let mut outbox = shared.outbox();
                let is_drained = !outbox.is_empty() && outbox.advance(count);
                drop(outbox);
                if is_drained {
                    (shared.door)(Event::Drained(shared.token));
                }
            }
            Err(error) => {
                let mut outbox = shared.outbox();
                outbox.clear();
                outbox.is_writing = false;
                drop(outbox);
                return (shared.door)(Event::SendFailed(shared.token, error));
            }
        }
    }
}

impl Shared {
    async fn wait_for_room(&self) {
        loop {
            {
                let mut inbox = self.inbox();
                if inbox.has_room(&self.read_ahead) {
                    return;
                }
                inbox.is_reader_waiting = true;
            }
            self.room.notified().await;
        }
    }

    async fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let mut guard = self.socket.readable().await?;
            buffer.reserve(READ_SIZE);
            let result = guard.try_io(|socket| {
                Ok(recv(socket.get_ref(), spare_capacity(buffer), RecvFlags::empty())?)
            });
            match result {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return result.map(|(count, _)| count),
                Err(_would_block) => {}
            }
        }
    }

    async fn send_pieces(&self, pieces: &[Bytes]) -> io::Result<usize> {
        loop {
            let mut guard = self.socket.writable().await?;
            let result = guard.try_io(|socket| {
                let mut control = SendAncillaryBuffer::default();
                Ok(sendmsg(socket.get_ref(), &slices(pieces), &mut control, SendFlags::NOSIGNAL)?)
            });
            match result {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    fn send_now(&self, data: &[u8]) -> io::Result<usize> {
        match send(self.socket.get_ref(), data, SendFlags::NOSIGNAL) {
            Ok(count) => Ok(count),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the inbox and tells the main thread, if it has not been told.
    fn deliver(&self, change: impl FnOnce(&mut Inbox, &ReadAhead)) {
        let _room = tracing::trace_span!("reactor/connection").entered();
        let is_news = {
            let mut inbox = self.inbox();
            change(&mut inbox, &self.read_ahead);
            !std::mem::replace(&mut inbox.announced, true)
        };
        if is_news {
            (self.door)(Event::Received(self.token));
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("token", &self.token).finish_non_exhaustive()
    }
}
