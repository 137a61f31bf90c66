//! What each thing that can happen to a job makes of it: functions of values, the same for every engine.
//!
//! **Invariant:** no I/O, no clock, no state. `None` says that it cannot happen to this job: its attempt is
//! over, or it has ended.

use aiobpy_wire::{Event, Job, JobId, JobRequest, JobState, Problem, WorkerId};
use jiff::Timestamp;
use serde::Serialize;

use crate::engine::{Blame, GivenBack, Made, Patience, Terms};
use crate::problems;

/// A job as it is now, and what is told of that: the two are kept together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changed {
    pub(crate) job: Job,
    pub(crate) event: Event,
}

pub(crate) fn submitted(id: JobId, request: JobRequest, terms: &Terms, now: Timestamp) -> Changed {
    let job = Job {
        id,
        request: request.into(),
        tenant: terms.tenant.as_ref().map(|tenant| tenant.name.clone()),
        traceparent: terms.traceparent.clone(),
        batch: terms.batch,
        state: JobState::Queued,
        attempt: 0,
        crashes: 0,
        progress: 0.0,
        message: None,
        worker: None,
        artefact: None,
        spec: None,
        cached_from: None,
        problem: None,
        created_at: now,
        started_at: None,
        ended_at: None,
    };
    match terms.made.clone() {
        // It never waits: nobody is to begin it.
        Some(made) => finished_with(job, made, now),
        None => Changed { event: Event::JobQueued { job: Box::new(job.clone()) }, job },
    }
}

pub(crate) fn started(mut job: Job, worker: &WorkerId, now: Timestamp) -> Option<Changed> {
    if job.state != JobState::Queued {
        return None;
    }
    job.state = JobState::Running;
    job.attempt += 1;
    job.progress = 0.0;
    job.message = None;
    job.worker = Some(worker.clone());
    job.started_at = Some(now);
    let event = Event::JobStarted { id: job.id, attempt: job.attempt, worker: worker.clone() };
    Some(Changed { job, event })
}

pub(crate) fn progressed(
    job: Job,
    attempt: u32,
    progress: f64,
    message: String,
) -> Option<Changed> {
    let mut job = under_way(job, attempt)?;
    // It never goes back within an attempt.
    job.progress = progress.clamp(job.progress, 1.0);
    job.message = Some(message.clone());
    let event = Event::JobProgressed { id: job.id, attempt, progress: job.progress, message };
    Some(Changed { job, event })
}

pub(crate) fn finished(job: Job, attempt: u32, made: Made, now: Timestamp) -> Option<Changed> {
    under_way(job, attempt).map(|job| finished_with(job, made, now))
}

pub(crate) fn failed(job: Job, attempt: u32, problem: Problem, now: Timestamp) -> Option<Changed> {
    under_way(job, attempt).map(|job| failed_for_good(job, problem, now))
}

/// Of an attempt that came to nothing: the job waits again as long as there is patience, otherwise it has
/// failed.
pub(crate) fn given_back(
    job: Job,
    attempt: u32,
    problem: &Problem,
    blame: Blame,
    patience: Patience,
    now: Timestamp,
) -> Option<(Changed, GivenBack)> {
    let mut job = under_way(job, attempt)?;
    job.crashes += u32::from(blame == Blame::Job);
    if job.crashes >= patience.crashes {
        let poison = problems::poison(problem, patience.crashes);
        return Some((failed_for_good(job, poison, now), GivenBack::Failed));
    }
    if blame != Blame::Nobody && attempt >= patience.attempts {
        return Some((failed_for_good(job, problem.clone(), now), GivenBack::Failed));
    }
    Some((requeued(job, problem), GivenBack::Queued))
}

/// Of a job whose node is known to have ended.
pub(crate) fn taken_back(job: Job, problem: &Problem) -> Option<Changed> {
    (job.state == JobState::Running).then(|| requeued(job, problem))
}

pub(crate) fn cancelled(job: Job, now: Timestamp) -> Option<Changed> {
    if job.state.is_final() {
        return None;
    }
    let event = Event::JobCancelled { id: job.id };
    Some(Changed { job: ended(job, JobState::Cancelled, now), event })
}

/// Of what was asked for: the same text of JSON, the same hash.
pub(crate) fn request_hash(request: &impl Serialize) -> String {
    let text = serde_json::to_vec(request).unwrap_or_default();
    blake3::hash(&text).to_hex().to_string()
}

/// The job, if the attempt is its latest and is not over.
fn under_way(job: Job, attempt: u32) -> Option<Job> {
    (job.state == JobState::Running && job.attempt == attempt).then_some(job)
}

fn requeued(mut job: Job, problem: &Problem) -> Changed {
    job.state = JobState::Queued;
    job.progress = 0.0;
    job.message = None;
    job.worker = None;
    job.problem = Some(problem.clone());
    let event = Event::JobRequeued { id: job.id, attempt: job.attempt, problem: problem.clone() };
    Changed { job, event }
}

fn finished_with(mut job: Job, made: Made, now: Timestamp) -> Changed {
    let Made { artefact, spec, cached_from } = made;
    job.progress = 1.0;
    job.message = None;
    // Why an earlier attempt came to nothing no longer matters.
    job.problem = None;
    job.artefact = Some(artefact.clone());
    (job.spec, job.cached_from) = (spec, cached_from);
    let event = Event::JobFinished { id: job.id, attempt: job.attempt, artefact, cached_from };
    Changed { job: ended(job, JobState::Finished, now), event }
}

fn failed_for_good(mut job: Job, problem: Problem, now: Timestamp) -> Changed {
    job.problem = Some(problem.clone());
    let event = Event::JobFailed { id: job.id, attempt: job.attempt, problem };
    Changed { job: ended(job, JobState::Failed, now), event }
}

fn ended(mut job: Job, state: JobState, now: Timestamp) -> Job {
    job.state = state;
    job.ended_at = Some(now);
    job
}
