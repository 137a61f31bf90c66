//! The fleet as others see it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aiobpy_wire::{
    Artefact, EventRecord, Job, JobId, JobRequest, Problem, TemplateDescription, WorkerDescription,
};
use tokio::sync::broadcast;

use crate::{FleetConfig, FleetError};

/// Warm Blenders and the queue in front of them. A clone is another handle on the same fleet.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

struct Inner {
    events: broadcast::Sender<EventRecord>,
}

impl Fleet {
    /// Opens the queue, takes back the jobs that were running, and starts the workers without
    /// waiting for them.
    #[expect(clippy::unused_async, reason = "the body is on its way")]
    pub async fn start(_config: FleetConfig) -> Result<Self, FleetError> {
        Ok(Self { inner: Arc::new(Inner { events: broadcast::channel(1024).0 }) })
    }

    /// Stops the workers; the jobs that they were at go back to the queue.
    pub async fn stop(&self) {
        todo!()
    }

    /// Takes a job on. Once this returns, the job outlives a crash of anything but the disk.
    pub async fn submit(&self, _request: JobRequest) -> Result<Job, Problem> {
        todo!()
    }

    pub async fn job(&self, _id: JobId) -> Option<Job> {
        todo!()
    }

    /// The newest jobs, newest first.
    pub async fn jobs(&self, _limit: usize) -> Vec<Job> {
        todo!()
    }

    /// Cancels a job: 404 where there is none of that id, 409 where it has ended.
    pub async fn cancel(&self, _id: JobId) -> Result<Job, Problem> {
        todo!()
    }

    /// The job as soon as nothing more will happen to it, or as it is at the time-out.
    pub async fn wait(&self, _id: JobId, _timeout: Duration) -> Option<Job> {
        todo!()
    }

    /// Where the bytes of an artefact are.
    pub fn artefact_path(&self, _artefact: &Artefact) -> PathBuf {
        todo!()
    }

    pub fn workers(&self) -> Vec<WorkerDescription> {
        todo!()
    }

    /// The templates as the worker that got ready last has them; empty until one is ready.
    pub fn templates(&self) -> Vec<TemplateDescription> {
        todo!()
    }

    /// What happened after `sequence`, oldest first, at most `limit`; of one job, if one is named.
    pub async fn events_since(
        &self,
        _sequence: u64,
        _job: Option<JobId>,
        _limit: usize,
    ) -> Vec<EventRecord> {
        todo!()
    }

    /// What happens from now on. A reader that lags finds what it missed with
    /// [`Fleet::events_since`].
    pub fn subscribe(&self) -> broadcast::Receiver<EventRecord> {
        self.inner.events.subscribe()
    }
}
