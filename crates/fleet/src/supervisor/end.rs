//! How an occupant leaves its slot.

use std::time::Duration;

use aiobpy_wire::{Event, Problem, ToWorker, WorkerId};
use tokio::time::{Instant, timeout, timeout_at};

use crate::clock;
use crate::config::FleetConfig;
use crate::engine::{Attempt, Blame, Engine};
use crate::problems;
use crate::slot::Occupant;
use crate::supervisor::{Supervisor, remove_unfinished};
use crate::worker::{Happened, Worker};
use crate::worker_link::LinkEnd;
use crate::worker_process::Ended;

/// How long the link may stay open after the process has ended.
pub(super) const LINK_LIMIT: Duration = Duration::from_secs(1);
/// How long a worker with nothing to do may take to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(3);

impl<E: Engine> Supervisor<E> {
    pub(super) async fn look_for_silence(&mut self) {
        let now = clock::instant();
        let config = self.config.clone();
        let due = |occupant: &&Occupant| occupant.deadline(&config).is_some_and(|at| at <= now);
        let silent: Vec<WorkerId> =
            self.occupants().filter(due).map(|occupant| occupant.id.clone()).collect();
        for worker in silent {
            let Some(occupant) = self.occupant(&worker) else { continue };
            if let Some(attempt) = occupant.is_overdue(now) {
                self.took_too_long(attempt).await;
                continue;
            }
            if occupant.leave_by.is_none() {
                occupant.reason = Some(why_it_is_late(occupant, now, &config));
            }
            self.happened(&worker, Happened::WentSilent).await;
        }
    }

    /// Ends a job that has had its time, and its worker, which cannot stop within a frame.
    async fn took_too_long(&mut self, attempt: Attempt) {
        let occupant = self.occupants().find(|occupant| occupant.is_at(attempt.job));
        let output = occupant.and_then(|occupant| occupant.output.as_ref());
        let seconds = output.and_then(|output| output.limit).unwrap_or_default();
        self.reports.fail(attempt, problems::job_too_long(seconds));
        self.job_was_cancelled(attempt.job).await;
    }

    pub(super) async fn link_ended(&mut self, worker: &WorkerId, end: LinkEnd) {
        if let (LinkEnd::Senseless(what), Some(occupant)) = (end, self.occupant(worker)) {
            let how = format!("the worker sent what is no message: {what}");
            occupant.reason.get_or_insert_with(|| problems::worker_lost(&how, ""));
        }
        self.happened(worker, Happened::WentSilent).await;
    }

    pub(super) async fn exited(&mut self, worker: &WorkerId, ended: Ended) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.ended = Some(ended);
        self.happened(worker, Happened::Exited).await;
    }

    /// Tells why the worker is gone and leaves its slot to another.
    pub(super) fn replace(&mut self, worker: &WorkerId) {
        let Some(slot) = self.slot(worker) else { return };
        let Some(problem) = slot.occupant.as_ref().map(why_it_ended) else { return };
        let Some(occupant) = slot.vacate(clock::instant(), problem.clone()) else { return };
        self.previews.forget(worker);
        remove_unfinished(occupant.output);
        if let Err(error) = std::fs::remove_dir_all(&occupant.folder) {
            tracing::warn!(%error, %worker, "could not remove the worker's folder");
        }
        // That one is spent has been told.
        if !self.stopping && !occupant.is_spent {
            tracing::warn!(%worker, %problem, "the worker is gone");
            self.engine.tell(Event::WorkerLost { worker: worker.clone(), problem });
        }
    }

    /// Ends all workers and gives their jobs back.
    pub(super) async fn shut_down(&mut self) {
        self.stopping = true;
        self.previews.end();
        self.ask_or_kill();
        let deadline = clock::instant() + STOP_LIMIT;
        while self.occupants().next().is_some() {
            match timeout_at(deadline, self.orders.recv()).await {
                Ok(Some(order)) => self.carry_out(order).await,
                Ok(None) => return,
                Err(_) => break,
            }
        }
        self.occupants().for_each(|occupant| occupant.process.kill());
        while self.occupants().next().is_some() {
            let Some(order) = self.orders.recv().await else { return };
            self.carry_out(order).await;
        }
        self.leave().await;
    }

    /// Nothing runs here any more: what the engine believes to do so waits for others.
    async fn leave(&mut self) {
        self.reports.end().await;
        let leaving = self.engine.take_back(self.node.clone(), problems::server_stopped());
        match timeout(STOP_LIMIT, leaving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not take leave of the engine"),
            Err(_) => tracing::warn!("the engine is away: its jobs wait until their lease is over"),
        }
    }

    fn ask_or_kill(&self) {
        for occupant in self.occupants() {
            match occupant.worker {
                Worker::Warm => occupant.link.send(ToWorker::Stop),
                _ => occupant.process.kill(),
            }
        }
    }
}

/// Why a worker ended: what it said or what was wrong with it, else how its process ended.
pub(super) fn why_it_ended(occupant: &Occupant) -> Problem {
    let (how, last_lines) = match &occupant.ended {
        Some(Ended { how, last_lines, .. }) => (how.as_str(), last_lines.as_str()),
        None => ("the worker was lost", ""),
    };
    match &occupant.reason {
        None => problems::worker_lost(how, last_lines),
        Some(reason) if last_lines.is_empty() => reason.clone(),
        Some(reason) => reason.clone().with_crash_text(last_lines),
    }
}

/// Who is to blame for the attempt that the worker was at.
pub(super) fn who_is_to_blame(occupant: &Occupant) -> Blame {
    match (&occupant.reason, &occupant.ended) {
        (Some(reason), _) if reason.kind == "worker-hung" => Blame::Job,
        // It was killed by us for its silence, as when all of the machine stood still.
        (Some(_), _) => Blame::World,
        (None, Some(ended)) if ended.was_killed => Blame::World,
        (None, _) => Blame::Job,
    }
}

fn why_it_is_late(occupant: &Occupant, now: Instant, config: &FleetConfig) -> Problem {
    if let Some(output) = &occupant.output
        && now >= output.progressed + config.hang_limit
        && occupant.heard.is_some_and(|heard| now < heard + config.silence_limit)
    {
        return problems::worker_hung(config.hang_limit.as_secs());
    }
    let how = if occupant.worker == Worker::Starting {
        format!("the worker was not ready after {} s", config.start_limit.as_secs())
    } else {
        format!("the worker said nothing for {} s", config.silence_limit.as_secs())
    };
    problems::worker_lost(&how, "")
}
