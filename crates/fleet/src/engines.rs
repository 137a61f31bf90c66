//! The engine that a fleet has: its own, or that of several nodes.

use std::path::PathBuf;
use std::sync::Arc;

use aiobpy_wire::{
    Artefact, Batch, BatchId, Event, EventRecord, Job, JobId, JobRequest, NodeDescription, NodeId,
    Problem, WorkerId,
};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::config::{EngineChoice, FleetConfig};
use crate::engine::{
    Answer, Attempt, Blame, Cancelled, Claims, Engine, GivenBack, Listing, Made, NewBatch,
    Patience, Report, Submitted, SubmittedBatch, Terms, Verdict,
};
use crate::error::FleetError;
#[cfg(feature = "nats")]
use crate::nats::NatsEngine;
use crate::previews::{Preview, Previews};
use crate::queue::Queue;
use crate::scheduler::IdleWorker;

/// Each engine that there is.
pub(crate) enum AnyEngine {
    Embedded(Queue),
    #[cfg(feature = "nats")]
    Nats(Box<NatsEngine>),
}

/// Asks the engine that there is.
macro_rules! asked {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self {
            Self::Embedded(engine) => engine.$method($($argument),*).await,
            // Large, and nothing beside the way to the servers.
            #[cfg(feature = "nats")]
            Self::Nats(engine) => Box::pin(engine.$method($($argument),*)).await,
        }
    };
}

/// As `asked`, of what has an answer at once.
macro_rules! told {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self {
            Self::Embedded(engine) => engine.$method($($argument),*),
            #[cfg(feature = "nats")]
            Self::Nats(engine) => engine.$method($($argument),*),
        }
    };
}

impl AnyEngine {
    #[cfg_attr(
        not(feature = "nats"),
        expect(clippy::unused_async, reason = "the engine that waits is left out")
    )]
    pub(crate) async fn open(config: &FleetConfig) -> Result<Self, FleetError> {
        let opened = match &config.engine {
            EngineChoice::Embedded => {
                let path = config.data_dir.join("queue.db");
                Queue::open(&path, config.lease).map(Self::Embedded)
            }
            #[cfg(feature = "nats")]
            EngineChoice::Nats(nats) => {
                let journal = config.data_dir.join("journal.db");
                let opening = NatsEngine::open(nats, &journal, config.lease, config.keep_ended);
                opening.await.map(|engine| Self::Nats(Box::new(engine)))
            }
            #[cfg(not(feature = "nats"))]
            EngineChoice::Nats(_) => Err(FleetError::EngineLeftOut),
        }?;
        let quotas = config.tenants.iter();
        let quotas = quotas.filter_map(|it| Some((it.name.clone(), it.most_running?))).collect();
        match &opened {
            Self::Embedded(engine) => engine.limit(quotas),
            #[cfg(feature = "nats")]
            Self::Nats(engine) => engine.limit(quotas),
        }
        Ok(opened)
    }

    /// Has the other nodes know of this one's pictures, and this one of theirs.
    #[cfg_attr(
        not(feature = "nats"),
        expect(unused_variables, reason = "there are no other nodes")
    )]
    pub(crate) fn share_previews(&self, node: &NodeId, previews: &Arc<Previews>) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "nats")]
            Self::Nats(engine) => engine.share_previews(node, previews),
        }
    }

    /// The newest picture of a job that a worker of another node is at.
    #[cfg_attr(
        not(feature = "nats"),
        expect(clippy::unused_async, unused_variables, reason = "there are no other nodes")
    )]
    pub(crate) async fn preview_elsewhere(
        &self,
        worker: &WorkerId,
        job: JobId,
    ) -> Answer<Option<Preview>> {
        match self {
            Self::Embedded(_) => Ok(None),
            #[cfg(feature = "nats")]
            Self::Nats(engine) => engine.preview_elsewhere(worker, job).await,
        }
    }

    /// Nothing is asked of it any more.
    #[cfg_attr(
        not(feature = "nats"),
        expect(clippy::unused_async, reason = "the engine that waits is left out")
    )]
    pub(crate) async fn close(&self) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "nats")]
            Self::Nats(engine) => engine.close().await,
        }
    }
}

impl Engine for AnyEngine {
    async fn submit(&self, request: JobRequest, terms: Terms) -> Answer<Submitted> {
        asked!(self.submit(request, terms))
    }

    async fn submit_batch(&self, batch: NewBatch, terms: Terms) -> Answer<SubmittedBatch> {
        asked!(self.submit_batch(batch, terms))
    }

    async fn claim(&self, idle: Vec<IdleWorker>) -> Answer<Claims> {
        asked!(self.claim(idle))
    }

    fn progress(&self, attempt: Attempt, progress: f64, message: String) {
        told!(self.progress(attempt, progress, message));
    }

    async fn finish(&self, attempt: Attempt, made: Made) -> Answer<Report> {
        asked!(self.finish(attempt, made))
    }

    async fn fail(&self, attempt: Attempt, problem: Problem) -> Answer<Report> {
        asked!(self.fail(attempt, problem))
    }

    async fn give_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) -> Answer<GivenBack> {
        asked!(self.give_back(attempt, problem, blame, patience))
    }

    async fn cancel(&self, id: JobId) -> Answer<Cancelled> {
        asked!(self.cancel(id))
    }

    async fn beat(
        &self,
        node: NodeDescription,
        held: Vec<Attempt>,
        now: Instant,
    ) -> Answer<Vec<Verdict>> {
        asked!(self.beat(node, held, now))
    }

    async fn expire(&self, now: Instant, patience: Patience) -> Answer<usize> {
        asked!(self.expire(now, patience))
    }

    async fn take_back(&self, node: NodeId, problem: Problem) -> Answer<()> {
        asked!(self.take_back(node, problem))
    }

    fn neighbours(&self) -> Vec<NodeDescription> {
        told!(self.neighbours())
    }

    async fn put_blob(&self, artefact: Artefact, file: PathBuf) -> Answer<()> {
        asked!(self.put_blob(artefact, file))
    }

    async fn get_blob(&self, artefact: Artefact, file: PathBuf) -> Answer<bool> {
        asked!(self.get_blob(artefact, file))
    }

    fn keeps_artefacts(&self) -> bool {
        told!(self.keeps_artefacts())
    }

    async fn forget_before(&self, time: Timestamp) -> Answer<Vec<String>> {
        asked!(self.forget_before(time))
    }

    async fn job(&self, id: JobId) -> Answer<Option<Job>> {
        asked!(self.job(id))
    }

    async fn finished_as(&self, spec: String) -> Answer<Option<Job>> {
        asked!(self.finished_as(spec))
    }

    async fn jobs(&self, listing: Listing) -> Answer<Vec<Job>> {
        asked!(self.jobs(listing))
    }

    async fn batch(&self, id: BatchId) -> Answer<Option<Batch>> {
        asked!(self.batch(id))
    }

    async fn batches(&self, tenant: Option<String>, limit: usize) -> Answer<Vec<Batch>> {
        asked!(self.batches(tenant, limit))
    }

    async fn events_since(
        &self,
        sequence: u64,
        job: Option<JobId>,
        limit: usize,
    ) -> Answer<Vec<EventRecord>> {
        asked!(self.events_since(sequence, job, limit))
    }

    fn tell(&self, event: Event) {
        told!(self.tell(event));
    }

    fn subscribe(&self) -> broadcast::Receiver<EventRecord> {
        told!(self.subscribe())
    }
}
