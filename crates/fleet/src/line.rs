//! The jobs that have not ended, in memory: what engines assign from.
//!
//! **Invariant:** no I/O, no clock. What is kept elsewhere is the truth; this is what was last seen of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use aiobpy_wire::{Job, JobId, JobState, WorkerId};

use crate::engine::{Attempt, Place};
use crate::scheduler::Needs;

/// What the line knows of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) place: Place,
    pub(crate) needs: Needs,
    pub(crate) state: JobState,
    pub(crate) attempt: u32,
    pub(crate) worker: Option<WorkerId>,
}

impl Standing {
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            place: Place::of(job),
            needs: Needs::of(job),
            state: job.state,
            attempt: job.attempt,
            worker: job.worker.clone(),
        }
    }
}

/// Jobs that wait, in the order in which they come, and jobs that run.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: BTreeMap<Place, Needs>,
    running: HashMap<JobId, Standing>,
    /// So many jobs of a tenant may run at once.
    quotas: HashMap<String, usize>,
}

impl Line {
    /// Takes in what a job has become.
    pub(crate) fn note(&mut self, standing: Standing) {
        let place = standing.place;
        if standing.state == JobState::Queued {
            self.running.remove(&place.id);
            self.waiting.insert(place, standing.needs);
            return;
        }
        self.waiting.remove(&place);
        if standing.state == JobState::Running {
            self.running.insert(place.id, standing);
        } else {
            self.running.remove(&place.id);
        }
    }

    /// Starts over with what is read from where jobs are kept.
    pub(crate) fn read_anew(&mut self, standings: impl IntoIterator<Item = Standing>) {
        self.waiting.clear();
        self.running.clear();
        standings.into_iter().for_each(|standing| self.note(standing));
    }

    /// The jobs that wait, and what each needs.
    #[cfg(any(test, feature = "nats"))]
    pub(crate) fn waiting(&self) -> &BTreeMap<Place, Needs> {
        &self.waiting
    }

    /// The jobs that may be started: those that wait, but for those of tenants who have their share.
    pub(crate) fn claimable(&self) -> Cow<'_, BTreeMap<Place, Needs>> {
        if self.quotas.is_empty() {
            return Cow::Borrowed(&self.waiting);
        }
        let mut left = self.quotas.clone();
        for standing in self.running.values() {
            if let Some(left) = left.get_mut(&standing.needs.tenant) {
                *left = left.saturating_sub(1);
            }
        }
        let may_start = |(_, needs): &(&Place, &Needs)| match left.get_mut(&needs.tenant) {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        };
        let waiting = self.waiting.iter().filter(may_start);
        Cow::Owned(waiting.map(|(place, needs)| (*place, needs.clone())).collect())
    }

    /// So many jobs of each tenant may run at once.
    pub(crate) fn limit(&mut self, quotas: HashMap<String, usize>) {
        self.quotas = quotas;
    }

    /// Someone is about to start the job: it is given to nobody else meanwhile.
    pub(crate) fn take(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// The attempts under way, and who is at each.
    pub(crate) fn running(&self) -> impl Iterator<Item = (Attempt, &WorkerId)> {
        self.running.values().filter_map(|standing| {
            let attempt = Attempt { job: standing.place.id, number: standing.attempt };
            Some((attempt, standing.worker.as_ref()?))
        })
    }

    pub(crate) fn is_under_way(&self, attempt: Attempt) -> bool {
        self.running.get(&attempt.job).is_some_and(|known| known.attempt == attempt.number)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use uuid::Uuid;

    use super::*;

    fn standing(age: u128, state: JobState, attempt: u32) -> Standing {
        let worker = (state == JobState::Running).then(|| WorkerId("worker-1".into()));
        let place = Place { priority: Reverse(0), id: JobId::new(Uuid::from_u128(age)) };
        Standing { place, needs: Needs::default(), state, attempt, worker }
    }

    #[test]
    fn a_job_waits_then_runs_then_is_gone() {
        let mut line = Line::default();
        line.note(standing(1, JobState::Queued, 0));
        assert_eq!((line.waiting().len(), line.running().count()), (1, 0));
        line.note(standing(1, JobState::Running, 1));
        assert_eq!((line.waiting().len(), line.running().count()), (0, 1));
        let (attempt, worker) = line.running().next().unwrap();
        assert!(line.is_under_way(attempt));
        assert_eq!(worker.0, "worker-1");
        line.note(standing(1, JobState::Finished, 1));
        assert_eq!((line.waiting().len(), line.running().count()), (0, 0));
        assert!(!line.is_under_way(attempt));
    }

    #[test]
    fn a_tenant_who_has_its_share_waits_and_others_do_not() {
        let mut line = Line::default();
        line.limit(HashMap::from([("shop".to_owned(), 2)]));
        let of = |age: u128, state, tenant: &str| {
            let mut standing = standing(age, state, 0);
            tenant.clone_into(&mut standing.needs.tenant);
            standing
        };
        for age in 1..=4 {
            line.note(of(age, JobState::Queued, "shop"));
        }
        line.note(of(5, JobState::Queued, "farm"));
        let ages = |line: &Line| line.claimable().len();
        assert_eq!(ages(&line), 3, "two of the shop's and the farm's");
        line.note(of(1, JobState::Running, "shop"));
        assert_eq!(ages(&line), 2);
        line.note(of(2, JobState::Running, "shop"));
        assert_eq!(ages(&line), 1);
        line.note(of(1, JobState::Finished, "shop"));
        assert_eq!(ages(&line), 2);
    }

    #[test]
    fn a_job_that_is_taken_is_given_to_nobody_else() {
        let mut line = Line::default();
        line.note(standing(1, JobState::Queued, 0));
        line.take(standing(1, JobState::Queued, 0).place);
        assert!(line.waiting().is_empty());
    }
}
