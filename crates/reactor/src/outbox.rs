//! Bytes that the kernel would not take at once.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// What the main thread has written and what is still to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    chunks: VecDeque<Bytes>,
    held: usize,
    /// Somebody is sending: nobody else may, so that the order is kept.
    pub(crate) is_writing: bool,
    /// Tell the main thread when no more than this many bytes are left.
    pub(crate) tell_below: Option<usize>,
    /// Shut the sending side down after the last byte.
    pub(crate) shut_down_after: bool,
    /// Tell the main thread when nothing is left.
    pub(crate) tell_flushed: bool,
}

/// As many pieces as one `writev` sends; more bring nothing.
const PIECES: usize = 64;

impl Outbox {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.held += chunk.len();
        self.chunks.push_back(chunk);
    }

    pub(crate) fn len(&self) -> usize {
        self.held
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Cheap copies of the first pieces, so that they can be sent without the lock.
    pub(crate) fn first_pieces(&self) -> Vec<Bytes> {
        self.chunks.iter().take(PIECES).cloned().collect()
    }

    /// `count` bytes have been sent. Returns whether the main thread is to be told.
    pub(crate) fn advance(&mut self, mut count: usize) -> bool {
        self.held -= count;
        while let Some(chunk) = self.chunks.front_mut() {
            let step = chunk.len().min(count);
            chunk.advance(step);
            count -= step;
            if !chunk.is_empty() {
                break;
            }
            self.chunks.pop_front();
        }
        self.tell_below.take_if(|below| self.held <= *below).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.held = 0;
        self.tell_below = None;
    }
}

pub(crate) fn slices(pieces: &[Bytes]) -> Vec<IoSlice<'_>> {
    pieces.iter().map(|piece| IoSlice::new(piece)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_thread_is_told_once_when_little_is_left() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"0123456789"));
        outbox.push(Bytes::from_static(b"abc"));
        outbox.tell_below = Some(4);
        assert!(!outbox.advance(2));
        assert_eq!(outbox.first_pieces(), ["23456789", "abc"]);
        assert!(outbox.advance(7), "four bytes are left");
        assert!(!outbox.advance(1), "told already");
        assert_eq!(outbox.first_pieces(), ["abc"]);
        assert!(!outbox.advance(3));
        assert!(outbox.is_empty());
    }
}
