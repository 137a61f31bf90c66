//! What is to be told to webhooks, and has not been yet: kept on this node, beside the engine.
//!
//! It is filled from the engine's events, by their numbers: what was taken and how far the events were
//! read is one transaction. So a crash loses nothing, and takes nothing twice; what is sent may arrive
//! twice, under the same id. Who sends is none of this room's business.
//!
//! **Invariant:** node-local. With an engine that several nodes share, each of them fills an outbox of
//! its own: the ids are the same, and receivers know by them what they have had.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{JobId, Webhook};
use rusqlite::{Connection, OptionalExtension, Result as Rows, params};
use tokio::sync::Notify;

use crate::clock;

mod fill;

/// Milliseconds for which it is known that something was told.
const KNOWN_FOR: i64 = 24 * 60 * 60 * 1000;

/// Why an outbox could not be used.
#[derive(Debug, thiserror::Error)]
#[error("could not use the outbox `{}`", path.display())]
pub struct OutboxError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// One thing to be told to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The same whenever it is sent.
    pub id: String,
    pub url: String,
    /// Whose secret it is signed with.
    pub tenant: Option<String>,
    /// JSON, the same whenever it is sent.
    pub body: String,
    /// The place in a W3C trace of the request that asked for the job.
    pub traceparent: Option<String>,
    /// How often it was sent in vain.
    pub attempts: u32,
}

/// A handle on the deliveries that are due or will be.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Something new may be due.
    filled: Notify,
}

/// What the events told last have come to.
#[derive(Default)]
struct Taken {
    deliveries: Vec<Delivery>,
    watched: Vec<(JobId, Webhook)>,
    done_with: Vec<JobId>,
}

impl Outbox {
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, OutboxError> {
        let opened = Connection::open(path).and_then(|connection| {
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.execute_batch(include_str!("outbox/schema.sql"))?;
            if !connection.column_exists(None, "delivery", "traceparent")? {
                connection.execute_batch("alter table delivery add column traceparent text")?;
            }
            Ok(connection)
        });
        let connection = opened.map_err(|source| OutboxError { path: path.into(), source })?;
        let (connection, filled) = (Mutex::new(connection), Notify::new());
        Ok(Self(Arc::new(Inner { path: path.into(), connection, filled })))
    }

    /// The deliveries that are due, and how long it is to the next that is not. Who takes them has a
    /// minute to say what came of each; then they are due again.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub async fn take_due(
        &self,
        limit: usize,
    ) -> Result<(Vec<Delivery>, Option<Duration>), OutboxError> {
        let now = now();
        self.with(move |connection| take_due(connection, now, limit)).await
    }

    /// Waits until something new is there.
    pub async fn filled(&self) {
        self.0.filled.notified().await;
    }

    /// It has arrived, or is given up.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn forget(&self, id: String) -> Result<(), OutboxError> {
        self.with(move |connection| {
            connection
                .execute("update delivery set body = '', done = 1 where id = ?1", [id])
                .map(drop)
        })
        .await
    }

    /// It has not arrived, and is to be sent again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn again(&self, id: String, wait: Duration) -> Result<(), OutboxError> {
        let at = now().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.with(move |connection| {
            connection
                .execute(
                    "update delivery set attempts = attempts + 1, due_at = ?2 where id = ?1",
                    params![id, at],
                )
                .map(drop)
        })
        .await?;
        self.0.filled.notify_one();
        Ok(())
    }

    async fn read_to(&self) -> Result<(u64, HashMap<JobId, Webhook>), OutboxError> {
        self.with(|connection| {
            let cursor = connection
                .query_row("select sequence from cursor", [], |row| row.get::<_, i64>(0))
                .optional()?;
            let mut reading = connection.prepare("select job, webhook from watched")?;
            let rows = reading
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let mut watched = HashMap::new();
            for row in rows {
                let (job, webhook) = row?;
                // What an earlier version has written may be what this one cannot read.
                if let (Ok(job), Ok(webhook)) = (job.parse(), serde_json::from_str(&webhook)) {
                    watched.insert(job, webhook);
                }
            }
            Ok((cursor.and_then(|at| u64::try_from(at).ok()).unwrap_or(0), watched))
        })
        .await
    }

    /// Keeps what the events up to `sequence` have come to.
    async fn take(&self, taken: Taken, sequence: u64) -> Result<(), OutboxError> {
        let now = now();
        let has_more = !taken.deliveries.is_empty();
        self.with(move |connection| take(connection, &taken, sequence, now)).await?;
        if has_more {
            self.0.filled.notify_one();
        }
        Ok(())
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Rows<T> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let inner = self.0.clone();
        let worked = tokio::task::spawn_blocking(move || work(&mut inner.lock())).await;
        let worked = worked.unwrap_or_else(|_panicked| Err(rusqlite::Error::InvalidQuery));
        worked.map_err(|source| OutboxError { path: self.0.path.clone(), source })
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        // What panics under the lock has rolled its transaction back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> i64 {
    clock::timestamp().as_millisecond()
}

fn take_due(
    connection: &mut Connection,
    now: i64,
    limit: usize,
) -> Rows<(Vec<Delivery>, Option<Duration>)> {
    const TAKEN_FOR: i64 = 60_000;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let transaction = connection.transaction()?;
    let deliveries = transaction
        .prepare_cached(
            "select id, url, tenant, body, attempts, traceparent from delivery where done = 0 and due_at <= ?1 \
             order by due_at, id limit ?2",
        )?
        .query_map(params![now, limit], |row| {
            Ok(Delivery {
                id: row.get(0)?,
                url: row.get(1)?,
                tenant: row.get(2)?,
                body: row.get(3)?,
                attempts: row.get(4)?,
                traceparent: row.get(5)?,
            })
        })?
        .collect::<Rows<Vec<_>>>()?;
    for delivery in &deliveries {
        transaction
            .prepare_cached("update delivery set due_at = ?2 where id = ?1")?
            .execute(params![delivery.id, now + TAKEN_FOR])?;
    }
    let next: Option<i64> = transaction
        .prepare_cached("select min(due_at) from delivery where done = 0 and due_at > ?1")?
        .query_row([now], |row| row.get(0))?;
    transaction.commit()?;
    let wait = next.map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or_default()));
    Ok((deliveries, wait))
}

fn take(connection: &mut Connection, taken: &Taken, sequence: u64, now: i64) -> Rows<()> {
    let transaction = connection.transaction()?;
    for (job, webhook) in &taken.watched {
        let webhook = serde_json::to_string(webhook).unwrap_or_default();
        transaction
            .prepare_cached("insert or replace into watched (job, webhook) values (?1, ?2)")?
            .execute(params![job.to_string(), webhook])?;
    }
    for Delivery { id, url, tenant, body, traceparent, .. } in &taken.deliveries {
        transaction
            .prepare_cached(
                "insert or ignore into delivery (id, url, tenant, body, due_at, traceparent) \
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![id, url, tenant, body, now, traceparent])?;
    }
    // What was told is known for a while: the same may be taken once more.
    transaction
        .prepare_cached("delete from delivery where done = 1 and due_at < ?1")?
        .execute([now - KNOWN_FOR])?;
    for job in &taken.done_with {
        transaction
            .prepare_cached("delete from watched where job = ?1")?
            .execute([job.to_string()])?;
    }
    transaction
        .prepare_cached(
            "insert into cursor (only, sequence) values (1, ?1) \
             on conflict (only) do update set sequence = excluded.sequence",
        )?
        .execute([i64::try_from(sequence).unwrap_or(i64::MAX)])?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str) -> Delivery {
        Delivery {
            id: id.into(),
            url: "https://shop.example/hook".into(),
            tenant: None,
            body: "{}".into(),
            traceparent: None,
            attempts: 0,
        }
    }

    async fn told(outbox: &Outbox) -> Vec<(String, u32)> {
        let (due, _) = outbox.take_due(10).await.unwrap();
        due.into_iter().map(|delivery| (delivery.id, delivery.attempts)).collect()
    }

    #[tokio::test]
    async fn what_was_taken_is_there_after_a_crash_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        let job = JobId::new(uuid::Uuid::now_v7());
        let webhook = Webhook { url: "https://shop.example/hook".into(), events: Vec::new() };
        let outbox = Outbox::open(&path).unwrap();
        let taken = || Taken {
            deliveries: vec![delivery("one"), delivery("two")],
            watched: vec![(job, webhook.clone())],
            done_with: Vec::new(),
        };
        outbox.take(taken(), 7).await.unwrap();
        drop(outbox);
        let outbox = Outbox::open(&path).unwrap();
        let (sequence, watched) = outbox.read_to().await.unwrap();
        assert_eq!((sequence, watched.get(&job)), (7, Some(&webhook)));
        outbox.take(taken(), 7).await.unwrap();
        assert_eq!(told(&outbox).await, [("one".into(), 0), ("two".into(), 0)]);
        let done = Taken { done_with: vec![job], ..Taken::default() };
        outbox.take(done, 8).await.unwrap();
        assert_eq!(outbox.read_to().await.unwrap(), (8, HashMap::new()));
    }

    #[tokio::test]
    async fn what_did_not_arrive_comes_again_later_and_what_did_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("outbox.db")).unwrap();
        let deliveries = ["one", "two", "three"].map(delivery).to_vec();
        outbox.take(Taken { deliveries, ..Taken::default() }, 1).await.unwrap();
        outbox.forget("one".into()).await.unwrap();
        outbox.again("two".into(), Duration::from_mins(1)).await.unwrap();
        outbox.again("three".into(), Duration::ZERO).await.unwrap();
        let (due, next) = outbox.take_due(10).await.unwrap();
        assert_eq!((due[0].id.as_str(), due[0].attempts, due.len()), ("three", 1, 1));
        let next = next.unwrap().as_secs();
        assert!((50..=60).contains(&next), "{next}");
    }
}
