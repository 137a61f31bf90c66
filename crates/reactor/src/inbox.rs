//! Bytes that have been read ahead of the main thread.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::poll::Readiness;

/// How far the I/O thread reads ahead of the main thread.
///
/// Beyond that the bytes stay in the kernel, and TCP stops the peer: a slow consumer costs no
/// memory. A connection starts with a small share, which doubles each time that the main thread
/// empties an inbox that was full: who is read as fast as it comes may fill a whole frame's worth.
#[derive(Debug)]
pub struct ReadAhead {
    /// Bytes, per connection, at the most.
    per_connection: AtomicUsize,
    /// Bytes, over all connections of one loop.
    in_all: AtomicUsize,
    held: AtomicUsize,
}

impl ReadAhead {
    pub const DEFAULT_PER_CONNECTION: usize = 16 << 20;
    pub const DEFAULT_IN_ALL: usize = 64 << 20;

    /// Sets both bounds, in bytes. A connection that holds nothing may always read once.
    pub fn set_bounds(&self, per_connection: usize, in_all: usize) {
        self.per_connection.store(per_connection, Ordering::Relaxed);
        self.in_all.store(in_all, Ordering::Relaxed);
    }

    /// Bytes that are held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn has_room(&self, held_by_connection: usize, share: usize) -> bool {
        let share = share.min(self.per_connection.load(Ordering::Relaxed));
        held_by_connection == 0
            || (held_by_connection < share && self.held() < self.in_all.load(Ordering::Relaxed))
    }
}

/// What a connection may hold at first, in bytes.
const FIRST_SHARE: usize = 1 << 20;

impl Default for ReadAhead {
    fn default() -> Self {
        Self {
            per_connection: AtomicUsize::new(Self::DEFAULT_PER_CONNECTION),
            in_all: AtomicUsize::new(Self::DEFAULT_IN_ALL),
            held: AtomicUsize::new(0),
        }
    }
}

/// How a connection's input ended.
#[derive(Debug)]
pub enum End {
    /// The peer will send no more.
    Eof,
    Failed(io::Error),
}

/// What becomes of the bytes that the kernel has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Nobody wants them, yet or any more.
    #[default]
    Off,
    /// Whoever comes by may read them.
    Free,
    /// The I/O thread reads at this moment: nobody else may.
    Reading,
    /// The I/O thread waits for room.
    WaitingForRoom,
}

/// What is known of the kernel's side.
#[derive(Debug, Default)]
struct Kernel {
    /// It may have bytes.
    is_readable: bool,
    /// It has the end behind what it has.
    is_read_closed: bool,
}

/// What one connection has received and the main thread has not yet taken.
#[derive(Debug)]
pub(crate) struct Inbox {
    chunks: VecDeque<Bytes>,
    held: usize,
    /// What it may hold, in bytes, as long as the bounds allow it.
    share: usize,
    /// It has been full since it was last empty.
    was_full: bool,
    end: Option<End>,
    /// An event that tells of it is on its way to the main thread.
    pub(crate) announced: bool,
    pub(crate) reader: Reader,
    kernel: Kernel,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            held: 0,
            share: FIRST_SHARE,
            was_full: false,
            end: None,
            announced: false,
            reader: Reader::default(),
            kernel: Kernel::default(),
        }
    }
}

impl Inbox {
    pub(crate) fn note_readiness(&mut self, readiness: Readiness) {
        self.kernel.is_readable |= readiness.readable;
        self.kernel.is_read_closed |= readiness.read_closed;
    }

    /// Whether the kernel may have more that can be read now.
    pub(crate) fn may_read(&self) -> bool {
        self.kernel.is_readable && self.reader == Reader::Free && self.end.is_none()
    }

    /// What a read of `wanted` bytes says of the kernel's side; the end, if it has come.
    pub(crate) fn note_read(&mut self, result: &io::Result<usize>, wanted: usize) -> Option<End> {
        match result {
            Ok(0) if wanted > 0 => {
                self.kernel.is_readable = false;
                Some(End::Eof)
            }
            Ok(count) => {
                // The kernel gave all that it had, and reports what comes from now on.
                self.kernel.is_readable = *count == wanted || self.kernel.is_read_closed;
                None
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.kernel.is_readable = false;
                None
            }
            Err(error) => {
                self.kernel.is_readable = false;
                Some(End::Failed(copy_of(error)))
            }
        }
    }

    pub(crate) fn push(&mut self, chunk: Bytes, read_ahead: &ReadAhead) {
        self.held += chunk.len();
        read_ahead.held.fetch_add(chunk.len(), Ordering::Relaxed);
        self.chunks.push_back(chunk);
    }

    pub(crate) fn end(&mut self, end: End) {
        self.end = Some(end);
    }

    pub(crate) fn has_room(&mut self, read_ahead: &ReadAhead) -> bool {
        let has_room = read_ahead.has_room(self.held, self.share);
        self.was_full |= !has_room;
        has_room
    }

    pub(crate) fn has_something(&self) -> bool {
        !self.chunks.is_empty() || self.end.is_some()
    }

    /// Takes `limit` bytes at most, in as few pieces as they came.
    pub(crate) fn take(&mut self, limit: usize, read_ahead: &ReadAhead) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut left = limit;
        while left > 0 {
            let Some(chunk) = self.chunks.front_mut() else { break };
            let piece = chunk.split_to(chunk.len().min(left));
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
            left -= piece.len();
            taken.push(piece);
        }
        let count = limit - left;
        self.held -= count;
        read_ahead.held.fetch_sub(count, Ordering::Relaxed);
        if self.held == 0 && std::mem::take(&mut self.was_full) {
            let most = read_ahead.per_connection.load(Ordering::Relaxed);
            self.share = (self.share * 2).min(most.max(FIRST_SHARE));
        }
        taken
    }

    /// Takes the end, once every byte before it has been taken.
    pub(crate) fn take_end(&mut self) -> Option<End> {
        if self.chunks.is_empty() { self.end.take() } else { None }
    }

    /// Forgets all that is held, and holds nothing any more.
    pub(crate) fn close(&mut self, read_ahead: &ReadAhead) {
        self.reader = Reader::Off;
        read_ahead.held.fetch_sub(self.held, Ordering::Relaxed);
        self.chunks.clear();
        self.held = 0;
        self.end = None;
    }
}

/// The same error, for another owner.
fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Read { connection: usize, size: usize },
        Take { connection: usize, limit: usize },
        Close { connection: usize },
    }

    const CONNECTIONS: usize = 4;
    const LARGEST_READ: usize = 1000;

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..CONNECTIONS, 1..=LARGEST_READ)
                .prop_map(|(connection, size)| Step::Read { connection, size }),
            3 => (0..CONNECTIONS, 1..3 * LARGEST_READ)
                .prop_map(|(connection, limit)| Step::Take { connection, limit }),
            1 => (0..CONNECTIONS).prop_map(|connection| Step::Close { connection }),
        ];
        prop::collection::vec(step, 0..300)
    }

    proptest! {
        /// Readers that read when there is room, and takers that come when they like: the bounds hold
        /// within one read, nothing is lost or turned round, and what is counted is what is held.
        #[test]
        fn back_pressure_holds_its_bounds_and_loses_nothing(
            per_connection in 1..5000_usize,
            in_all in 1..8000_usize,
            steps in steps(),
        ) {
            let read_ahead = ReadAhead::default();
            read_ahead.set_bounds(per_connection, in_all);
            let mut inboxes: Vec<_> = (0..CONNECTIONS).map(|_| Inbox::default()).collect();
            let mut models: Vec<VecDeque<u8>> = vec![VecDeque::new(); CONNECTIONS];
            let mut byte = 0_u8;
            for step in steps {
                match step {
                    Step::Read { connection, size } => {
                        if !inboxes[connection].has_room(&read_ahead) {
                            prop_assert!(inboxes[connection].held > 0, "who has nothing may read");
                            continue;
                        }
                        let bytes: Vec<u8> =
                            std::iter::repeat_with(|| { byte = byte.wrapping_add(1); byte })
                                .take(size)
                                .collect();
                        models[connection].extend(&bytes);
                        inboxes[connection].push(bytes.into(), &read_ahead);
                    }
                    Step::Take { connection, limit } => {
                        let taken = inboxes[connection].take(limit, &read_ahead).concat();
                        let count = limit.min(models[connection].len());
                        prop_assert_eq!(taken, models[connection].drain(..count).collect::<Vec<_>>());
                    }
                    Step::Close { connection } => {
                        inboxes[connection].close(&read_ahead);
                        inboxes[connection] = Inbox::default();
                        models[connection].clear();
                    }
                }
                let held: usize = models.iter().map(VecDeque::len).sum();
                prop_assert_eq!(read_ahead.held(), held);
                prop_assert!(models.iter().all(|it| it.len() < per_connection + LARGEST_READ));
                // Beyond the bound of all, each may hold one read, with which it began.
                prop_assert!(held < in_all + CONNECTIONS * LARGEST_READ);
            }
        }
    }

    #[test]
    fn bytes_come_out_in_order_and_the_end_last() {
        let read_ahead = ReadAhead::default();
        let mut inbox = Inbox::default();
        inbox.push(Bytes::from_static(b"abc"), &read_ahead);
        inbox.push(Bytes::from_static(b"def"), &read_ahead);
        inbox.end(End::Eof);
        assert_eq!(read_ahead.held(), 6);
        assert_eq!(inbox.take(4, &read_ahead), ["abc", "d"]);
        assert!(inbox.take_end().is_none(), "two bytes are before it");
        assert_eq!(inbox.take(100, &read_ahead), ["ef"]);
        assert!(matches!(inbox.take_end(), Some(End::Eof)));
        assert_eq!(read_ahead.held(), 0);
    }

    #[test]
    fn a_connection_stops_at_its_own_bound_and_at_that_of_all() {
        let read_ahead = ReadAhead::default();
        read_ahead.set_bounds(4, 6);
        let (mut first, mut second) = (Inbox::default(), Inbox::default());
        first.push(Bytes::from_static(b"1234"), &read_ahead);
        assert!(!first.has_room(&read_ahead), "its own bound");
        assert!(second.has_room(&read_ahead));
        second.push(Bytes::from_static(b"12"), &read_ahead);
        assert!(!second.has_room(&read_ahead), "the bound of all");
        assert!(Inbox::default().has_room(&read_ahead), "who holds nothing may always read once");
        first.close(&read_ahead);
        assert!(second.has_room(&read_ahead));
    }

    #[test]
    fn the_share_of_a_connection_that_is_emptied_grows_up_to_the_bound() {
        let read_ahead = ReadAhead::default();
        let mut inbox = Inbox::default();
        let mut shares = Vec::new();
        for _ in 0..6 {
            while inbox.has_room(&read_ahead) {
                inbox.push(vec![0; 1 << 18].into(), &read_ahead);
            }
            shares.push(read_ahead.held() >> 20);
            inbox.take(usize::MAX, &read_ahead);
        }
        assert_eq!(shares, [1, 2, 4, 8, 16, 16]);
    }
}
