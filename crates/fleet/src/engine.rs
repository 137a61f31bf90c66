//! Where jobs are kept, whatever keeps them, and how nodes share them.
//!
//! Delivery is at least once: a job whose worker is lost runs again. Its result is seen once, because
//! every report names its attempt and reports of an attempt that is over are refused. That is the fence.
//!
//! A claim lasts as long as its node is heard of. Who is not heard of for the length of a lease has lost its
//! claims: any other node gives them back.

use std::cmp::Reverse;
use std::future::Future;
use std::path::PathBuf;

use aiobpy_wire::{
    Artefact, Batch, BatchId, Event, EventRecord, Job, JobId, JobRequest, NodeDescription, NodeId,
    Problem, WorkerId,
};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::scheduler::IdleWorker;

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
    pub(crate) tenant: Option<TenantTerms>,
    /// The batch that they belong to.
    pub(crate) batch: Option<BatchId>,
    /// The place in a W3C trace of the request that asks for them.
    pub(crate) traceparent: Option<String>,
    /// What an earlier job has made of the same: the new one has ended when it is taken on.
    pub(crate) made: Option<Made>,
}

/// What a job has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) artefact: Artefact,
    /// Known by it, it answers the same request again; see `specs`.
    pub(crate) spec: Option<String>,
    /// The job that has made it, if that was an earlier one.
    pub(crate) cached_from: Option<JobId>,
}

impl Made {
    /// What a job has made that has ended.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        Some(Self {
            artefact: job.artefact.clone()?,
            spec: job.spec.clone(),
            cached_from: job.cached_from.or(Some(job.id)),
        })
    }
}

impl From<Artefact> for Made {
    fn from(artefact: Artefact) -> Self {
        Self { artefact, spec: None, cached_from: None }
    }
}

/// Whose jobs they are, and how many of that one's may wait.
#[derive(Clone, Debug)]
pub(crate) struct TenantTerms {
    pub(crate) name: String,
    pub(crate) most_waiting: usize,
}

/// Which jobs are listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// Of this tenant alone.
    pub(crate) tenant: Option<String>,
    /// Of this batch alone, the oldest first.
    pub(crate) batch: Option<BatchId>,
    /// Those alone that have not ended.
    pub(crate) live: bool,
    pub(crate) limit: usize,
}

/// Jobs that are taken on together, or not at all.
#[derive(Clone, Debug)]
pub(crate) struct NewBatch {
    /// What is asked for, and what an earlier job has made of it, if one has.
    pub(crate) requests: Vec<(JobRequest, Option<Made>)>,
    /// The same for the same request, for its key.
    pub(crate) hash: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SubmittedBatch {
    Taken(BatchId),
    Known(BatchId),
    KeyOfAnother(JobId),
    Full,
    TenantFull,
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
    /// As many of the tenant's jobs wait as may.
    TenantFull,
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
    /// It may be there again in a moment: what was asked for may have been done or not.
    #[cfg_attr(
        not(feature = "nats"),
        expect(dead_code, reason = "the embedded engine is always there")
    )]
    #[error("the engine does not answer: {cause}")]
    Away { cause: String },
}

pub(crate) type Answer<T> = Result<T, EngineError>;

/// A job that was started for a worker: the two are its attempt's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claim {
    pub(crate) job: Job,
    pub(crate) worker: WorkerId,
}

/// What there was for workers that had nothing to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claims {
    pub(crate) taken: Vec<Claim>,
    /// Workers that have done another tenant's jobs: fresh ones are to take their places.
    pub(crate) make_room: Vec<WorkerId>,
    /// When there may be more even if nothing happens: what others have not taken until then.
    pub(crate) look_again: Option<Instant>,
}

/// What is to become of an attempt that a node is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// Its job was cancelled.
    Cancel,
    /// It is another's now, or over.
    Lost,
}

/// Keeps jobs, and says what happens to them.
///
/// What a method has answered survives a crash, a claim apart; what it tells is told in one order. A method
/// that has not answered in time fails with [`EngineError::Away`], and may be asked again: all of them
/// come to the same if they are done twice.
pub(crate) trait Engine: Send + Sync + 'static {
    fn submit(
        &self,
        request: JobRequest,
        terms: Terms,
    ) -> impl Future<Output = Answer<Submitted>> + Send;

    /// Takes on all of the jobs, or none.
    fn submit_batch(
        &self,
        batch: NewBatch,
        terms: Terms,
    ) -> impl Future<Output = Answer<SubmittedBatch>> + Send;

    /// Starts the next attempts of jobs that wait, one for each worker at most.
    ///
    /// With one node, this may be undone by a crash: the worker does not outlive that either, and the job
    /// waits still.
    fn claim(&self, idle: Vec<IdleWorker>) -> impl Future<Output = Answer<Claims>> + Send;

    /// Notes how far an attempt is. Nobody waits for that.
    fn progress(&self, attempt: Attempt, progress: f64, message: String);

    fn finish(&self, attempt: Attempt, made: Made) -> impl Future<Output = Answer<Report>> + Send;

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

    /// Says that a node is there, which renews the lease on its claims, and what it is at; answers
    /// for each attempt, in their order.
    fn beat(
        &self,
        node: NodeDescription,
        held: Vec<Attempt>,
        now: Instant,
    ) -> impl Future<Output = Answer<Vec<Verdict>>> + Send;

    /// Gives back the jobs of nodes that were not heard of for the length of a lease; how many.
    fn expire(
        &self,
        now: Instant,
        patience: Patience,
    ) -> impl Future<Output = Answer<usize>> + Send;

    /// Puts every job that runs on a node back into the queue: when it starts, and when it has stopped,
    /// none can be running.
    fn take_back(&self, node: NodeId, problem: Problem) -> impl Future<Output = Answer<()>> + Send;

    /// The other nodes that are there.
    fn neighbours(&self) -> Vec<NodeDescription>;

    /// Makes an artefact, which is in a file of this node, one that other nodes can fetch.
    fn put_blob(
        &self,
        artefact: Artefact,
        file: PathBuf,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Writes an artefact of another node into a file that is not there yet, and has checked its hash;
    /// whether there is such an artefact.
    fn get_blob(
        &self,
        artefact: Artefact,
        file: PathBuf,
    ) -> impl Future<Output = Answer<bool>> + Send;

    /// Whether artefacts are kept there, so that the node's own files only stand for them.
    fn keeps_artefacts(&self) -> bool;

    /// Forgets jobs that ended before a time, and their events. Returns their artefacts' hashes that
    /// no other job has.
    fn forget_before(&self, time: Timestamp) -> impl Future<Output = Answer<Vec<String>>> + Send;

    fn job(&self, id: JobId) -> impl Future<Output = Answer<Option<Job>>> + Send;

    /// A finished job of this spec, if there is one: the last.
    fn finished_as(&self, spec: String) -> impl Future<Output = Answer<Option<Job>>> + Send;

    /// The newest jobs, newest first; those of a batch the other way round.
    fn jobs(&self, listing: Listing) -> impl Future<Output = Answer<Vec<Job>>> + Send;

    fn batch(&self, id: BatchId) -> impl Future<Output = Answer<Option<Batch>>> + Send;

    /// The newest batches, newest first; of a tenant, if one is named.
    fn batches(
        &self,
        tenant: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Answer<Vec<Batch>>> + Send;

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
