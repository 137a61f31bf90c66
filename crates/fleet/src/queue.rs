//! The embedded engine: jobs and events in one `SQLite` database.
//!
//! Every change and the event that tells it are one transaction, synced to the disk before it is
//! answered (`synchronous = FULL`); events are told after that, in the order of their numbers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{
    Artefact, Batch, BatchId, Event, EventRecord, Job, JobId, JobRequest, JobState,
    NodeDescription, NodeId, Problem, WorkerId,
};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;
use tracing::instrument;

use crate::clerk::Clerk;
use crate::clock;
use crate::engine::{
    Answer, Attempt, Blame, Cancelled, Claims, Engine, EngineError, GivenBack, Listing, Made,
    NewBatch, Patience, Report, Submitted, SubmittedBatch, Terms, Verdict,
};
use crate::error::FleetError;
use crate::line::Standing;
use crate::problems;
use crate::scheduler::{self, Assignment, IdleWorker, Plan};

mod batches;
mod ledger;
mod rows;
mod threads;

use ledger::Ledger;
use threads::{Change, Question, Told};

/// Events that are kept for a reader that lags before it has to read them from the database.
const EVENTS_AT_HAND: usize = 1024;
/// Events older than this are forgotten when the queue is opened.
const EVENTS_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

pub(crate) struct Queue {
    told: Told,
    lease: Duration,
    /// When each node was last heard of: a fleet of one node has one.
    heard: Mutex<HashMap<NodeId, Instant>>,
    reader: Clerk<Question>,
    // Dropped last: what is written when the queue is closed is on the disk.
    writer: Clerk<Change>,
}

impl Queue {
    pub(crate) fn open(path: &Path, lease: Duration) -> Result<Self, FleetError> {
        let failed = |source| FleetError::OpenQueue { path: path.into(), source };
        let no_thread = |source| FleetError::StartThread { source };
        let writing = open_for_writing(path).map_err(failed)?;
        let reading = open_for_reading(path).map_err(failed)?;
        let (events, _) = broadcast::channel(EVENTS_AT_HAND);
        let told = Told { events, line: Arc::default() };
        told.line().read_anew(rows::live(&reading).map_err(failed)?);
        let writer = threads::start_writer(writing, told.clone()).map_err(no_thread)?;
        let reader = threads::start_reader(reading).map_err(no_thread)?;
        Ok(Self { told, lease, heard: Mutex::default(), reader, writer })
    }

    /// So many jobs of each tenant may run at once.
    pub(crate) fn limit(&self, quotas: HashMap<String, usize>) {
        self.told.line().limit(quotas);
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Ledger<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
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
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        self.note(move |ledger| {
            let _ = answer.send(change(ledger)?);
            Ok(())
        });
        let lost = |_| EngineError::Storage { cause: "the change could not be made".into() };
        answered.await.map_err(lost)
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<NodeId, Instant>> {
        // Nothing that can panic runs under the lock.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to become of an attempt that is not under way.
    async fn verdict_of_ended(&self, attempt: Attempt) -> Answer<Verdict> {
        let job = self.job(attempt.job).await?;
        let is_cancelled = job.is_some_and(|job| job.state == JobState::Cancelled);
        Ok(if is_cancelled { Verdict::Cancel } else { Verdict::Lost })
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
    ) -> Answer<T> {
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
    async fn submit(&self, request: JobRequest, terms: Terms) -> Answer<Submitted> {
        self.change(move |ledger| ledger.submit(request, &terms)).await
    }

    #[instrument(name = "queue", skip_all)]
    async fn submit_batch(&self, batch: NewBatch, terms: Terms) -> Answer<SubmittedBatch> {
        self.change(move |ledger| ledger.submit_batch(batch, &terms)).await
    }

    #[instrument(name = "queue", skip_all)]
    async fn claim(&self, idle: Vec<IdleWorker>) -> Answer<Claims> {
        let Plan { assignments, make_room } = {
            let mut line = self.told.line();
            let plan = scheduler::plan(&line.claimable(), &idle);
            for assignment in &plan.assignments {
                line.take(assignment.place);
            }
            plan
        };
        if assignments.is_empty() {
            return Ok(Claims { make_room, ..Claims::default() });
        }
        for Assignment { worker, .. } in &assignments {
            // A node is there when it claims.
            let node = NodeId(worker.node().to_owned());
            self.heard().entry(node).or_insert_with(clock::instant);
        }
        let told = self.told.clone();
        let starting = self.change_unsynced(move |ledger| {
            let claims = ledger.start_all(assignments)?;
            let mut line = told.line();
            for claim in &claims {
                line.note(Standing::of(&claim.job));
            }
            Ok(claims)
        });
        Ok(Claims { taken: starting.await?, make_room, look_again: None })
    }

    fn progress(&self, attempt: Attempt, progress: f64, message: String) {
        self.note(move |ledger| ledger.progress(attempt, progress, message).map(drop));
    }

    #[instrument(name = "queue", skip_all, fields(job = %attempt.job))]
    async fn finish(&self, attempt: Attempt, made: Made) -> Answer<Report> {
        self.change(move |ledger| ledger.finish(attempt, made)).await
    }

    #[instrument(name = "queue", skip_all, fields(job = %attempt.job))]
    async fn fail(&self, attempt: Attempt, problem: Problem) -> Answer<Report> {
        self.change(move |ledger| ledger.fail(attempt, problem)).await
    }

    #[instrument(name = "queue", skip_all, fields(job = %attempt.job))]
    async fn give_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) -> Answer<GivenBack> {
        self.change(move |ledger| ledger.give_back(attempt, &problem, blame, patience)).await
    }

    #[instrument(name = "queue", skip_all, fields(job = %id))]
    async fn cancel(&self, id: JobId) -> Answer<Cancelled> {
        self.change(move |ledger| ledger.cancel(id)).await
    }

    async fn beat(
        &self,
        node: NodeDescription,
        held: Vec<Attempt>,
        now: Instant,
    ) -> Answer<Vec<Verdict>> {
        self.heard().insert(node.id, now);
        let mut verdicts = Vec::new();
        for attempt in held {
            let is_under_way = self.told.line().is_under_way(attempt);
            verdicts.push(if is_under_way {
                Verdict::Keep
            } else {
                self.verdict_of_ended(attempt).await?
            });
        }
        Ok(verdicts)
    }

    async fn expire(&self, now: Instant, patience: Patience) -> Answer<usize> {
        let overdue: Vec<(Attempt, WorkerId)> = {
            let (line, heard) = (self.told.line(), self.heard());
            let is_there = |worker: &WorkerId| {
                let heard = heard.get(&NodeId(worker.node().to_owned()));
                heard.is_some_and(|at| now < *at + self.lease)
            };
            let overdue = line.running().filter(|(_, worker)| !is_there(worker));
            overdue.map(|(attempt, worker)| (attempt, worker.clone())).collect()
        };
        let mut expired = 0;
        for (attempt, worker) in overdue {
            let problem = problems::node_lost(&worker, self.lease);
            let given_back = self.give_back(attempt, problem, Blame::World, patience).await?;
            expired += usize::from(given_back != GivenBack::Refused);
        }
        Ok(expired)
    }

    async fn take_back(&self, node: NodeId, problem: Problem) -> Answer<()> {
        self.change(move |ledger| ledger.take_back(&node, &problem)).await
    }

    fn neighbours(&self) -> Vec<NodeDescription> {
        Vec::new()
    }

    async fn put_blob(&self, _artefact: Artefact, _file: PathBuf) -> Answer<()> {
        // The node's own files are all there is.
        Ok(())
    }

    async fn get_blob(&self, _artefact: Artefact, _file: PathBuf) -> Answer<bool> {
        Ok(false)
    }

    fn keeps_artefacts(&self) -> bool {
        false
    }

    async fn forget_before(&self, time: Timestamp) -> Answer<Vec<String>> {
        self.change(move |ledger| ledger.forget_before(time)).await
    }

    async fn job(&self, id: JobId) -> Answer<Option<Job>> {
        self.ask(move |connection| rows::job(connection, id)).await
    }

    async fn finished_as(&self, spec: String) -> Answer<Option<Job>> {
        self.ask(move |connection| rows::finished_as(connection, &spec)).await
    }

    async fn jobs(&self, listing: Listing) -> Result<Vec<Job>, EngineError> {
        self.ask(move |connection| rows::jobs(connection, &listing)).await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>, EngineError> {
        self.ask(move |connection| batches::find(connection, id)).await
    }

    async fn batches(
        &self,
        tenant: Option<String>,
        limit: usize,
    ) -> Result<Vec<Batch>, EngineError> {
        self.ask(move |connection| batches::newest(connection, tenant.as_deref(), limit)).await
    }

    async fn events_since(
        &self,
        sequence: u64,
        job: Option<JobId>,
        limit: usize,
    ) -> Answer<Vec<EventRecord>> {
        self.ask(move |connection| rows::events_since(connection, sequence, job, limit)).await
    }

    fn tell(&self, event: Event) {
        self.note(move |ledger| ledger.tell(event));
    }

    fn subscribe(&self) -> broadcast::Receiver<EventRecord> {
        self.told.events.subscribe()
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
    /// What a queue of each version lacks.
    const LACKS: [&str; 5] = [
        include_str!("queue/columns.sql"),
        include_str!("queue/columns_2.sql"),
        include_str!("queue/columns_3.sql"),
        include_str!("queue/columns_4.sql"),
        include_str!("queue/columns_5.sql"),
    ];
    let version: u8 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if connection.table_exists(None, "job")? {
        for lacking in LACKS.iter().skip(version.into()) {
            connection.execute_batch(lacking)?;
        }
    }
    connection.execute_batch(include_str!("queue/schema.sql"))?;
    connection.pragma_update(None, "user_version", i64::try_from(LACKS.len()).unwrap_or(i64::MAX))
}

fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

#[cfg(test)]
mod tests;
