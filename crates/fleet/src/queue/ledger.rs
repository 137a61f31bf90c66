//! What each thing that can happen to a job changes: the rules of every engine, within a transaction.

use aiobpy_wire::{
    Event, EventRecord, Job, JobId, JobRequest, JobState, NodeId, Problem, WorkerId,
};
use jiff::Timestamp;
use rusqlite::{Connection, Result};
use uuid::Uuid;

use crate::clock;
use crate::engine::{
    Attempt, Blame, Cancelled, Claim, GivenBack, Made, Patience, Report, Submitted, Terms,
};
use crate::line::Standing;
use crate::queue::rows;
use crate::rules::{self, Changed};
use crate::scheduler::Assignment;

/// What a transaction comes to once it is committed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The events to tell.
    pub(super) told: Vec<EventRecord>,
    /// What jobs have become.
    pub(super) standings: Vec<Standing>,
}

/// An open transaction.
pub(super) struct Ledger<'transaction> {
    connection: &'transaction Connection,
    outcome: &'transaction mut Outcome,
}

impl<'transaction> Ledger<'transaction> {
    pub(super) fn new(
        connection: &'transaction Connection,
        outcome: &'transaction mut Outcome,
    ) -> Self {
        Self { connection, outcome }
    }

    pub(super) fn submit(&mut self, request: JobRequest, terms: &Terms) -> Result<Submitted> {
        let key = terms.key.as_deref();
        let hash = key.map(|_| rules::request_hash(&request));
        if let Some(key) = key
            && let Some((id, known)) = rows::job_of_key(self.connection, key)?
        {
            return Ok(match rows::job(self.connection, id)? {
                Some(job) if known == hash => Submitted::Known(job),
                _ => Submitted::KeyOfAnother(id),
            });
        }
        // What is there already takes no place.
        match if terms.made.is_some() { Room::Enough } else { self.room(terms, 1)? } {
            Room::Enough => {}
            Room::None => return Ok(Submitted::Full),
            Room::NoneForTenant => return Ok(Submitted::TenantFull),
        }
        let job = self.take_on(request, terms, key.zip(hash.as_deref()))?;
        Ok(Submitted::Taken(job))
    }

    /// Whether so many more jobs may wait.
    pub(super) fn room(&self, terms: &Terms, count: usize) -> Result<Room> {
        // Not a subtraction that wraps: more than may wait at all never fit.
        let fits = |most: usize, wait: &dyn Fn(usize) -> Result<bool>| match most.checked_sub(count)
        {
            Some(others) => wait(others.saturating_add(1)).map(|many| !many),
            None => Ok(false),
        };
        if !fits(terms.most_waiting, &|count| rows::as_many_wait(self.connection, None, count))? {
            return Ok(Room::None);
        }
        if let Some(tenant) = &terms.tenant {
            let name = Some(tenant.name.as_str());
            let wait = |count| rows::as_many_wait(self.connection, name, count);
            if !fits(tenant.most_waiting, &wait)? {
                return Ok(Room::NoneForTenant);
            }
        }
        Ok(Room::Enough)
    }

    /// `named`: the client's name for its request, and the hash of that.
    pub(super) fn take_on(
        &mut self,
        request: JobRequest,
        terms: &Terms,
        named: Option<(&str, &str)>,
    ) -> Result<Job> {
        let id = JobId::new(Uuid::now_v7());
        let new = rules::submitted(id, request, terms, clock::timestamp());
        rows::insert_job(self.connection, &new.job, named)?;
        if new.job.state.is_final() {
            rows::update_job(self.connection, &new.job)?;
        }
        self.tell_of(&new.job, new.event)?;
        self.outcome.standings.push(Standing::of(&new.job));
        Ok(new.job)
    }

    pub(super) fn connection(&self) -> &Connection {
        self.connection
    }

    /// Starts those of the jobs that wait still.
    pub(super) fn start_all(&mut self, assignments: Vec<Assignment>) -> Result<Vec<Claim>> {
        let mut claims = Vec::new();
        for Assignment { place, worker } in assignments {
            if let Some(job) = self.start(place.id, &worker)? {
                claims.push(Claim { job, worker });
            }
        }
        Ok(claims)
    }

    pub(super) fn progress(
        &mut self,
        attempt: Attempt,
        progress: f64,
        message: String,
    ) -> Result<Report> {
        self.report(attempt, |job| rules::progressed(job, attempt.number, progress, message))
    }

    pub(super) fn finish(&mut self, attempt: Attempt, made: Made) -> Result<Report> {
        let now = clock::timestamp();
        self.report(attempt, |job| rules::finished(job, attempt.number, made, now))
    }

    pub(super) fn fail(&mut self, attempt: Attempt, problem: Problem) -> Result<Report> {
        let now = clock::timestamp();
        self.report(attempt, |job| rules::failed(job, attempt.number, problem, now))
    }

    pub(super) fn give_back(
        &mut self,
        attempt: Attempt,
        problem: &Problem,
        blame: Blame,
        patience: Patience,
    ) -> Result<GivenBack> {
        let Some(job) = rows::job(self.connection, attempt.job)? else {
            return Ok(GivenBack::Refused);
        };
        let now = clock::timestamp();
        match rules::given_back(job, attempt.number, problem, blame, patience, now) {
            Some((changed, given_back)) => self.note(changed).map(|_| given_back),
            None => Ok(GivenBack::Refused),
        }
    }

    pub(super) fn cancel(&mut self, id: JobId) -> Result<Cancelled> {
        let Some(job) = rows::job(self.connection, id)? else { return Ok(Cancelled::NoSuchJob) };
        match rules::cancelled(job.clone(), clock::timestamp()) {
            Some(changed) => self.note(changed).map(Cancelled::Done),
            None => Ok(Cancelled::AlreadyEnded(job)),
        }
    }

    pub(super) fn take_back(&mut self, node: &NodeId, problem: &Problem) -> Result<()> {
        for job in rows::jobs_in(self.connection, JobState::Running)? {
            let worker = job.worker.as_ref();
            if worker.is_some_and(|worker| worker.node() == node.0)
                && let Some(changed) = rules::taken_back(job, problem)
            {
                self.note(changed)?;
            }
        }
        Ok(())
    }

    pub(super) fn forget_before(&mut self, time: Timestamp) -> Result<Vec<String>> {
        let mut hashes: Vec<String> = rows::delete_jobs_before(self.connection, &time.to_string())?
            .into_iter()
            .map(|artefact| artefact.hash)
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut unused = Vec::new();
        for hash in hashes {
            if !rows::has_artefact(self.connection, &hash)? {
                unused.push(hash);
            }
        }
        Ok(unused)
    }

    pub(super) fn tell(&mut self, event: Event) -> Result<()> {
        self.tell_in(None, event)
    }

    fn tell_of(&mut self, job: &Job, event: Event) -> Result<()> {
        self.tell_in(job.traceparent.clone(), event)
    }

    fn tell_in(&mut self, traceparent: Option<String>, event: Event) -> Result<()> {
        let at = clock::timestamp();
        let sequence =
            rows::insert_event(self.connection, event.job_id(), &at.to_string(), &event)?;
        self.outcome.told.push(EventRecord { sequence, at, traceparent, event });
        Ok(())
    }

    fn start(&mut self, id: JobId, worker: &WorkerId) -> Result<Option<Job>> {
        let Some(job) = rows::job(self.connection, id)? else { return Ok(None) };
        let started = rules::started(job, worker, clock::timestamp());
        started.map(|changed| self.note(changed)).transpose()
    }

    fn report(
        &mut self,
        attempt: Attempt,
        rule: impl FnOnce(Job) -> Option<Changed>,
    ) -> Result<Report> {
        match rows::job(self.connection, attempt.job)?.and_then(rule) {
            Some(changed) => self.note(changed).map(|_| Report::Taken),
            None => Ok(Report::Refused),
        }
    }

    fn note(&mut self, Changed { job, event }: Changed) -> Result<Job> {
        rows::update_job(self.connection, &job)?;
        self.tell_of(&job, event)?;
        self.outcome.standings.push(Standing::of(&job));
        Ok(job)
    }
}

/// Whether there is room for more jobs that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    None,
    NoneForTenant,
}
