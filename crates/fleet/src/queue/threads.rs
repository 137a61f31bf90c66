//! The two threads that touch the database: one writes, one reads.
//!
//! `SQLite` waits for the disk; no async task may. What waits to be written is written in one
//! transaction, so that many clients share one wait for the disk.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use aiobpy_wire::EventRecord;
use rusqlite::{Connection, Error, Result, TransactionBehavior};
use tokio::sync::broadcast;

use crate::queue::ledger::Ledger;

/// A change to make. It returns what to do when it is known whether it was committed.
pub(super) type Change = Box<dyn FnOnce(&mut Ledger<'_>) -> Result<Afterwards> + Send>;
pub(super) type Afterwards = Box<dyn FnOnce()>;
pub(super) type Question = Box<dyn FnOnce(&Connection) + Send>;

/// A thread that works through what it is sent, until the sender is dropped.
pub(super) struct Clerk<T> {
    desk: Option<Sender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Clerk<T> {
    fn start(name: &str, work: impl FnOnce(Receiver<T>) + Send + 'static) -> std::io::Result<Self> {
        let (desk, tasks) = channel();
        let thread = Builder::new().name(name.into()).spawn(move || work(tasks))?;
        Ok(Self { desk: Some(desk), thread: Some(thread) })
    }

    /// Whether the thread is there to do it.
    pub(super) fn give(&self, task: T) -> bool {
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
            tracing::error!("a thread of the queue panicked");
        }
    }
}

pub(super) fn start_writer(
    mut connection: Connection,
    events: broadcast::Sender<EventRecord>,
) -> std::io::Result<Clerk<Change>> {
    Clerk::start("aiobpy-queue-w", move |tasks: Receiver<Change>| {
        while let Ok(first) = tasks.recv() {
            write(&mut connection, std::iter::once(first).chain(tasks.try_iter()), &events);
        }
    })
}

pub(super) fn start_reader(connection: Connection) -> std::io::Result<Clerk<Question>> {
    Clerk::start("aiobpy-queue-r", move |tasks: Receiver<Question>| {
        while let Ok(question) = tasks.recv() {
            question(&connection);
        }
    })
}

fn write(
    connection: &mut Connection,
    changes: impl Iterator<Item = Change>,
    events: &broadcast::Sender<EventRecord>,
) {
    let mut told = Vec::new();
    match commit(connection, changes, &mut told) {
        Ok(afterwards) => {
            for event in told {
                // Nobody listening is no error.
                let _ = events.send(event);
            }
            for answer in afterwards {
                answer();
            }
        }
        // The answers are dropped with their changes: who waits for one learns that way.
        Err(error) => tracing::error!(%error, "could not write to the queue"),
    }
}

fn commit(
    connection: &mut Connection,
    changes: impl Iterator<Item = Change>,
    told: &mut Vec<EventRecord>,
) -> Result<Vec<Afterwards>, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut ledger = Ledger::new(&transaction, told);
    let afterwards = changes.map(|change| change(&mut ledger)).collect::<Result<Vec<_>>>()?;
    transaction.commit()?;
    Ok(afterwards)
}
