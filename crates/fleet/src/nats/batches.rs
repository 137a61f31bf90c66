//! Batches: what several messages of the stream have in common.
//!
//! A stream takes one message at a time, so a batch is written job by job. Sent again with its key, one
//! that was broken off is completed; one for which there is no room after all is taken back. Only as many
//! jobs are known of it as can be listed.

use std::collections::BTreeMap;

use aiobpy_wire::{Batch, BatchId, Job, JobState};
use uuid::Uuid;

use crate::engine::{Answer, Engine, NewBatch, Submitted, SubmittedBatch, Terms};
use crate::nats::{NatsEngine, Shared};

impl Shared {
    /// Whether so many more jobs may wait.
    pub(super) fn has_room(&self, terms: &Terms, count: usize) -> bool {
        let replica = self.replica();
        if replica.line().waiting().len() + count > terms.most_waiting {
            return false;
        }
        let Some(tenant) = &terms.tenant else { return true };
        let waits = |job: &Job| {
            job.state == JobState::Queued && job.tenant.as_deref() == Some(tenant.name.as_str())
        };
        let waiting = replica.all_live().filter(|kept| waits(&kept.job)).count();
        waiting + count <= tenant.most_waiting
    }
}

impl NatsEngine {
    pub(super) async fn submit_all(&self, batch: NewBatch, terms: Terms) -> Answer<SubmittedBatch> {
        let NewBatch { requests, hash } = batch;
        // With a key, whether it is known is found out with the first of the jobs.
        let new = requests.iter().filter(|(_, made)| made.is_none()).count();
        if terms.key.is_none() && new > 0 && !self.shared.has_room(&terms, new) {
            return Ok(SubmittedBatch::Full);
        }
        let (mut id, mut is_known) = (BatchId::new(Uuid::now_v7()), false);
        let mut taken = Vec::new();
        for (number, (request, made)) in requests.into_iter().enumerate() {
            let key = terms.key.as_ref().map(|key| format!("{key}\n{hash}\n{number}"));
            let terms = Terms { key, batch: Some(id), made, ..terms.clone() };
            match self.submit(request, terms).await? {
                Submitted::Taken(job) if job.state.is_final() => {}
                Submitted::Taken(job) => taken.push(job.id),
                Submitted::Known(job) => {
                    is_known = true;
                    id = job.batch.unwrap_or(id);
                }
                Submitted::KeyOfAnother(job) => return Ok(SubmittedBatch::KeyOfAnother(job)),
                Submitted::Full | Submitted::TenantFull => {
                    for job in taken {
                        self.cancel(job).await?;
                    }
                    return Ok(SubmittedBatch::Full);
                }
            }
        }
        Ok(if is_known { SubmittedBatch::Known(id) } else { SubmittedBatch::Taken(id) })
    }
}

/// The batches of some jobs, newest first.
pub(super) fn of(jobs: &[Job]) -> Vec<Batch> {
    let mut batches: BTreeMap<BatchId, Batch> = BTreeMap::new();
    for job in jobs {
        let Some(id) = job.batch else { continue };
        let batch = batches.entry(id).or_insert_with(|| {
            Batch::new(id, job.tenant.clone(), job.request.template.clone(), job.created_at)
        });
        batch.created_at = batch.created_at.min(job.created_at);
        batch.add(job.state, 1, job.progress, job.ended_at);
    }
    batches.into_values().rev().collect()
}
