//! The two threads that touch the database: one writes, one reads.
//!
//! `SQLite` waits for the disk; no async task may. What waits to be written is written in one
//! transaction, so that many clients share one wait for the disk.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aiobpy_wire::EventRecord;
use rusqlite::{Connection, Error, Result, TransactionBehavior};
use tokio::sync::broadcast;

use crate::clerk::Clerk;
use crate::line::Line;
use crate::queue::ledger::{Ledger, Outcome};
use crate::queue::rows;

/// A change to make. It returns what to do when it is known whether it was committed.
pub(super) type Change = Box<dyn FnOnce(&mut Ledger<'_>) -> Result<Afterwards> + Send>;
pub(super) type Afterwards = Box<dyn FnOnce()>;
pub(super) type Question = Box<dyn FnOnce(&Connection) + Send>;

/// Who is told what was committed.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) events: broadcast::Sender<EventRecord>,
    pub(super) line: Arc<Mutex<Line>>,
}

impl Told {
    pub(super) fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that can panic runs under the lock.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn start_writer(
    mut connection: Connection,
    told: Told,
) -> std::io::Result<Clerk<Change>> {
    Clerk::start("aiobpy-queue-w", move |tasks: Receiver<Change>| {
        while let Ok(first) = tasks.recv() {
            write(&mut connection, std::iter::once(first).chain(tasks.try_iter()), &told);
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

fn write(connection: &mut Connection, changes: impl Iterator<Item = Change>, told: &Told) {
    let mut outcome = Outcome::default();
    match commit(connection, changes, &mut outcome) {
        Ok(afterwards) => {
            let mut line = told.line();
            outcome.standings.into_iter().for_each(|standing| line.note(standing));
            drop(line);
            for event in outcome.told {
                // Nobody listening is no error.
                let _ = told.events.send(event);
            }
            for answer in afterwards {
                answer();
            }
        }
        // The answers are dropped with their changes: who waits for one learns that way.
        Err(error) => {
            tracing::error!(%error, "could not write to the queue");
            // What was started without waiting for the disk waits again.
            match rows::live(connection) {
                Ok(standings) => told.line().read_anew(standings),
                Err(error) => tracing::error!(%error, "could not read the queue"),
            }
        }
    }
}

fn commit(
    connection: &mut Connection,
    changes: impl Iterator<Item = Change>,
    outcome: &mut Outcome,
) -> Result<Vec<Afterwards>, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut ledger = Ledger::new(&transaction, outcome);
    let afterwards = changes.map(|change| change(&mut ledger)).collect::<Result<Vec<_>>>()?;
    transaction.commit()?;
    Ok(afterwards)
}
