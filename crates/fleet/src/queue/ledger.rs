//! What each thing that can happen to a job changes: the rules of the queue, within a transaction.

use aiobpy_wire::{
    Artefact, Event, EventRecord, Job, JobId, JobRequest, JobState, Problem, WorkerId,
};
use rusqlite::{Connection, Result};
use uuid::Uuid;

use crate::clock;
use crate::engine::{Attempt, Cancelled, GivenBack, Report};
use crate::queue::rows;

/// An open transaction, and the events to tell once it is committed.
pub(super) struct Ledger<'transaction> {
    connection: &'transaction Connection,
    told: &'transaction mut Vec<EventRecord>,
}

impl<'transaction> Ledger<'transaction> {
    pub(super) fn new(
        connection: &'transaction Connection,
        told: &'transaction mut Vec<EventRecord>,
    ) -> Self {
        Self { connection, told }
    }

    pub(super) fn submit(&mut self, request: JobRequest) -> Result<Job> {
        let job = Job {
            id: JobId::new(Uuid::now_v7()),
            request: request.into(),
            state: JobState::Queued,
            attempt: 0,
            progress: 0.0,
            message: None,
            worker: None,
            artefact: None,
            problem: None,
            created_at: clock::timestamp(),
            started_at: None,
            ended_at: None,
        };
        rows::insert_job(self.connection, &job)?;
        self.tell(Event::JobQueued { job: Box::new(job.clone()) })?;
        Ok(job)
    }

    pub(super) fn start(&mut self, id: JobId, worker: WorkerId) -> Result<Option<Job>> {
        let Some(mut job) = rows::job(self.connection, id)? else { return Ok(None) };
        if job.state != JobState::Queued {
            return Ok(None);
        }
        job.state = JobState::Running;
        job.attempt += 1;
        job.progress = 0.0;
        job.message = None;
        job.worker = Some(worker.clone());
        job.started_at = Some(clock::timestamp());
        rows::update_job(self.connection, &job)?;
        self.tell(Event::JobStarted { id, attempt: job.attempt, worker })?;
        Ok(Some(job))
    }

    pub(super) fn progress(
        &mut self,
        attempt: Attempt,
        progress: f64,
        message: String,
    ) -> Result<Report> {
        let Some(mut job) = self.under_way(attempt)? else { return Ok(Report::Refused) };
        job.progress = progress.clamp(job.progress, 1.0);
        job.message = Some(message.clone());
        rows::update_job(self.connection, &job)?;
        self.tell(Event::JobProgressed {
            id: job.id,
            attempt: job.attempt,
            progress: job.progress,
            message,
        })?;
        Ok(Report::Taken)
    }

    pub(super) fn finish(&mut self, attempt: Attempt, artefact: Artefact) -> Result<Report> {
        let Some(mut job) = self.under_way(attempt)? else { return Ok(Report::Refused) };
        job.progress = 1.0;
        job.message = None;
        // Why an earlier attempt came to nothing no longer matters.
        job.problem = None;
        job.artefact = Some(artefact.clone());
        self.end(job, JobState::Finished)?;
        self.tell(Event::JobFinished { id: attempt.job, attempt: attempt.number, artefact })?;
        Ok(Report::Taken)
    }

    pub(super) fn fail(&mut self, attempt: Attempt, problem: Problem) -> Result<Report> {
        let Some(mut job) = self.under_way(attempt)? else { return Ok(Report::Refused) };
        job.problem = Some(problem.clone());
        self.end(job, JobState::Failed)?;
        self.tell(Event::JobFailed { id: attempt.job, attempt: attempt.number, problem })?;
        Ok(Report::Taken)
    }

    pub(super) fn give_back(
        &mut self,
        attempt: Attempt,
        problem: Problem,
        attempts: u32,
    ) -> Result<GivenBack> {
        let Some(job) = self.under_way(attempt)? else { return Ok(GivenBack::Refused) };
        if attempt.number >= attempts {
            self.fail(attempt, problem)?;
            return Ok(GivenBack::Failed);
        }
        self.requeue(job, problem)?;
        Ok(GivenBack::Queued)
    }

    pub(super) fn cancel(&mut self, id: JobId) -> Result<Cancelled> {
        let Some(job) = rows::job(self.connection, id)? else { return Ok(Cancelled::NoSuchJob) };
        if job.state.is_final() {
            return Ok(Cancelled::AlreadyEnded(job));
        }
        let job = self.end(job, JobState::Cancelled)?;
        self.tell(Event::JobCancelled { id })?;
        Ok(Cancelled::Done(job))
    }

    pub(super) fn take_back_all(&mut self, problem: &Problem) -> Result<()> {
        for job in rows::jobs_in(self.connection, JobState::Running)? {
            self.requeue(job, problem.clone())?;
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, event: Event) -> Result<()> {
        let at = clock::timestamp();
        let sequence =
            rows::insert_event(self.connection, event.job_id(), &at.to_string(), &event)?;
        self.told.push(EventRecord { sequence, at, event });
        Ok(())
    }

    /// The job, if the attempt is its latest and is not over.
    fn under_way(&self, attempt: Attempt) -> Result<Option<Job>> {
        let job = rows::job(self.connection, attempt.job)?;
        Ok(job.filter(|job| job.state == JobState::Running && job.attempt == attempt.number))
    }

    fn requeue(&mut self, mut job: Job, problem: Problem) -> Result<()> {
        job.state = JobState::Queued;
        job.progress = 0.0;
        job.message = None;
        job.worker = None;
        job.problem = Some(problem.clone());
        rows::update_job(self.connection, &job)?;
        self.tell(Event::JobRequeued { id: job.id, attempt: job.attempt, problem })
    }

    fn end(&mut self, mut job: Job, state: JobState) -> Result<Job> {
        job.state = state;
        job.ended_at = Some(clock::timestamp());
        rows::update_job(self.connection, &job)?;
        Ok(job)
    }
}
