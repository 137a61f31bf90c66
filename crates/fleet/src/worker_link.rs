//! The supervisor's end of the link to a worker: one JSON object a line.
//!
//! **Invariant:** frames and nothing else. What a message means is the supervisor's affair.

use std::io;

use aiobpy_wire::{FromWorker, ToWorker};
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use crate::sys::{Connecting, LinkWriter, WorkersEnd, open_link};

/// A traceback and 100 templates fit easily.
const LONGEST_LINE: usize = 4 << 20;

/// Sends to one worker, without waiting for it to read.
#[derive(Debug)]
pub(crate) struct WorkerLink {
    outbox: mpsc::UnboundedSender<ToWorker>,
}

/// What tasks have to drive: once it is connected, see [`receive_all`] and [`send_all`].
pub(crate) struct LinkHalves {
    pub(crate) connecting: Connecting,
    pub(crate) sending: mpsc::UnboundedReceiver<ToWorker>,
}

impl WorkerLink {
    /// A link, the halves to drive, and the other end for the worker.
    pub(crate) fn open() -> io::Result<(Self, LinkHalves, WorkersEnd)> {
        let (connecting, workers_end) = open_link()?;
        let (outbox, sending) = mpsc::unbounded_channel();
        Ok((Self { outbox }, LinkHalves { connecting, sending }, workers_end))
    }

    #[tracing::instrument(name = "worker_link", skip_all)]
    pub(crate) fn send(&self, message: ToWorker) {
        // A worker that is gone is noticed by the reading half.
        let _ = self.outbox.send(message);
    }
}

/// Writes what is sent, until the link or its worker is gone.
pub(crate) async fn send_all(
    mut writing: LinkWriter,
    mut sending: mpsc::UnboundedReceiver<ToWorker>,
) {
    while let Some(message) = sending.recv().await {
        let Ok(mut line) = serde_json::to_vec(&message) else { continue };
        line.push(b'\n');
        if writing.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Hands on each message until the worker closes its end or sends what makes no sense.
pub(crate) async fn receive_all(
    reading: impl AsyncRead + Unpin,
    mut hand_on: impl FnMut(FromWorker),
) -> LinkEnd {
    let mut lines = FramedRead::new(reading, LinesCodec::new_with_max_length(LONGEST_LINE));
    loop {
        let line = match lines.next().await {
            None | Some(Err(LinesCodecError::Io(_))) => return LinkEnd::Closed,
            Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
                return LinkEnd::Senseless(format!("a line of more than {LONGEST_LINE} bytes"));
            }
            Some(Ok(line)) => line,
        };
        match serde_json::from_str(&line) {
            Ok(message) => hand_on(message),
            Err(error) => return LinkEnd::Senseless(format!("`{}`: {error}", shortened(&line))),
        }
    }
}

/// Why nothing more comes from a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkEnd {
    Closed,
    /// It sent this, which is no message.
    Senseless(String),
}

fn shortened(line: &str) -> String {
    let mut shortened: String = line.chars().take(200).collect();
    if shortened.len() < line.len() {
        shortened.push('…');
    }
    shortened
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};

    use super::*;
    use crate::sys::Stream;

    fn opened() -> (WorkerLink, LinkHalves, Stream) {
        let (link, halves, workers_end) = WorkerLink::open().unwrap();
        (link, halves, workers_end.into_stream())
    }

    async fn received(bytes: &[u8]) -> (Vec<FromWorker>, LinkEnd) {
        let (_link, halves, mut worker) = opened();
        worker.write_all(bytes).unwrap();
        drop(worker);
        let mut messages = Vec::new();
        let (reading, _writing) = halves.connecting.connected().await.unwrap();
        let end = receive_all(reading, |message| messages.push(message)).await;
        (messages, end)
    }

    #[tokio::test]
    async fn messages_are_lines_of_json() {
        let (link, LinkHalves { connecting, sending }, worker) = opened();
        let (_reading, writing) = connecting.connected().await.unwrap();
        link.send(ToWorker::Stop);
        drop(link);
        send_all(writing, sending).await;
        let mut sent = String::new();
        BufReader::new(worker).read_line(&mut sent).unwrap();
        assert_eq!(sent, "{\"type\":\"stop\"}\n");
    }

    #[tokio::test]
    async fn messages_come_in_order_until_the_worker_closes_its_end() {
        let (messages, end) = received(b"{\"type\":\"alive\"}\n{\"type\":\"alive\"}\n").await;
        assert_eq!(messages, [FromWorker::Alive, FromWorker::Alive]);
        assert_eq!(end, LinkEnd::Closed);
    }

    #[tokio::test]
    async fn a_line_that_is_no_message_ends_the_link_and_is_quoted() {
        let (messages, end) = received(b"{\"type\":\"alive\"}\nBlender 5.0.1\n").await;
        assert_eq!(messages, [FromWorker::Alive]);
        let LinkEnd::Senseless(why) = end else { panic!("{end:?}") };
        assert!(why.starts_with("`Blender 5.0.1`: expected value"), "{why}");
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_kept_without_a_limit() {
        let (_link, halves, mut worker) = opened();
        let writer = std::thread::Builder::new()
            .spawn(move || {
                let chunk = vec![b'x'; 1 << 16];
                while worker.write_all(&chunk).is_ok() {}
            })
            .unwrap();
        let (reading, writing) = halves.connecting.connected().await.unwrap();
        let end = receive_all(reading, |_| {}).await;
        assert!(matches!(end, LinkEnd::Senseless(_)), "{end:?}");
        drop(writing);
        writer.join().unwrap();
    }
}
