//! The embedded engine: jobs and events in one `SQLite` database.
//!
//! Every change and the event that tells it are one transaction, synced to the disk before it is
//! answered (`synchronous = FULL`); events are told after that, in the order of their numbers.

use std::path::Path;

use aiobpy_wire::{Artefact, Event, EventRecord, Job, JobId, JobRequest, Problem, WorkerId};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{broadcast, oneshot};
use tracing::instrument;

use crate::clock;
use crate::engine::{
    Attempt, Blame, Cancelled, Engine, EngineError, GivenBack, Patience, Place, Report, Submitted,
    Terms,
};
use crate::error::FleetError;

mod ledger;
mod rows;
mod threads;

use ledger::Ledger;
use threads::{Change, Clerk, Question};

/// Events that are kept for a reader that lags before it has to read them from the database.
const EVENTS_AT_HAND: usize = 1024;
/// Events older than this are forgotten when the queue is opened.
const EVENTS_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

pub(crate) struct Queue {
    events: broadcast::Sender<EventRecord>,
    reader: Clerk<Question>,
    // Dropped last: what is written when the queue is closed is on the disk.
    writer: Clerk<Change>,
}

impl Queue {
    pub(crate) fn open(path: &Path) -> Result<Self, FleetError> {
        let failed = |source| FleetError::OpenQueue { path: path.into(), source };
        let no_thread = |source| FleetError::StartThread { source };
        let writing = open_for_writing(path).map_err(failed)?;
        let reading = open_for_reading(path).map_err(failed)?;
        let (events, _) = broadcast::channel(EVENTS_AT_HAND);
        let writer = threads::start_writer(writing, events.clone()).map_err(no_thread)?;
        let reader = threads::start_reader(reading).map_err(no_thread)?;
        Ok(Self { events, reader, writer })
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Ledger<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = oneshot::channel();
        let given = self.writer.give(Box::new(move |ledger| {
            let outcome = change(ledger)?;
            // Who asked may have gone: that undoes nothing.
            Ok(Box::new(move || drop(answer.send(outcome))))
        }));
        if !given {
            return Err(EngineError::Closed);
        }
        let lost = |_| EngineError::Storage { cause: "the transaction was rolled back".into() };
        answered.await.map_err(lost)
    }

    /// A change that is answered before it is on the disk, for what a crash may undo.
    async fn change_unsynced<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Ledger<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = oneshot::channel();
        self.note(move |ledger| {
            let _ = answer.send(change(ledger)?);
            Ok(())
        });
        let lost = |_| EngineError::Storage { cause: "the change could not be made".into() };
        answered.await.map_err(lost)
    }

    /// A change that nobody waits for.
    fn note(&self, change: impl FnOnce(&mut Ledger<'_>) -> rusqlite::Result<()> + Send + 'static) {
        let given = self.writer.give(Box::new(move |ledger| {
            change(ledger)?;
            Ok(Box::new(|| {}))
        }));
        if !given {
            tracing::debug!("the queue is closed; nothing more is noted");
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = oneshot::channel();
        let given = self.reader.give(Box::new(move |connection| {
            let _ = answer.send(question(connection));
        }));
        if !given {
            return Err(EngineError::Closed);
        }
        let outcome = answered.await.map_err(|_| EngineError::Closed)?;
        outcome.map_err(|error| EngineError::Storage { cause: error.to_string() })
    }
}

impl Engine for Queue {
    #[instrument(name = "queue", skip_all)]
    async fn submit(&self, request: JobRequest, terms: Terms) -> Result<Submitted, EngineError> {
        self.change(move |ledger| ledger.submit(request, &terms)).await
    }

    #[instrument(name = "queue", skip_all, fields(job = %id))]
    async fn start(&self, id: JobId, worker: WorkerId) -> Result<Option<Job>, EngineError> {
        self.change_unsynced(move |ledger| ledger.start(id, worker)).await
    }

    fn progress(&self, attempt: Attempt, progress: f64, message: String) {
        self.note(move |ledger| ledger.progress(attempt, progress, message).map(drop));
    }

    #[instrument(name = "queue", skip_all, fields(job = %attempt.job))]
    async fn finish(&self, attempt: Attempt, artefact: Artefact) -> Result<Report, EngineError> {
        self.change(move |ledger| ledger.finish(attempt, artefact)).await
    }

    #[instrument(name = "queue", skip_all, fields(job = %attempt.job))]
    async fn fail(&self, attempt: Attempt, problem: Problem) -> Result<Report, EngineError> {
        self.change(move |ledger| ledger.fail(attempt, problem)).await
    }

    #[instrument(name = "queue", skip_all, fields(job = %attempt.job))]
    async fn give_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) -> Result<GivenBack, EngineError> {
        self.change(move |ledger| ledger.give_back(attempt, problem, blame, patience)).await
    }

    #[instrument(name = "queue", skip_all, fields(job = %id))]
    async fn cancel(&self, id: JobId) -> Result<Cancelled, EngineError> {
        self.change(move |ledger| ledger.cancel(id)).await
    }

    async fn take_back_all(&self, problem: Problem) -> Result<(), EngineError> {
        self.change(move |ledger| ledger.take_back_all(&problem)).await
    }

    async fn waiting(&self) -> Result<Vec<(Place, String)>, EngineError> {
        self.ask(rows::waiting).await
    }

    async fn forget_before(&self, time: Timestamp) -> Result<Vec<String>, EngineError> {
        self.change(move |ledger| ledger.forget_before(time)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, EngineError> {
        self.ask(move |connection| rows::job(connection, id)).await
    }

    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, EngineError> {
        self.ask(move |connection| rows::newest_jobs(connection, limit)).await
    }

    async fn events_since(
        &self,
        sequence: u64,
        job: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, EngineError> {
        self.ask(move |connection| rows::events_since(connection, sequence, job, limit)).await
    }

    fn tell(&self, event: Event) {
        self.note(move |ledger| ledger.tell(event));
    }

    fn subscribe(&self) -> broadcast::Receiver<EventRecord> {
        self.events.subscribe()
    }
}

fn open_for_writing(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    bring_up_to_date(&connection)?;
    let forgotten = clock::timestamp() - EVENTS_KEPT;
    rows::delete_events_before(&connection, &forgotten.to_string())?;
    Ok(connection)
}

/// Gives a queue that an earlier version has made what it lacks.
fn bring_up_to_date(connection: &Connection) -> rusqlite::Result<()> {
    const VERSION: i64 = 1;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 && connection.table_exists(None, "job")? {
        connection.execute_batch(include_str!("queue/columns.sql"))?;
    }
    connection.execute_batch(include_str!("queue/schema.sql"))?;
    connection.pragma_update(None, "user_version", VERSION)
}

fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

#[cfg(test)]
mod tests;
