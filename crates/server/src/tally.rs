//! What the fleet's events come to: how many jobs wait and run, and what is counted of them. Kept by
//! whoever hears them all, so that nobody has to ask the engine for it.

use std::collections::HashMap;

use aiobpy_fleet::Fleet;
use aiobpy_wire::{Event, EventRecord, JobId, JobState};
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

type Label = [(&'static str, &'static str); 1];

/// The figures of a fleet.
#[derive(Clone)]
pub(crate) struct Tally {
    waits: Histogram,
    runs: Histogram,
    outcomes: Family<Label, Counter>,
    cached: Counter,
    pub(crate) rejected: Counter,
    requeued: Counter,
    recycled: Counter,
    lost: Counter,
    webhooks: Family<Label, Counter>,
    pub(crate) queued: Gauge,
    pub(crate) running: Gauge,
}

/// The jobs that have not ended.
#[derive(Default)]
struct Live {
    jobs: HashMap<JobId, Standing>,
    running: usize,
}

/// Since when it waits, and since when it runs.
#[derive(Clone, Copy, Debug)]
enum Standing {
    Waits(Timestamp),
    Runs(Timestamp),
}

impl Tally {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        // From a millisecond to nine hours.
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 25));
        let it = Self {
            waits: seconds(),
            runs: seconds(),
            outcomes: Family::default(),
            cached: Counter::default(),
            rejected: Counter::default(),
            requeued: Counter::default(),
            recycled: Counter::default(),
            lost: Counter::default(),
            webhooks: Family::default(),
            queued: Gauge::default(),
            running: Gauge::default(),
        };
        let help = "From taking on a job to its start";
        registry.register_with_unit("job_wait", help, Unit::Seconds, it.waits.clone());
        let help = "From the start of a job's last attempt to its end";
        registry.register_with_unit("job_run", help, Unit::Seconds, it.runs.clone());
        registry.register("jobs", "Jobs that have ended, by how", it.outcomes.clone());
        let help = "Jobs that have ended with what an earlier one has made";
        registry.register("jobs_cached", help, it.cached.clone());
        registry.register("jobs_rejected", "Jobs that were sent away", it.rejected.clone());
        let help = "Attempts that were lost, and whose jobs wait again";
        registry.register("jobs_requeued", help, it.requeued.clone());
        let help = "Workers that made room for fresh ones";
        registry.register("workers_recycled", help, it.recycled.clone());
        registry.register("workers_lost", "Workers that were lost", it.lost.clone());
        let help = "Webhooks that were told, by what came of it";
        registry.register("webhook_attempts", help, it.webhooks.clone());
        registry.register("jobs_queued", "Jobs that wait", it.queued.clone());
        registry.register("jobs_running", "Jobs that run", it.running.clone());
        it
    }

    pub(crate) fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Hears what happens in the fleet, until `stopping` is cancelled.
    pub(crate) async fn follow(&self, fleet: &Fleet, stopping: CancellationToken) {
        // Subscribed before the jobs are read, so that nothing falls in between.
        let mut events = fleet.subscribe();
        let mut live = Live::of(fleet).await;
        loop {
            self.queued.set(as_gauge(live.jobs.len() - live.running));
            self.running.set(as_gauge(live.running));
            let heard = tokio::select! {
                () = stopping.cancelled() => return,
                heard = events.recv() => heard,
            };
            match heard {
                Ok(record) => self.hear(&mut live, &record),
                Err(RecvError::Lagged(_)) => live = Live::of(fleet).await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn hear(&self, live: &mut Live, record: &EventRecord) {
        match &record.event {
            Event::JobQueued { job } => {
                live.put(job.id, Standing::Waits(job.created_at));
            }
            Event::JobStarted { id, .. } => {
                if let Some(Standing::Waits(since)) = live.put(*id, Standing::Runs(record.at)) {
                    self.waits.observe(seconds_between(since, record.at));
                }
            }
            Event::JobRequeued { id, .. } => {
                live.put(*id, Standing::Waits(record.at));
                self.requeued.inc();
            }
            Event::JobFinished { id, cached_from, .. } => {
                self.cached.inc_by(u64::from(cached_from.is_some()));
                self.ended("finished", live.remove(*id), record.at);
            }
            Event::JobFailed { id, .. } => self.ended("failed", live.remove(*id), record.at),
            Event::JobCancelled { id } => self.ended("cancelled", live.remove(*id), record.at),
            Event::WorkerRecycled { .. } => {
                self.recycled.inc();
            }
            Event::WorkerLost { .. } => {
                self.lost.inc();
            }
            _ => {}
        }
    }

    fn ended(&self, outcome: &'static str, standing: Option<Standing>, at: Timestamp) {
        self.outcomes.get_or_create(&[("outcome", outcome)]).inc();
        if let Some(Standing::Runs(since)) = standing {
            self.runs.observe(seconds_between(since, at));
        }
    }
}

impl Live {
    async fn of(fleet: &Fleet) -> Self {
        let mut live = Self::default();
        for job in fleet.live_jobs().await {
            let standing = match job.started_at.filter(|_| job.state == JobState::Running) {
                Some(since) => Standing::Runs(since),
                None => Standing::Waits(job.created_at),
            };
            live.put(job.id, standing);
        }
        live
    }

    /// What it was before.
    fn put(&mut self, id: JobId, standing: Standing) -> Option<Standing> {
        let before = self.jobs.insert(id, standing);
        self.running += usize::from(standing.runs());
        self.running -= usize::from(before.is_some_and(Standing::runs));
        before
    }

    fn remove(&mut self, id: JobId) -> Option<Standing> {
        let before = self.jobs.remove(&id);
        self.running -= usize::from(before.is_some_and(Standing::runs));
        before
    }
}

impl Standing {
    fn runs(self) -> bool {
        matches!(self, Self::Runs(_))
    }
}

fn seconds_between(since: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(since).as_secs_f64().max(0.0)
}

fn as_gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
