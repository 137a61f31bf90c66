//! What each thing that can happen to a job changes: the rules of the queue, within a transaction.

use aiobpy_wire::{
    Artefact, Event, EventRecord, Job, JobId, JobRequest, JobState, Problem, WorkerId,
};
use jiff::Timestamp;
use rusqlite::{Connection, Result};
use uuid::Uuid;

use crate::clock;
use crate::engine::{Attempt, Blame, Cancelled, GivenBack, Patience, Report, Submitted, Terms};
use crate::problems;
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

    pub(super) fn submit(&mut self, request: JobRequest, terms: &Terms) -> Result<Submitted> {
        let key = terms.key.as_deref();
        let hash = key.map(|_| hash_of(&request));
        if let Some(key) = key
            && let Some((id, known)) = rows::job_of_key(self.connection, key)?
        {
            return Ok(match rows::job(self.connection, id)? {
                Some(job) if known == hash => Submitted::Known(job),
                _ => Submitted::KeyOfAnother(id),
            });
        }
        if rows::as_many_wait(self.connection, terms.most_waiting)? {
            return Ok(Submitted::Full);
        }
        let job = Job {
            id: JobId::new(Uuid::now_v7()),
            request: request.into(),
            state: JobState::Queued,
            attempt: 0,
            crashes: 0,
            progress: 0.0,
            message: None,
            worker: None,
            artefact: None,
            problem: None,
            created_at: clock::timestamp(),
            started_at: None,
            ended_at: None,
        };
        rows::insert_job(self.connection, &job, key, hash.as_deref())?;
        self.tell(Event::JobQueued { job: Box::new(job.clone()) })?;
        Ok(Submitted::Taken(job))
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
        let Some(job) = self.under_way(attempt)? else { return Ok(Report::Refused) };
        self.fail_for_good(job, problem)?;
        Ok(Report::Taken)
    }

    pub(super) fn give_back(
        &mut self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) -> Result<GivenBack> {
        let Some(mut job) = self.under_way(attempt)? else { return Ok(GivenBack::Refused) };
        job.crashes += u32::from(blame == Blame::Job);
        if job.crashes >= patience.crashes {
            self.fail_for_good(job, problems::poison(&problem, patience.crashes))?;
            return Ok(GivenBack::Failed);
        }
        if blame != Blame::Nobody && attempt.number >= patience.attempts {
            self.fail_for_good(job, problem)?;
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

    fn fail_for_good(&mut self, mut job: Job, problem: Problem) -> Result<()> {
        let (id, attempt) = (job.id, job.attempt);
        job.problem = Some(problem.clone());
        self.end(job, JobState::Failed)?;
        self.tell(Event::JobFailed { id, attempt, problem })
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

/// Of what was asked for: the same text of JSON, the same hash.
fn hash_of(request: &JobRequest) -> String {
    let text = serde_json::to_vec(request).unwrap_or_default();
    blake3::hash(&text).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience { attempts: 4, crashes: 2 };

    /// What a client, a worker or a crash can do to one of a few jobs.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Submit,
        Start { job: usize },
        Progress { job: usize, number: u32, progress: f64 },
        Finish { job: usize, number: u32 },
        Fail { job: usize, number: u32 },
        GiveBack { job: usize, number: u32, blame: Blame },
        Cancel { job: usize },
        Crash,
    }

    fn any_blame() -> impl Strategy<Value = Blame> {
        prop::sample::select(vec![Blame::Job, Blame::World, Blame::Nobody])
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let job = 0..3_usize;
        let report = (0..3_usize, 1..5_u32);
        prop_oneof![
            2 => Just(Step::Submit),
            6 => job.clone().prop_map(|job| Step::Start { job }),
            2 => (report.clone(), 0.0..1.0_f64)
                .prop_map(|((job, number), progress)| Step::Progress { job, number, progress }),
            2 => report.clone().prop_map(|(job, number)| Step::Finish { job, number }),
            1 => report.clone().prop_map(|(job, number)| Step::Fail { job, number }),
            4 => (report, any_blame())
                .prop_map(|((job, number), blame)| Step::GiveBack { job, number, blame }),
            1 => job.prop_map(|job| Step::Cancel { job }),
            1 => Just(Step::Crash),
        ]
    }

    fn problem() -> Problem {
        Problem::new(500, "worker-lost", "The worker was lost", "it was")
    }

    fn picture() -> Artefact {
        Artefact { hash: "00".repeat(32), content_type: "image/png".into(), bytes: 1 }
    }

    fn request() -> JobRequest {
        JobRequest::new("mug")
    }

    const TERMS: Terms = Terms { most_waiting: 1000, key: None };

    fn take(ledger: &mut Ledger<'_>, jobs: &mut Vec<JobId>, step: Step) -> Result<()> {
        let attempt =
            |jobs: &[JobId], job: usize, number| jobs.get(job).map(|&job| Attempt { job, number });
        match step {
            Step::Submit => match ledger.submit(request(), &TERMS)? {
                Submitted::Taken(job) => jobs.push(job.id),
                other => panic!("{other:?}"),
            },
            Step::Crash => ledger.take_back_all(&problem())?,
            Step::Start { job } => {
                if let Some(&id) = jobs.get(job) {
                    ledger.start(id, WorkerId("worker-1".into()))?;
                }
            }
            Step::Cancel { job } => {
                if let Some(&id) = jobs.get(job) {
                    ledger.cancel(id)?;
                }
            }
            Step::Progress { job, number, progress } => {
                if let Some(attempt) = attempt(jobs, job, number) {
                    ledger.progress(attempt, progress, "Sample 1/2".into())?;
                }
            }
            Step::Finish { job, number } => {
                if let Some(attempt) = attempt(jobs, job, number) {
                    ledger.finish(attempt, picture())?;
                }
            }
            Step::Fail { job, number } => {
                if let Some(attempt) = attempt(jobs, job, number) {
                    ledger.fail(attempt, problem())?;
                }
            }
            Step::GiveBack { job, number, blame } => {
                if let Some(attempt) = attempt(jobs, job, number) {
                    ledger.give_back(attempt, problem(), blame, PATIENCE)?;
                }
            }
        }
        Ok(())
    }

    /// What a client that has seen all events up to here believes of a job.
    #[derive(Debug, Default)]
    struct Believed {
        state: Option<JobState>,
        attempt: u32,
        progress: f64,
    }

    impl Believed {
        fn hear(&mut self, event: &Event) {
            assert!(!self.state.is_some_and(JobState::is_final), "told after its end: {event:?}");
            match event {
                Event::JobQueued { .. } => self.state = Some(JobState::Queued),
                Event::JobStarted { attempt, .. } => {
                    assert_eq!((self.state, *attempt), (Some(JobState::Queued), self.attempt + 1));
                    (self.attempt, self.progress) = (*attempt, 0.0);
                    self.state = Some(JobState::Running);
                }
                Event::JobProgressed { attempt, progress, .. } => {
                    assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                    assert!(*progress >= self.progress, "progress went back");
                    self.progress = *progress;
                }
                Event::JobRequeued { attempt, .. } => {
                    assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                    (self.state, self.progress) = (Some(JobState::Queued), 0.0);
                }
                Event::JobFinished { attempt, .. } => {
                    assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                    (self.state, self.progress) = (Some(JobState::Finished), 1.0);
                }
                Event::JobFailed { attempt, .. } => {
                    assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                    self.state = Some(JobState::Failed);
                }
                Event::JobCancelled { .. } => self.state = Some(JobState::Cancelled),
                other => panic!("no step tells {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn who_hears_every_event_knows_every_job(
            steps in prop::collection::vec(any_step(), 0..80),
        ) {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(include_str!("schema.sql")).unwrap();
            let (mut told, mut jobs) = (Vec::new(), Vec::new());
            let mut ledger = Ledger::new(&connection, &mut told);
            for step in steps {
                take(&mut ledger, &mut jobs, step).unwrap();
            }

            let mut believed: HashMap<JobId, Believed> = HashMap::new();
            for record in &told {
                believed.entry(record.event.job_id().unwrap()).or_default().hear(&record.event);
            }
            for id in jobs {
                let job = rows::job(&connection, id).unwrap().unwrap();
                let known = &believed[&id];
                prop_assert_eq!(Some(job.state), known.state);
                prop_assert_eq!(job.attempt, known.attempt);
                prop_assert!((job.progress - known.progress).abs() < f64::EPSILON);
                prop_assert_eq!(job.artefact.is_some(), job.state == JobState::Finished);
                prop_assert_eq!(job.ended_at.is_some(), job.state.is_final());
                prop_assert!(job.crashes <= PATIENCE.crashes);
                prop_assert!(job.crashes < PATIENCE.crashes || job.state == JobState::Failed);
            }
            prop_assert_eq!(rows::events_since(&connection, 0, None, 10_000).unwrap(), told);
        }
    }
}
