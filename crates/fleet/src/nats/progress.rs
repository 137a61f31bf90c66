//! How far jobs are, written a few times a second: each write waits for disks.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::JobId;
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::engine::Attempt;
use crate::nats::Shared;
use crate::rules;

/// Between two rounds of writes.
const ROUND: Duration = Duration::from_millis(250);

/// What was heard of attempts and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Progress {
    heard: Mutex<Heard>,
    has_come: Notify,
    is_written: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    waiting: HashMap<JobId, Step>,
    under_way: HashSet<JobId>,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    attempt: u32,
    progress: f64,
    message: String,
}

impl Progress {
    /// Keeps the last that is heard of an attempt.
    pub(super) fn hear(&self, attempt: Attempt, progress: f64, message: String) {
        let mut heard = self.heard();
        let before = heard.waiting.get(&attempt.job).filter(|step| step.attempt == attempt.number);
        // It never goes back.
        let progress = before.map_or(progress, |step| progress.max(step.progress));
        heard.waiting.insert(attempt.job, Step { attempt: attempt.number, progress, message });
        drop(heard);
        self.has_come.notify_one();
    }

    /// What waits of a job, once nothing of it is being written: what is told next comes after it.
    async fn last_of(&self, id: JobId) -> Option<Step> {
        loop {
            let mut written = pin!(self.is_written.notified());
            written.as_mut().enable();
            {
                let mut heard = self.heard();
                if !heard.under_way.contains(&id) {
                    return heard.waiting.remove(&id);
                }
            }
            written.await;
        }
    }

    fn begin(&self) -> Vec<(JobId, Step)> {
        let mut heard = self.heard();
        let round: Vec<_> = heard.waiting.drain().collect();
        heard.under_way.extend(round.iter().map(|(id, _)| *id));
        round
    }

    fn end(&self, id: JobId) {
        self.heard().under_way.remove(&id);
        self.is_written.notify_waiters();
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // Nothing that can panic runs under the lock.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Writes what is heard, until the engine stops.
    pub(super) async fn write_progress(self: Arc<Self>, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.progress.has_come.notified() => {}
            }
            let round = self.progress.begin();
            let shared = &self;
            let writing = join_all(round.into_iter().map(|(id, step)| async move {
                shared.write_step(id, step).await;
                shared.progress.end(id);
            }));
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = writing => sleep(ROUND).await,
            }
        }
    }

    /// Writes what was heard of a job before what is about to be told of it.
    pub(super) async fn settle_progress(&self, id: JobId) {
        if let Some(step) = self.progress.last_of(id).await {
            self.write_step(id, step).await;
        }
    }

    async fn write_step(&self, id: JobId, step: Step) {
        let Step { attempt, progress, message } = step;
        let rule = |job| Some((rules::progressed(job, attempt, progress, message.clone())?, ()));
        if let Err(error) = self.change(id, rule).await {
            // The next will be heard.
            tracing::debug!(%error, job = %id, "could not note how far a job is");
        }
    }
}
