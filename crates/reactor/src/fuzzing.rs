//! What has to hold for any steps. A fuzz target calls it; a test does with the target's corpus.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::inbox::{Inbox, ReadAhead};
use crate::outbox::Outbox;

const CONNECTIONS: usize = 4;
const PER_CONNECTION: usize = 3000;
const IN_ALL: usize = 5000;

/// A connection as it should be: what it holds, byte by byte.
#[derive(Default)]
struct Model {
    inbox: VecDeque<u8>,
    outbox: VecDeque<u8>,
    tell_below: Option<usize>,
}

/// Three bytes are a step, on one of four connections. What comes out is what went in, in order; what is counted
/// is what is held; the bounds hold within one read; and who waits for room to write is told once.
pub fn buffers(data: &[u8]) {
    let read_ahead = ReadAhead::default();
    read_ahead.set_bounds(PER_CONNECTION, IN_ALL);
    let mut connections: Vec<_> =
        std::iter::repeat_with(<(Inbox, Outbox, Model)>::default).take(CONNECTIONS).collect();
    let mut next_byte = 0_u8;
    let mut content = |size: usize| -> Vec<u8> {
        std::iter::repeat_with(|| {
            next_byte = next_byte.wrapping_add(1);
            next_byte
        })
        .take(size)
        .collect()
    };
    for step in data.chunks_exact(3) {
        let (inbox, outbox, model) = &mut connections[usize::from(step[0] >> 6)];
        let size = usize::from(u16::from_le_bytes([step[1], step[2]]) & 0x7ff);
        match step[0] & 7 {
            0 | 1 if inbox.has_room(&read_ahead) => {
                let bytes = content(size);
                model.inbox.extend(&bytes);
                inbox.push(bytes.into(), &read_ahead);
            }
            0 | 1 => assert!(!model.inbox.is_empty(), "who holds nothing may read"),
            2 => {
                let taken = inbox.take(size, &read_ahead).concat();
                let count = size.min(model.inbox.len());
                assert_eq!(taken, model.inbox.drain(..count).collect::<Vec<_>>());
            }
            3 => {
                inbox.close(&read_ahead);
                (*inbox, model.inbox) = <_>::default();
            }
            4 => {
                let bytes = content(size);
                model.outbox.extend(&bytes);
                outbox.push(bytes.into());
            }
            5 => {
                model.tell_below = Some(size);
                outbox.tell_below = Some(size);
            }
            6 => send(outbox, model, size),
            _ => {
                outbox.clear();
                (model.outbox, model.tell_below) = <_>::default();
            }
        }
        assert_eq!(outbox.len(), model.outbox.len());
        assert_eq!(outbox.is_empty(), model.outbox.is_empty());
        let held = || connections.iter().map(|(_, _, model)| model.inbox.len());
        assert_eq!(read_ahead.held(), held().sum::<usize>());
        assert!(held().all(|held| held < PER_CONNECTION + 0x7ff));
        assert!(read_ahead.held() < IN_ALL + CONNECTIONS * 0x7ff);
    }
}

/// The kernel takes `count` bytes of what it is offered.
fn send(outbox: &mut Outbox, model: &mut Model, count: usize) {
    let offered = outbox.first_pieces();
    let count = count.min(offered.iter().map(Bytes::len).sum());
    let sent = model.outbox.drain(..count).collect::<Vec<_>>();
    assert!(offered.concat().starts_with(&sent));
    let is_told = model.tell_below.take_if(|below| model.outbox.len() <= *below).is_some();
    assert_eq!(outbox.advance(count), is_told);
}

#[cfg(test)]
#[path = "../../../fuzz/common/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers() {
        corpus::replay("reactor_buffers", super::buffers);
    }
}
