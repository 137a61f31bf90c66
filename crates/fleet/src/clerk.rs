//! A thread of a database's own: no async task may wait for a disk.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

/// A thread that works through what it is sent, until the sender is dropped.
pub(crate) struct Clerk<T> {
    desk: Option<Sender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Clerk<T> {
    pub(crate) fn start(
        name: &str,
        work: impl FnOnce(Receiver<T>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (desk, tasks) = channel();
        let thread = Builder::new().name(name.into()).spawn(move || work(tasks))?;
        Ok(Self { desk: Some(desk), thread: Some(thread) })
    }

    /// Whether the thread is there to do it.
    pub(crate) fn give(&self, task: T) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.send(task).is_ok())
    }
}

impl<T> Drop for Clerk<T> {
    /// Waits until everything that was given is done.
    fn drop(&mut self) {
        self.desk = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of a database panicked");
        }
    }
}
