//! Where jobs are kept, whatever keeps them.
//!
//! Delivery is at least once: a job whose worker is lost runs again. Its result is seen once, because
//! every report names its attempt and reports of an attempt that is over are refused.

use std::cmp::Reverse;
use std::future::Future;

use aiobpy_wire::{Artefact, Event, EventRecord, Job, JobId, JobRequest, Problem, WorkerId};
use jiff::Timestamp;
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

/// Where a job stands in the line: first those of higher priority, then the older ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) priority: Reverse<i8>,
    pub(crate) id: JobId,
}

impl Place {
    pub(crate) fn of(job: &Job) -> Self {
        Self { priority: Reverse(job.request.priority), id: job.id }
    }
}

/// On what terms jobs are taken on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// So many jobs may wait.
    pub(crate) most_waiting: usize,
    /// Names the request: who sends it again, as after a lost answer, gets the same job.
    pub(crate) key: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Submitted {
    Taken(Job),
    /// The key is that of an earlier request, which was the same.
    Known(Job),
    /// The key is that of an earlier request, which was another.
    KeyOfAnother(JobId),
    /// As many jobs wait as may.
    Full,
}

/// Who is to blame for an attempt that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The job: its worker crashed or hung at it.
    Job,
    /// What is outside: the worker was killed, or fell silent as a whole.
    World,
    /// Nobody: the server was told to stop.
    Nobody,
}

/// How often a job may be started in vain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) attempts: u32,
    /// Workers that may crash at it.
    pub(crate) crashes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenBack {
    Queued,
    /// Enough: the job has failed.
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
    fn submit(
        &self,
        request: JobRequest,
        terms: Terms,
    ) -> impl Future<Output = Answer<Submitted>> + Send;

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

    /// Puts a job whose attempt came to nothing back into the queue, as long as there is patience;
    /// otherwise it has failed.
    fn give_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) -> impl Future<Output = Answer<GivenBack>> + Send;

    fn cancel(&self, id: JobId) -> impl Future<Output = Answer<Cancelled>> + Send;

    /// Puts every running job back into the queue: at start none can be running.
    fn take_back_all(&self, problem: Problem) -> impl Future<Output = Answer<()>> + Send;

    /// The jobs that wait and their templates, in the order in which they come.
    fn waiting(&self) -> impl Future<Output = Answer<Vec<(Place, String)>>> + Send;

    /// Forgets jobs that ended before a time, and their events. Returns their artefacts' hashes that
    /// no other job has.
    fn forget_before(&self, time: Timestamp) -> impl Future<Output = Answer<Vec<String>>> + Send;

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
