//! Where jobs are kept, whatever keeps them.
//!
//! Delivery is at least once: a job whose worker is lost runs again. Its result is seen once, because
//! every report names its attempt and reports of an attempt that is over are refused.

use std::future::Future;

use aiobpy_wire::{Artefact, Event, EventRecord, Job, JobId, JobRequest, Problem, WorkerId};
use tokio::sync::broadcast;

/// The number of a job's start: a report of any but the latest is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    pub(crate) job: JobId,
    pub(crate) number: u32,
}

/// Whether a report was of the attempt under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Taken,
    /// The attempt is over, or its job is.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenBack {
    Queued,
    /// It was its last attempt: the job has failed.
    Failed,
    /// The attempt is over, or its job is.
    Refused,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cancelled {
    Done(Job),
    AlreadyEnded(Job),
    NoSuchJob,
}

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("the queue could not be read or written: {cause}")]
    Storage { cause: String },
    #[error("the queue is closed")]
    Closed,
}

type Answer<T> = Result<T, EngineError>;

/// Keeps jobs, and says what happens to them.
///
/// What a method has answered survives a crash, a start apart; what it tells is told after that, in
/// one order.
pub(crate) trait Engine: Send + Sync + 'static {
    fn submit(&self, request: JobRequest) -> impl Future<Output = Answer<Job>> + Send;

    /// Starts the next attempt of a job that waits; `None` if it waits no more.
    ///
    /// This alone may be undone by a crash: the worker does not outlive that either, and the job waits
    /// still.
    fn start(
        &self,
        id: JobId,
        worker: WorkerId,
    ) -> impl Future<Output = Answer<Option<Job>>> + Send;

    /// Notes how far an attempt is. Nobody waits for that.
    fn progress(&self, attempt: Attempt, progress: f64, message: String);

    fn finish(
        &self,
        attempt: Attempt,
        artefact: Artefact,
    ) -> impl Future<Output = Answer<Report>> + Send;

    fn fail(
        &self,
        attempt: Attempt,
        problem: Problem,
    ) -> impl Future<Output = Answer<Report>> + Send;

    /// Puts a job whose attempt came to nothing back into the queue, if it has been started less
    /// than `attempts` times; otherwise it has failed.
    fn give_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        attempts: u32,
    ) -> impl Future<Output = Answer<GivenBack>> + Send;

    fn cancel(&self, id: JobId) -> impl Future<Output = Answer<Cancelled>> + Send;

    /// Puts every running job back into the queue: at start none can be running.
    fn take_back_all(&self, problem: Problem) -> impl Future<Output = Answer<()>> + Send;

    /// The jobs that wait and their templates, oldest first.
    fn waiting(&self) -> impl Future<Output = Answer<Vec<(JobId, String)>>> + Send;

    fn job(&self, id: JobId) -> impl Future<Output = Answer<Option<Job>>> + Send;

    /// The newest jobs, newest first.
    fn jobs(&self, limit: usize) -> impl Future<Output = Answer<Vec<Job>>> + Send;

    fn events_since(
        &self,
        sequence: u64,
        job: Option<JobId>,
        limit: usize,
    ) -> impl Future<Output = Answer<Vec<EventRecord>>> + Send;

    /// Tells an event that changes no job.
    fn tell(&self, event: Event);

    fn subscribe(&self) -> broadcast::Receiver<EventRecord>;
}
