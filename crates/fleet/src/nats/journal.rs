//! What this node has submitted, until it has ended: written down here in case the servers lose it.
//!
//! They may lose what they have acknowledged, as Jepsen found: under membership changes with failures, or when
//! all of them lose power and do not sync at once. A job that is gone is then submitted again, as it was.

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{Event, Job, JobId};
use rusqlite::{Connection, OptionalExtension, Result, params};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clerk::Clerk;
use crate::clock;
use crate::engine::Answer;
use crate::error::FleetError;
use crate::nats::Shared;
use crate::nats::changes::{READ_LIMIT, WRITE_LIMIT, Written};
use crate::nats::entry::Entry;
use crate::rules::Changed;

/// Between two looks at what may be missing.
const LOOK_EVERY: Duration = Duration::from_secs(10);

type Note = Box<dyn FnOnce(&Connection) -> Result<()> + Send>;

pub(super) struct Journal {
    ours: Mutex<HashSet<JobId>>,
    clerk: Clerk<Note>,
}

impl Journal {
    /// Opens it, without what is older than jobs get.
    pub(super) fn open(path: &Path, keep: Duration) -> std::result::Result<Self, FleetError> {
        let failed = |source| FleetError::OpenQueue { path: path.into(), source };
        let no_thread = |source| FleetError::StartThread { source };
        let connection = Connection::open(path).map_err(failed)?;
        let ours = read(&connection, keep).map_err(failed)?;
        let clerk = Clerk::start("aiobpy-journal", move |notes: Receiver<Note>| {
            while let Ok(note) = notes.recv() {
                if let Err(error) = note(&connection) {
                    tracing::error!(%error, "could not write to the journal of submitted jobs");
                }
            }
        });
        Ok(Self { ours: Mutex::new(ours), clerk: clerk.map_err(no_thread)? })
    }

    pub(super) fn keep(&self, job: &Job) {
        let (id, at) = (job.id, job.created_at.as_second());
        let Ok(text) = serde_json::to_string(job) else { return };
        self.ours().insert(id);
        self.note(move |connection| {
            connection
                .prepare_cached(
                    "insert or replace into submitted (id, at, job) values (?1, ?2, ?3)",
                )?
                .execute(params![id.to_string(), at, text])?;
            Ok(())
        });
    }

    /// It has ended.
    pub(super) fn forget(&self, id: JobId) {
        if self.ours().remove(&id) {
            self.note(move |connection| {
                connection
                    .prepare_cached("delete from submitted where id = ?1")?
                    .execute([id.to_string()])?;
                Ok(())
            });
        }
    }

    fn ids(&self) -> Vec<JobId> {
        self.ours().iter().copied().collect()
    }

    /// The job as it was submitted.
    async fn job(&self, id: JobId) -> Option<Job> {
        let (answer, answered) = oneshot::channel();
        self.note(move |connection| {
            let text: Option<String> = connection
                .prepare_cached("select job from submitted where id = ?1")?
                .query_row([id.to_string()], |row| row.get(0))
                .optional()?;
            // Who asked may have gone.
            let _ = answer.send(text);
            Ok(())
        });
        serde_json::from_str(&answered.await.ok()??).ok()
    }

    fn note(&self, note: impl FnOnce(&Connection) -> Result<()> + Send + 'static) {
        if !self.clerk.give(Box::new(note)) {
            tracing::error!("the journal of submitted jobs is closed");
        }
    }

    fn ours(&self) -> MutexGuard<'_, HashSet<JobId>> {
        // Nothing that can panic runs under the lock.
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Looks for what is missing and what grows too old, until the engine stops.
    pub(super) async fn mend(self: Arc<Self>, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
                () = self.janitor.notified() => {}
            }
            // A round asks for thousands of jobs, which may take minutes; the next begins anew.
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.mend_once() => {}
            }
        }
    }

    async fn mend_once(&self) {
        if let Err(error) = self.submit_again().await {
            tracing::debug!(%error, "could not look for jobs that are missing");
        }
        if let Err(error) = self.renew().await {
            tracing::debug!(%error, "could not keep jobs that have waited for long");
        }
    }

    /// Submits what the servers have lost.
    async fn submit_again(&self) -> Answer<()> {
        for id in self.journal.ids() {
            if self.replica().live(id).is_some()
                || self.fetch(id, clock::instant() + READ_LIMIT).await?.is_some()
            {
                continue;
            }
            let Some(job) = self.journal.job(id).await else { continue };
            tracing::error!(job = %id, "the NATS servers have lost a job; it is submitted again");
            let event = Event::JobQueued { job: Box::new(job.clone()) };
            let entry = Entry::of(Changed { job, event });
            let written = self.write_job(id, &entry, 0, clock::instant() + WRITE_LIMIT).await?;
            if written == Written::Conflict {
                tracing::debug!(job = %id, "it has been submitted again by now");
            }
        }
        Ok(())
    }

    /// Writes jobs once more that have not ended, before they are old enough to be forgotten.
    async fn renew(&self) -> Answer<()> {
        let now = clock::instant();
        let old: Vec<_> = {
            let replica = self.replica();
            let old = replica.all_live().filter(|kept| now >= kept.noted + self.keep / 2);
            old.map(|kept| (kept.sequence, kept.job.clone())).collect()
        };
        for (sequence, job) in old {
            let (id, entry) = (job.id, Entry::again(job));
            // In case of a conflict something younger is there.
            self.write_job(id, &entry, sequence, now + WRITE_LIMIT).await?;
        }
        Ok(())
    }
}

fn read(connection: &Connection, keep: Duration) -> Result<HashSet<JobId>> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(
        "create table if not exists submitted \
         (id text primary key, at integer not null, job text not null) strict, without rowid;",
    )?;
    let oldest = clock::timestamp().as_second() - i64::try_from(keep.as_secs()).unwrap_or(i64::MAX);
    connection.execute("delete from submitted where at < ?1", [oldest])?;
    let mut reading = connection.prepare("select id from submitted")?;
    let ids: Vec<String> = reading.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}
