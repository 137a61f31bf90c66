//! What a node has seen of the jobs: it assigns from that, and answers most questions from it.
//!
//! **Invariant:** no I/O. The stream is the truth. What is decided from here is written on condition that
//! the stream has it so, too.

use std::collections::{BTreeMap, HashMap};

use aiobpy_wire::{Job, JobId, WorkerId};
use async_nats::datetime::DateTime;
use tokio::time::Instant;
use uuid::Uuid;

use crate::engine::{Attempt, Listing, Place};
use crate::line::{Line, Standing};

/// So many jobs can be listed.
const NEWEST: usize = 1000;
/// Of so many specs the job is known that has made them.
const MOST_SPECS: usize = 100_000;
/// So many workers are remembered, each with the scene that it has open.
const MOST_WORKERS: usize = 10_000;

/// A job as a message of the stream has it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The number of the message.
    pub(super) sequence: u64,
    pub(super) write: Uuid,
    pub(super) job: Job,
    /// When this node saw it first.
    pub(super) noted: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Replica {
    line: Line,
    /// The jobs that have not ended.
    live: HashMap<JobId, Kept>,
    /// The newest jobs, ended ones as well.
    newest: BTreeMap<JobId, Job>,
    /// Jobs that have ended by a message which the follower has not come to yet, and its number.
    ended_ahead: HashMap<JobId, u64>,
    /// Whose scene each worker has open: that of its last job.
    open: HashMap<WorkerId, String>,
    /// The last finished job of each spec.
    made: HashMap<String, JobId>,
    /// Jobs that fall to workers of other nodes, and since when.
    pub(super) left_to_others: HashMap<JobId, Instant>,
    /// The last message that the follower came to.
    pub(super) seen: u64,
    /// When the stream was made that all this is from.
    pub(super) stream_made: Option<DateTime>,
}

impl Replica {
    /// Takes in what a job has become, unless more recent things are known of it.
    pub(super) fn note(&mut self, kept: Kept) {
        let (id, sequence) = (kept.job.id, kept.sequence);
        let is_old = |known: u64| known >= sequence;
        let known = self.live.get(&id).map(|known| known.sequence);
        // The follower has passed the message, and the job is not live: it has ended since.
        let has_ended = || is_old(self.seen) && !kept.job.state.is_final();
        if known.map_or_else(has_ended, is_old)
            || self.ended_ahead.get(&id).copied().is_some_and(is_old)
        {
            return;
        }
        let standing = Standing::of(&kept.job);
        if let Some(worker) = &standing.worker {
            if self.open.len() >= MOST_WORKERS {
                // Most of them are no more. The others' next jobs tell.
                self.open.clear();
            }
            self.open.insert(worker.clone(), standing.needs.template.clone());
        }
        self.line.note(standing);
        self.newest.insert(id, kept.job.clone());
        if self.newest.len() > NEWEST {
            self.newest.pop_first();
        }
        if let Some(spec) = kept.job.spec.clone().filter(|_| kept.job.state.is_final()) {
            if self.made.len() >= MOST_SPECS {
                // What is asked for often comes again.
                self.made.clear();
            }
            let last = self.made.entry(spec).or_insert(id);
            *last = id.max(*last);
        }
        if kept.job.state.is_final() {
            self.live.remove(&id);
            if sequence > self.seen {
                self.ended_ahead.insert(id, sequence);
            }
        } else {
            self.live.insert(id, kept);
        }
    }

    /// The follower has come to this message.
    pub(super) fn come_to(&mut self, sequence: u64) {
        self.seen = sequence;
        self.ended_ahead.retain(|_, ahead| *ahead > sequence);
    }

    /// Starts over, as when the stream has lost what was seen.
    pub(super) fn clear(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.line.read_anew([]);
        let line = std::mem::take(&mut self.line);
        *self = Self { line, open, ..Self::default() };
    }

    pub(super) fn limit(&mut self, quotas: HashMap<String, usize>) {
        self.line.limit(quotas);
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    pub(super) fn live(&self, id: JobId) -> Option<&Kept> {
        self.live.get(&id)
    }

    pub(super) fn all_live(&self) -> impl Iterator<Item = &Kept> {
        self.live.values()
    }

    /// A job, if it has not ended or is one of the newest.
    pub(super) fn job(&self, id: JobId) -> Option<&Job> {
        self.live.get(&id).map(|kept| &kept.job).or_else(|| self.newest.get(&id))
    }

    pub(super) fn finished_as(&self, spec: &str) -> Option<JobId> {
        self.made.get(spec).copied()
    }

    /// The jobs that are known, the newest first; those of a batch the other way round.
    pub(super) fn listed(&self, listing: &Listing) -> Vec<Job> {
        let Listing { tenant, batch, live, limit } = listing;
        let older = self.live.values().map(|kept| &kept.job);
        let older = older.filter(|job| !self.newest.contains_key(&job.id));
        let is_asked_for = |job: &&Job| {
            tenant.as_ref().is_none_or(|tenant| job.tenant.as_ref() == Some(tenant))
                && batch.is_none_or(|batch| job.batch == Some(batch))
                && !(*live && job.state.is_final())
        };
        let mut jobs: Vec<&Job> = self.newest.values().chain(older).filter(is_asked_for).collect();
        jobs.sort_by_key(|job| job.id);
        if batch.is_none() {
            jobs.reverse();
        }
        jobs.into_iter().take(*limit).cloned().collect()
    }

    /// Whose scene a worker has open, as far as its jobs tell.
    pub(super) fn open(&self, worker: &WorkerId) -> Option<String> {
        self.open.get(worker).cloned()
    }

    /// Someone of this node is about to start the job.
    pub(super) fn take(&mut self, place: Place) {
        self.line.take(place);
    }

    /// It was not started after all: it is as it was.
    pub(super) fn put_back(&mut self, id: JobId) {
        if let Some(kept) = self.live.get(&id) {
            self.line.note(Standing::of(&kept.job));
        }
    }

    /// As if everything had been seen at that time.
    #[cfg(test)]
    pub(super) fn see_all_since(&mut self, noted: Instant) {
        self.live.values_mut().for_each(|kept| kept.noted = noted);
    }

    pub(super) fn is_under_way(&self, attempt: Attempt) -> bool {
        self.line.is_under_way(attempt)
    }
}

#[cfg(test)]
mod tests {
    use aiobpy_wire::{JobRequest, JobState};

    use super::*;
    use crate::clock;
    use crate::engine::Terms;
    use crate::rules;

    fn kept(sequence: u64, job: &Job) -> Kept {
        let (write, noted) = (Uuid::now_v7(), clock::instant());
        Kept { sequence, write, job: job.clone(), noted }
    }

    /// The messages of a job, the last of them its end.
    fn story() -> [Job; 3] {
        let now = clock::timestamp();
        let id = JobId::new(Uuid::now_v7());
        let queued = rules::submitted(id, JobRequest::new("mug"), &Terms::default(), now).job;
        let worker = WorkerId("a/worker-1".into());
        let started = rules::started(queued.clone(), &worker, now).unwrap().job;
        let ended = rules::cancelled(started.clone(), now).unwrap().job;
        [queued, started, ended]
    }

    #[test]
    fn what_was_read_before_a_job_ended_does_not_bring_it_back() {
        let [queued, started, ended] = story();
        let mut replica = Replica::default();
        for (sequence, job) in [(1, &queued), (2, &started), (3, &ended)] {
            replica.note(kept(sequence, job));
            replica.come_to(sequence);
        }
        // Asked for when it was the last message, and noted only now.
        replica.note(kept(2, &started));
        assert!(replica.live(started.id).is_none());
        assert_eq!(replica.line().running().count(), 0);
        assert_eq!(replica.job(started.id).unwrap().state, JobState::Cancelled);
    }

    #[test]
    fn what_was_read_ahead_of_the_follower_counts() {
        let [queued, started, ended] = story();
        let mut replica = Replica::default();
        replica.note(kept(2, &started));
        replica.note(kept(1, &queued));
        replica.come_to(1);
        assert_eq!(replica.live(started.id).unwrap().job.state, JobState::Running);
        replica.note(kept(3, &ended));
        replica.note(kept(2, &started));
        replica.come_to(2);
        assert!(replica.live(started.id).is_none());
    }
}
