//! The worker's end of the link: two threads that know nothing of Python.
//!
//! The supervisor starts the worker with its end of the link. While Blender's main
//! thread is blocked in a render, these threads still say that the worker is there, send what
//! Blender's own threads report, and end the process when the supervisor is gone.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use serde::Deserialize;

use crate::sys::{Stream, kill_this_worker, take_link};

const ALIVE: &str = r#"{"type":"alive"}"#;
/// How a `wire::ToWorker::Cancel` begins.
pub(crate) const CANCEL: &str = r#"{"type":"cancel""#;
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// Lines to and from the supervisor.
#[derive(Debug)]
pub struct WorkerEnd {
    // Behind a lock because Python may call from any thread; only the main thread receives.
    received: Mutex<Receiver<String>>,
    to_send: Sender<String>,
    cancelled: Arc<Mutex<Option<Cancelled>>>,
}

/// The last attempt that the supervisor took back: the job, and which attempt at it.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Cancelled {
    id: String,
    attempt: u32,
}

impl WorkerEnd {
    /// Takes the link that this process was started with; no other may read it. When the supervisor closes its
    /// end, this process is killed: nobody is left to render for, and Blender cannot be asked to stop within
    /// a frame.
    ///
    /// # Errors
    ///
    /// Fails if no supervisor started this process.
    pub fn of_this_process() -> io::Result<Self> {
        Self::new(take_link()?, kill_this_worker)
    }

    /// Speaks over `link`; calls `when_closed` once the other end is closed.
    fn new(link: Stream, when_closed: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let writing = link.try_clone()?;
        let (sender, received) = channel();
        let (to_send, sending) = channel();
        let cancelled = Arc::new(Mutex::new(None));
        let noted = cancelled.clone();
        Builder::new().name("aiobpy-link-in".into()).spawn(move || {
            receive_all(link, &sender, |taken_back| {
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken_back);
            });
            when_closed();
        })?;
        Builder::new().name("aiobpy-link-out".into()).spawn(move || send_all(writing, &sending))?;
        Ok(Self { received: Mutex::new(received), to_send, cancelled })
    }

    /// Waits for the next line; `None` once the supervisor has closed its end.
    pub fn receive(&self) -> Option<String> {
        let received = self.received.lock().ok()?;
        received.recv().ok()
    }

    /// Whether the supervisor has taken an attempt back. Never waits.
    pub fn is_cancelled(&self, id: &str, attempt: u32) -> bool {
        let cancelled = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        cancelled
            .as_ref()
            .is_some_and(|taken_back| taken_back.attempt == attempt && taken_back.id == id)
    }

    /// Queues a line. Never waits, so that it may be called from one of Blender's render threads.
    pub fn send(&self, line: String) {
        // A link that is closed has ended this process, or is about to.
        let _ = self.to_send.send(line);
    }
}

/// Hands on each line, but for those that take an attempt back: these come while Python is busy.
pub(crate) fn receive_all(
    reading: impl Read,
    received: &Sender<String>,
    mut cancel: impl FnMut(Cancelled),
) {
    for line in BufReader::new(reading).lines() {
        let Ok(line) = line else { return };
        if line.starts_with(CANCEL) {
            if let Ok(taken_back) = serde_json::from_str(&line) {
                cancel(taken_back);
            }
        } else if received.send(line).is_err() {
            return;
        }
    }
}

fn send_all(mut socket: Stream, sending: &Receiver<String>) {
    loop {
        let line = match sending.recv_timeout(ALIVE_EVERY) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => ALIVE.into(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // Let the writer end with the link; the reader says so.
        if socket.write_all(format!("{line}\n").as_bytes()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use aiobpy_wire::{JobId, ToWorker};

    use super::*;
    use crate::sys::stream_pair;

    fn pair() -> (BufReader<Stream>, WorkerEnd, Receiver<()>) {
        let (supervisor, worker) = stream_pair().unwrap();
        let (closed, was_closed) = channel();
        let end = WorkerEnd::new(worker, move || closed.send(()).unwrap()).unwrap();
        (BufReader::new(supervisor), end, was_closed)
    }

    fn line(supervisor: &mut BufReader<Stream>) -> String {
        let mut line = String::new();
        supervisor.read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn lines_go_both_ways() {
        let (mut supervisor, end, _closed) = pair();
        supervisor.get_mut().write_all(b"hello\nworker\n").unwrap();
        assert_eq!(end.receive().as_deref(), Some("hello"));
        assert_eq!(end.receive().as_deref(), Some("worker"));
        end.send("good day".into());
        assert_eq!(line(&mut supervisor), "good day\n");
    }

    #[test]
    fn an_attempt_that_is_taken_back_is_known_while_nobody_receives() {
        let (mut supervisor, end, _closed) = pair();
        let id: JobId = "0192b3a4-0000-7000-8000-000000000000".parse().unwrap();
        let cancel = serde_json::to_string(&ToWorker::Cancel { id, attempt: 2 }).unwrap();
        let link = supervisor.get_mut();
        link.write_all(format!("{cancel}\nnext\n").as_bytes()).unwrap();
        assert_eq!(end.receive().as_deref(), Some("next"));
        let id = id.to_string();
        assert!(end.is_cancelled(&id, 2));
        assert!(!end.is_cancelled(&id, 1));
    }

    #[test]
    fn a_worker_with_nothing_to_say_says_that_it_is_alive() {
        let (mut supervisor, _end, _closed) = pair();
        assert_eq!(line(&mut supervisor), "{\"type\":\"alive\"}\n");
    }

    #[test]
    fn sending_does_not_wait_for_a_supervisor_that_does_not_read() {
        let (_supervisor, end, _closed) = pair();
        let line = "x".repeat(1024);
        for _ in 0..10_000 {
            end.send(line.clone());
        }
    }

    #[test]
    fn the_end_of_the_supervisor_is_noticed_while_nobody_receives() {
        let (supervisor, end, closed) = pair();
        drop(supervisor);
        closed.recv().unwrap();
        assert_eq!(end.receive(), None);
    }
}
