//! What has to hold for any bytes. A fuzz target calls it; a test does with the target's corpus.

use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::{io, iter};

use aiobpy_wire::FromWorker;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, ReadBuf};

use crate::worker_end;
use crate::worker_link::{LinkEnd, receive_all};

/// What comes over a worker's link is the same however it is cut in pieces; what was understood, once written,
/// is understood again. The worker reads the lines that were written, and nothing of a line that is no text.
pub fn link(data: &[u8]) {
    let size = data.first().map_or(1, |byte| usize::from(*byte) + 1);
    let whole = received(data, data.len().max(1));
    assert_eq!(received(data, size), whole);
    let lines = whole.0.iter().map(|message| serde_json::to_string(message).unwrap() + "\n");
    let written = lines.collect::<String>();
    assert_eq!(received(written.as_bytes(), size), (whole.0, LinkEnd::Closed));
    read_by_worker(data);
}

fn received(data: &[u8], size: usize) -> (Vec<FromWorker>, LinkEnd) {
    let mut messages = Vec::new();
    let receiving = receive_all(Pieces { data, size }, |message| messages.push(message));
    let end = receiving.now_or_never().expect("nothing makes it wait");
    (messages, end)
}

fn read_by_worker(data: &[u8]) {
    let (sender, lines) = channel();
    worker_end::receive_all(data, &sender, drop);
    drop(sender);
    let mut rest = data;
    let expected = iter::from_fn(|| {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = str::from_utf8(rest.get(..end).filter(|_| !rest.is_empty())?).ok()?;
        let is_ended = end < rest.len();
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(if is_ended { line.strip_suffix('\r').unwrap_or(line) } else { line })
    });
    let expected = expected.filter(|line| !line.starts_with(worker_end::CANCEL));
    assert!(lines.into_iter().eq(expected));
}

/// Bytes that come a few at a time.
struct Pieces<'a> {
    data: &'a [u8],
    size: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = self.size.min(self.data.len()).min(buffer.remaining());
        let (piece, rest) = self.data.split_at(size);
        buffer.put_slice(piece);
        self.data = rest;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[path = "../../../fuzz/common/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link() {
        corpus::replay("fleet_link", super::link);
    }
}
