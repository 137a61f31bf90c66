//! One connected stream socket: read ahead by the I/O thread or read at once by the main thread,
//! written from both.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mio::Interest;
use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};

use crate::inbox::{End, Inbox, Reader};
use crate::io_thread::{Core, Event, Reactor, Token};
use crate::outbox::{Outbox, slices};
use crate::poll::{Driver, Readiness, Source, Turn};
use crate::sys::{Watchable, send, send_pieces};

/// The main thread's hold on a connection. Dropping it closes the connection.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    token: Token,
    socket: OwnedFd,
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    /// Looked at without the lock: most sockets that are ready have nothing to be sent.
    has_unsent: AtomicBool,
    core: Arc<Core>,
}

/// What [`Connection::take`] hands over.
#[derive(Debug)]
pub struct Delivery {
    pub data: Data,
    /// How the input ended; never together with bytes.
    pub end: Option<End>,
    /// There may be more already.
    pub more: bool,
}

/// Where the bytes of a [`Delivery`] are.
#[derive(Debug, PartialEq, Eq)]
pub enum Data {
    /// Read ahead, in as few pieces as they came; perhaps none.
    Pieces(Vec<Bytes>),
    /// Read just now, at the beginning of the caller's buffer: so many.
    InBuffer(usize),
}

/// What [`Connection::write`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes that the kernel took at once.
    pub at_once: usize,
    /// Bytes that are left for later, those of earlier writes included.
    pub unsent: usize,
}

/// The most that one `recv` asks for, in bytes.
const READ_SIZE: usize = 256 << 10;
/// The most that one `write` sends on the main thread of a guest, in bytes: a write of 100 MiB must
/// not stop a frame.
const WRITE_AT_ONCE: usize = 256 << 10;
/// Bytes that are moved for one connection before others get their turn.
const BURST: usize = 1 << 20;

impl Connection {
    /// Takes over a connected socket, which must be non-blocking. Nothing is read yet.
    ///
    /// # Errors
    /// The system's, if the socket cannot be watched.
    pub fn adopt(reactor: &Reactor, token: Token, socket: OwnedFd) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            token,
            socket,
            inbox: Mutex::default(),
            outbox: Mutex::default(),
            has_unsent: AtomicBool::new(false),
            core: Arc::clone(&reactor.core),
        });
        let source = Arc::<Shared>::clone(&shared);
        shared.core.poll.add(
            token,
            &Watchable::of(&shared.socket),
            Interest::READABLE | Interest::WRITABLE,
            source,
        )?;
        Ok(Self { shared })
    }

    pub fn token(&self) -> Token {
        self.shared.token
    }

    /// Starts to read. Each batch is announced by one [`Event::Received`].
    pub fn start_reading(&self) {
        let mut inbox = self.shared.inbox();
        if inbox.reader == Reader::Off {
            inbox.reader = Reader::Free;
        }
        let may_read = inbox.may_read();
        drop(inbox);
        if may_read {
            self.shared.core.want_served(self.shared.token);
        }
    }

    /// Takes what fits into `buffer`: what was read ahead, or else what the system has.
    ///
    /// If there is `more`, no event will tell of it: take again. If not, one will.
    pub fn take(&self, buffer: &mut [u8]) -> Delivery {
        let mut inbox = self.shared.inbox();
        let pieces = inbox.take(buffer.len(), &self.shared.core.read_ahead);
        let is_reader_waiting = inbox.reader == Reader::WaitingForRoom;
        // The end is not handed over together with bytes: their receiver may pause, and then the end
        // has to wait as well.
        let (data, end) = if !pieces.is_empty() {
            (Data::Pieces(pieces), None)
        } else if let Some(end) = inbox.take_end() {
            (Data::Pieces(pieces), Some(end))
        } else if inbox.may_read() {
            let result = self.shared.receive_into(buffer);
            match inbox.note_read(&result, buffer.len()) {
                Some(end) => (Data::Pieces(pieces), Some(end)),
                None => (Data::InBuffer(result.unwrap_or(0)), None),
            }
        } else {
            (Data::Pieces(pieces), None)
        };
        let more = inbox.has_something() || inbox.may_read();
        inbox.announced = more;
        if is_reader_waiting {
            inbox.reader = Reader::Free;
            drop(inbox);
            self.shared.core.want_served(self.shared.token);
        }
        Delivery { data, end, more }
    }

    /// Sends what the kernel takes at once and leaves the rest for later: what `keep` makes of
    /// `data` from a position on.
    ///
    /// # Errors
    /// The system's; the connection is of no more use then.
    pub fn write(&self, data: &[u8], keep: impl FnOnce(usize) -> Bytes) -> io::Result<Written> {
        let shared = &self.shared;
        let mut outbox = shared.outbox();
        let mut at_once = 0;
        let is_first = outbox.is_empty() && !outbox.is_writing;
        if is_first {
            let is_guest = !shared.core.driving.is_main();
            let most = if is_guest { WRITE_AT_ONCE.min(data.len()) } else { data.len() };
            at_once = shared.send_now(&data[..most])?;
        }
        if at_once < data.len() {
            outbox.push(keep(at_once));
            shared.has_unsent.store(true, Ordering::SeqCst);
        }
        let unsent = outbox.len();
        drop(outbox);
        if is_first && unsent > 0 {
            // The kernel may have reported room before it was known that there is something to send.
            shared.core.want_served(shared.token);
        }
        Ok(Written { at_once, unsent })
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
        self.finish(|outbox| {
            outbox.shut_down_after |= shut_down;
            outbox.tell_flushed = true;
        });
    }

    /// Shuts the sending side down when nothing is unsent.
    pub fn shut_down(&self) {
        self.finish(|outbox| outbox.shut_down_after = true);
    }

    fn finish(&self, ask: impl FnOnce(&mut Outbox)) {
        let mut outbox = self.shared.outbox();
        ask(&mut outbox);
        if !outbox.is_writing && self.shared.finish_flush(outbox) {
            self.shared.core.tell(Event::Flushed(self.shared.token));
        }
    }

    /// Throws away what is unsent.
    pub fn discard_unsent(&self) {
        self.shared.outbox().clear();
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.socket.as_fd()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.core.poll.remove(shared.token, &Watchable::of(&shared.socket));
        shared.inbox().close(&shared.core.read_ahead);
    }
}

impl Source for Shared {
    fn serve(&self, readiness: Readiness, turn: &mut Turn<'_>) {
        match turn.driver {
            Driver::MainThread => self.announce_readable(readiness, turn),
            Driver::IoThread => self.read_ahead(readiness, turn),
        }
        if self.has_unsent.load(Ordering::SeqCst) {
            self.send_unsent(turn);
        }
    }

    fn is_unread(&self) -> bool {
        self.inbox().may_read()
    }
}

impl Shared {
    /// Leaves the reading to the main thread.
    fn announce_readable(&self, readiness: Readiness, turn: &mut Turn<'_>) {
        let mut inbox = self.inbox();
        inbox.note_readiness(readiness);
        if inbox.may_read() {
            turn.leave_unread(self.token);
            self.announce(inbox, turn);
        }
    }

    /// Reads until the kernel has no more or the bound is reached.
    fn read_ahead(&self, readiness: Readiness, turn: &mut Turn<'_>) {
        self.inbox().note_readiness(readiness);
        let mut moved = 0;
        loop {
            {
                let mut inbox = self.inbox();
                if !inbox.may_read() {
                    return;
                }
                if !inbox.has_room(&self.core.read_ahead) {
                    inbox.reader = Reader::WaitingForRoom;
                    return;
                }
                if moved >= BURST {
                    return turn.serve_again(self.token);
                }
                inbox.reader = Reader::Reading;
            }
            let result = self.receive(turn.scratch);
            let mut inbox = self.inbox();
            if inbox.reader == Reader::Off {
                // The connection was closed meanwhile.
                return;
            }
            inbox.reader = Reader::Free;
            match inbox.note_read(&result, READ_SIZE) {
                Some(end) => inbox.end(end),
                None if turn.scratch.is_empty() => {}
                None => {
                    moved += turn.scratch.len();
                    inbox.push(cut_chunk(turn.scratch), &self.core.read_ahead);
                }
            }
            if inbox.has_something() {
                self.announce(inbox, turn);
            }
        }
    }

    /// Tells the main thread, if it has not been told.
    fn announce(&self, mut inbox: MutexGuard<'_, Inbox>, turn: &mut Turn<'_>) {
        let _room = tracing::trace_span!("reactor/connection").entered();
        let is_news = !std::mem::replace(&mut inbox.announced, true);
        drop(inbox);
        if is_news {
            turn.tell(Event::Received(self.token));
        }
    }

    /// Sends until the kernel takes no more or nothing is left.
    fn send_unsent(&self, turn: &mut Turn<'_>) {
        let mut moved = 0;
        loop {
            let pieces = {
                let mut outbox = self.outbox();
                if outbox.is_empty() {
                    self.has_unsent.store(false, Ordering::SeqCst);
                    if self.finish_flush(outbox) {
                        turn.tell(Event::Flushed(self.token));
                    }
                    return;
                }
                if moved >= BURST {
                    return turn.serve_again(self.token);
                }
                outbox.is_writing = true;
                outbox.first_pieces()
            };
            let result = self.send_pieces(&pieces);
            let mut outbox = self.outbox();
            outbox.is_writing = false;
            match result {
                Ok(count) => {
                    moved += count;
                    // The outbox may have been thrown away meanwhile.
                    let is_drained = !outbox.is_empty() && outbox.advance(count);
                    drop(outbox);
                    if is_drained {
                        turn.tell(Event::Drained(self.token));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    outbox.clear();
                    drop(outbox);
                    return turn.tell(Event::SendFailed(self.token, error));
                }
            }
        }
    }

    /// Does what was to be done when nothing is unsent. Returns whether the main thread wants to know.
    fn finish_flush(&self, mut outbox: MutexGuard<'_, Outbox>) -> bool {
        if !outbox.is_empty() {
            return false;
        }
        if std::mem::take(&mut outbox.shut_down_after) {
            // The peer may have closed meanwhile; reading tells of that.
            let _done_or_gone = shutdown(&self.socket, Shutdown::Write);
        }
        std::mem::take(&mut outbox.tell_flushed)
    }

    fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        buffer.clear();
        buffer.reserve(READ_SIZE);
        self.core.poll.attempt(self.token, READ_SIZE, || {
            let (count, _) = recv(&self.socket, spare_capacity(buffer), RecvFlags::empty())?;
            Ok(count)
        })
    }

    fn receive_into(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.core.poll.attempt(self.token, buffer.len(), || {
            let (count, _) = recv(&self.socket, buffer, RecvFlags::empty())?;
            Ok(count)
        })
    }

    fn send_pieces(&self, pieces: &[Bytes]) -> io::Result<usize> {
        let wanted = pieces.iter().map(Bytes::len).sum();
        let send = || send_pieces(&self.socket, &slices(pieces));
        self.core.poll.attempt(self.token, wanted, send)
    }

    fn send_now(&self, data: &[u8]) -> io::Result<usize> {
        let sent = self.core.poll.attempt(self.token, data.len(), || send(&self.socket, data));
        match sent {
            Err(error) if is_for_later(&error) => Ok(0),
            sent => sent,
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
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
