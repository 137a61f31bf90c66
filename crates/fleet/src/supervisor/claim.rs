//! How idle workers come by jobs, and how the node keeps those that they are at.

use std::time::Duration;

use aiobpy_wire::{Event, EventRecord, JobId, NodeDescription};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;

use crate::clock;
use crate::engine::{Answer, Attempt, Claim, Claims, Engine, Verdict};
use crate::scheduler::IdleWorker;
use crate::supervisor::made_before::BegunJobs;
use crate::supervisor::{Order, Supervisor, post};
use crate::travel;
use crate::worker::Worker;

/// A node says so many times in the length of a lease that it is there.
const BEATS_A_LEASE: u32 = 5;
/// Between two looks for room on the disk.
const NO_ROOM: Duration = Duration::from_secs(1);
/// Between two tries while the engine is away.
const AWAY: Duration = Duration::from_millis(500);

/// Whether workers that have nothing to do are to ask for jobs.
#[derive(Debug)]
pub(crate) struct Claiming {
    /// Since the engine was asked last, a job may have come or a worker may have got free.
    is_due: bool,
    is_under_way: bool,
    /// When to ask even if nothing happens.
    pub(super) look_at: Option<Instant>,
}

impl Claiming {
    /// Of a node that has just started: jobs may wait.
    pub(crate) fn new() -> Self {
        Self { is_due: true, is_under_way: false, look_at: None }
    }

    pub(super) fn set_due(&mut self) {
        self.is_due = true;
    }

    /// Whether to ask now.
    fn is_due(&mut self, now: Instant) -> bool {
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            self.is_due = true;
        }
        self.is_due && !self.is_under_way
    }
}

/// What a node has to know of what happens.
#[derive(Debug)]
pub(super) enum News {
    /// A job waits.
    Waits(JobId),
    /// One was begun, here or on another node.
    Begun(JobId),
    /// An attempt came to nothing: its job waits again, or has failed.
    Over(Attempt),
    Cancelled(JobId),
    /// Something was told that was not heard.
    Missed,
}

/// The next event that concerns a node.
pub(super) async fn next_news(events: &mut broadcast::Receiver<EventRecord>) -> News {
    loop {
        match events.recv().await.map(|record| record.event) {
            Ok(Event::JobQueued { job }) => return News::Waits(job.id),
            Ok(Event::JobRequeued { id, attempt, .. } | Event::JobFailed { id, attempt, .. }) => {
                return News::Over(Attempt { job: id, number: attempt });
            }
            Ok(Event::JobStarted { id, .. }) => return News::Begun(id),
            Ok(Event::JobCancelled { id }) => return News::Cancelled(id),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return News::Missed,
            // Only when the engine is gone, and the fleet with it.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl<E: Engine> Supervisor<E> {
    /// Asks for jobs for those who have nothing to do.
    pub(super) fn claim_for_idle(&mut self) {
        if self.is_draining || !self.claiming.is_due(clock::instant()) {
            return;
        }
        let idle = self.idle_workers();
        if idle.is_empty() {
            return;
        }
        if !self.artefacts.has_room() {
            tracing::warn!("the disk is full: no job begins until there is room");
            self.claiming.look_at = Some(clock::instant() + NO_ROOM);
            return;
        }
        (self.claiming.is_due, self.claiming.is_under_way) = (false, true);
        let (engine, desk) = (self.engine.clone(), self.desk.clone());
        let inputs = self.inputs.clone();
        let made = self.made_before();
        self.tasks.spawn(async move {
            let mut claims = engine.claim(idle).await;
            let begun = match &mut claims {
                Ok(claims) => made.take_out(&*engine, claims).await,
                Err(_) => BegunJobs::default(),
            };
            for Claim { job, .. } in claims.iter().flat_map(|claims| &claims.taken) {
                // What is not there, the worker names.
                if let Err(error) = travel::fetch(&*engine, &inputs, &job.request.params).await {
                    tracing::warn!(job = %job.id, %error, "could not fetch what a job names");
                }
            }
            post(&desk, Order::Claimed(claims, begun));
        });
    }

    pub(super) async fn claimed(&mut self, claims: Answer<Claims>, mut begun: BegunJobs) {
        self.claiming.is_under_way = false;
        match claims {
            Ok(Claims { taken, make_room, look_again }) => {
                self.claiming.look_at = look_again;
                for worker in make_room {
                    let reason = "it has done another tenant's jobs".to_owned();
                    self.recycle(&worker, reason).await;
                }
                for claim in taken {
                    let begun = begun.remove(&claim.job.id);
                    self.give(claim, begun).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not ask for jobs");
                self.claiming.look_at = Some(clock::instant() + AWAY);
            }
        }
    }

    pub(super) async fn noticed(&mut self, news: News) {
        match news {
            News::Waits(id) => {
                self.board.note_arrival(id);
                self.claiming.set_due();
            }
            News::Begun(id) => self.board.note_start(id),
            News::Over(attempt) => {
                self.claiming.set_due();
                self.lost(attempt).await;
            }
            News::Cancelled(id) => self.job_was_cancelled(id).await,
            News::Missed => {
                self.claiming.set_due();
                self.beat_at = clock::instant();
            }
        }
    }

    /// Says that the node is there, if it is time to, and looks for nodes that have not.
    pub(super) fn beat_if_due(&mut self) {
        let now = clock::instant();
        if now < self.beat_at {
            return;
        }
        self.beat_at = now + self.config.lease / BEATS_A_LEASE;
        let node = NodeDescription {
            id: self.node.clone(),
            workers: self.describe(),
            templates: self.board.templates_now(),
        };
        let mut held: Vec<Attempt> =
            self.occupants().filter_map(|it| it.worker.attempt()).collect();
        held.extend(self.reports.under_way());
        let (engine, desk, patience) = (self.engine.clone(), self.desk.clone(), self.patience());
        self.tasks.spawn(async move {
            match engine.beat(node, held.clone(), clock::instant()).await {
                Ok(verdicts) => {
                    post(&desk, Order::Judged(held.into_iter().zip(verdicts).collect()));
                }
                Err(error) => tracing::warn!(%error, "could not say that the node is there"),
            }
            if let Err(error) = engine.expire(clock::instant(), patience).await {
                tracing::warn!(%error, "could not look for nodes that are lost");
            }
        });
    }

    pub(super) async fn judged(&mut self, verdicts: Vec<(Attempt, Verdict)>) {
        for (attempt, verdict) in verdicts {
            if verdict != Verdict::Keep {
                self.lost(attempt).await;
            }
        }
    }

    /// Whether the node is at nothing, and will not be.
    pub(super) fn is_drained(&self) -> bool {
        let is_busy = self.occupants().any(|occupant| occupant.worker.attempt().is_some());
        let is_reporting = !self.reports.under_way().is_empty();
        self.is_draining && !is_busy && !is_reporting && !self.claiming.is_under_way
    }

    /// Ends a worker that is at what is not the node's any more.
    async fn lost(&mut self, attempt: Attempt) {
        let is_at_it = self.occupants().any(|occupant| occupant.worker == Worker::Busy(attempt));
        if is_at_it {
            self.job_was_cancelled(attempt.job).await;
        }
    }

    fn idle_workers(&self) -> Vec<IdleWorker> {
        let idle = self.occupants().filter(|occupant| occupant.worker == Worker::Warm);
        let serves = (!self.node.0.is_empty()).then(|| self.board.usable_templates());
        idle.map(|occupant| IdleWorker {
            id: occupant.id.clone(),
            template: occupant.template.clone(),
            scene: occupant.scene.clone(),
            pool: occupant.pool.clone(),
            tenant: occupant.tenant.clone(),
            serves: serves.clone(),
        })
        .collect()
    }
}
