//! A place for one worker: who sits there, and when the next one may.

use std::path::PathBuf;
use std::time::Duration;

use aiobpy_wire::{JobId, OutputFormat, Problem, WorkerDescription, WorkerId, WorkerState};
use tokio::time::Instant;

use crate::config::FleetConfig;
use crate::engine::Attempt;
use crate::last_lines::AtJob;
use crate::lifetime::Lifetime;
use crate::pool::Berth;
use crate::specs::{Begun, Recipes};
use crate::worker::Worker;
use crate::worker_link::WorkerLink;
use crate::worker_process::{Ended, WorkerProcess};

/// The longest wait before a worker that cannot start is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// A place for one worker. When its occupant goes, another is started in it.
#[derive(Debug)]
pub(crate) struct Slot {
    /// What is started here.
    pub(crate) berth: Berth,
    pub(crate) occupant: Option<Occupant>,
    /// When an empty slot gets its next occupant.
    pub(crate) start_at: Instant,
    /// Occupants in a row that went without having done a job.
    failures: u32,
    /// The last occupant, as others see it until the next is there.
    pub(crate) last: Option<WorkerDescription>,
}

/// One worker process and what is known of it.
#[derive(Debug)]
pub(crate) struct Occupant {
    pub(crate) id: WorkerId,
    pub(crate) worker: Worker,
    pub(crate) link: WorkerLink,
    pub(crate) process: WorkerProcess,
    /// Its own folder, for its files under way and its temporary files.
    pub(crate) folder: PathBuf,
    pub(crate) started: Instant,
    /// When it last said something; `None` before the first word.
    pub(crate) heard: Option<Instant>,
    /// Whose scene it has open.
    pub(crate) template: Option<String>,
    /// The scene that it has open, where a job named it.
    pub(crate) scene: Option<String>,
    /// The pool that it is in, if that has a name.
    pub(crate) pool: Option<String>,
    /// Whose jobs it has done, of templates that do not vouch for leaving nothing behind.
    pub(crate) tenant: Option<String>,
    pub(crate) blender_version: Option<String>,
    /// How it makes pictures that may answer the same request again.
    pub(crate) recipes: Recipes,
    pub(crate) jobs_done: u64,
    /// The job that what it prints is about.
    pub(crate) at: AtJob,
    /// The file that it is at.
    pub(crate) output: Option<OutputUnderWay>,
    /// Why it is being killed, or what it reported.
    pub(crate) reason: Option<Problem>,
    /// How it ended, once it has.
    pub(crate) ended: Option<Ended>,
    /// Whether it is killed because its job was cancelled.
    pub(crate) blameless: bool,
    /// Whether it has done its share.
    pub(crate) is_spent: bool,
    /// Whether it can leave an attempt within a frame.
    pub(crate) can_leave: bool,
    /// Until when it may take to leave the attempt that it was told to leave.
    pub(crate) leave_by: Option<Instant>,
    pub(crate) lifetime: Lifetime,
}

#[derive(Clone, Debug)]
pub(crate) struct OutputUnderWay {
    pub(crate) attempt: Attempt,
    pub(crate) path: PathBuf,
    pub(crate) format: OutputFormat,
    /// What it is made of, where that is known.
    pub(crate) begun: Option<Begun>,
    /// When the job last got on.
    pub(crate) progressed: Instant,
    /// How many seconds the attempt may take.
    pub(crate) limit: Option<u32>,
    /// When the attempt has taken too long.
    pub(crate) due: Option<Instant>,
}

impl Slot {
    pub(crate) fn new(berth: Berth, now: Instant) -> Self {
        Self { berth, occupant: None, start_at: now, failures: 0, last: None }
    }

    pub(crate) fn is_of(&self, worker: &WorkerId) -> bool {
        self.occupant.as_ref().is_some_and(|occupant| occupant.id == *worker)
    }

    /// When something has to be done about it even if nothing happens.
    pub(crate) fn deadline(&self, config: &FleetConfig) -> Option<Instant> {
        match &self.occupant {
            None => Some(self.start_at),
            Some(occupant) => occupant.deadline(config),
        }
    }

    /// The occupant is gone; `problem` says why.
    pub(crate) fn vacate(&mut self, now: Instant, problem: Problem) -> Option<Occupant> {
        let occupant = self.occupant.take()?;
        self.failures = if occupant.is_proven() { 0 } else { self.failures + 1 };
        let wait = if occupant.is_unusable() { LONGEST_BACKOFF } else { backoff(self.failures) };
        self.start_at = now + wait;
        self.last = Some(WorkerDescription {
            state: WorkerState::Lost,
            pid: None,
            job: None,
            problem: Some(problem),
            failures: self.failures,
            ..occupant.describe()
        });
        Some(occupant)
    }

    pub(crate) fn could_not_start(&mut self, now: Instant, id: WorkerId, problem: Problem) {
        self.failures += 1;
        // A program that is not there will not be there at once.
        self.start_at = now + backoff(self.failures + 2);
        self.last = Some(WorkerDescription {
            id,
            state: WorkerState::Lost,
            pid: None,
            blender_version: None,
            job: None,
            jobs_done: 0,
            problem: Some(problem),
            pool: None,
            device: None,
            resident_bytes: None,
            failures: self.failures,
        });
    }

    pub(crate) fn describe(&self) -> Option<WorkerDescription> {
        let described =
            self.occupant.as_ref().map(Occupant::describe).or_else(|| self.last.clone());
        described.map(|described| WorkerDescription {
            pool: self.berth.pool.clone(),
            device: self.berth.device.as_ref().map(ToString::to_string),
            ..described
        })
    }
}

impl Occupant {
    fn describe(&self) -> WorkerDescription {
        let (state, job) = match self.worker {
            Worker::Starting => (WorkerState::Starting, None),
            Worker::Warm => (WorkerState::Warm, None),
            Worker::Busy(attempt) => (WorkerState::Busy, Some(attempt.job)),
            Worker::Leaving(_) => (WorkerState::Busy, None),
            Worker::Ending(_) | Worker::Gone => (WorkerState::Lost, None),
        };
        WorkerDescription {
            id: self.id.clone(),
            state,
            pid: Some(self.process.pid()),
            blender_version: self.blender_version.clone(),
            job,
            jobs_done: self.jobs_done,
            problem: self.reason.clone(),
            pool: None,
            device: None,
            resident_bytes: None,
            failures: 0,
        }
    }

    pub(crate) fn deadline(&self, config: &FleetConfig) -> Option<Instant> {
        let start = self.started + config.start_limit;
        let silence = self.heard.map(|heard| heard + config.silence_limit);
        match self.worker {
            Worker::Starting => Some(silence.map_or(start, |silence| silence.min(start))),
            Worker::Warm => silence,
            Worker::Busy(_) => {
                let output = self.output.as_ref();
                let hung = output.map(|output| output.progressed + config.hang_limit);
                let due = output.and_then(|output| output.due);
                [silence, hung, due].into_iter().flatten().min()
            }
            Worker::Leaving(_) => [silence, self.leave_by].into_iter().flatten().min(),
            Worker::Ending(_) | Worker::Gone => None,
        }
    }

    pub(crate) fn is_at(&self, id: JobId) -> bool {
        match self.worker {
            Worker::Busy(attempt) | Worker::Ending(Some(attempt)) => attempt.job == id,
            _ => false,
        }
    }

    /// The attempt that has had its time, if it has.
    pub(crate) fn is_overdue(&self, now: Instant) -> Option<Attempt> {
        let output = self.output.as_ref().filter(|_| matches!(self.worker, Worker::Busy(_)))?;
        output.due.filter(|due| *due <= now).map(|_| output.attempt)
    }

    /// Whether it was more than a process that starts and dies.
    fn is_proven(&self) -> bool {
        self.jobs_done > 0 || self.blameless || self.is_spent
    }

    fn is_unusable(&self) -> bool {
        self.reason.as_ref().is_some_and(|reason| reason.kind == "unusable-blender")
    }
}

/// At once after the first failure, then after 1, 2, 4 … seconds.
fn backoff(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_secs(1 << (failures - 2).min(6)).min(LONGEST_BACKOFF),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_loop_slows_down() {
        let waits = [0, 1, 2, 3, 4, 8, 9, 1000].map(|failures| backoff(failures).as_secs());
        assert_eq!(waits, [0, 0, 1, 2, 4, 60, 60, 60]);
    }
}
