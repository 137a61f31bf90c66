//! The jobs of a batch, taken together.

use aiobpy_wire::{Batch, BatchId, JobState};
use jiff::Timestamp;
use rusqlite::{Connection, Result, params};
use uuid::Uuid;

use crate::engine::{NewBatch, SubmittedBatch, Terms};
use crate::queue::ledger::{Ledger, Room};
use crate::queue::rows::{self, bounded, from_word, optional, parsed};

impl Ledger<'_> {
    /// Takes on all of the jobs, or none. The first of them keeps the key of the request.
    pub(super) fn submit_batch(
        &mut self,
        batch: NewBatch,
        terms: &Terms,
    ) -> Result<SubmittedBatch> {
        if let Some(key) = &terms.key
            && let Some((job, hash)) = rows::job_of_key(self.connection(), key)?
        {
            let batch_of_key = rows::job(self.connection(), job)?.and_then(|job| job.batch);
            return Ok(match batch_of_key {
                Some(id) if hash.as_deref() == Some(&batch.hash) => SubmittedBatch::Known(id),
                _ => SubmittedBatch::KeyOfAnother(job),
            });
        }
        let new = batch.requests.iter().filter(|(_, made)| made.is_none()).count();
        match if new == 0 { Room::Enough } else { self.room(terms, new)? } {
            Room::Enough => {}
            Room::None => return Ok(SubmittedBatch::Full),
            Room::NoneForTenant => return Ok(SubmittedBatch::TenantFull),
        }
        let id = BatchId::new(Uuid::now_v7());
        let mut terms = Terms { batch: Some(id), ..terms.clone() };
        let mut named = terms.key.clone().zip(Some(batch.hash));
        for (request, made) in batch.requests {
            terms.made = made;
            let named = named.take();
            let named = named.as_ref().map(|(key, hash)| (key.as_str(), hash.as_str()));
            self.take_on(request, &terms, named)?;
        }
        Ok(SubmittedBatch::Taken(id))
    }
}

pub(super) fn find(connection: &Connection, id: BatchId) -> Result<Option<Batch>> {
    let mut counting = connection.prepare_cached(
        "select state, count(*), sum(progress), max(ended_at), min(template), min(tenant), \
         min(created_at) from job where batch = ?1 group by state",
    )?;
    let mut rows = counting.query([id.to_string()])?;
    let mut found: Option<Batch> = None;
    while let Some(row) = rows.next()? {
        let state: JobState = from_word(row, 0)?;
        let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
        let ended_at: Option<Timestamp> = optional(row, 3, parsed)?;
        let created_at: Timestamp = parsed(row, 6)?;
        let batch = if let Some(batch) = &mut found {
            batch
        } else {
            let (template, tenant) = (row.get(4)?, row.get(5)?);
            found.insert(Batch::new(id, tenant, template, created_at))
        };
        batch.created_at = batch.created_at.min(created_at);
        batch.add(state, count, row.get(2)?, ended_at);
    }
    Ok(found)
}

/// The newest batches, newest first.
pub(super) fn newest(
    connection: &Connection,
    tenant: Option<&str>,
    limit: usize,
) -> Result<Vec<Batch>> {
    let ids: Result<Vec<BatchId>> = connection
        .prepare_cached(
            "select distinct batch from job where batch is not null \
             and (?1 is null or tenant = ?1) order by batch desc limit ?2",
        )?
        .query_map(params![tenant, bounded(limit)], |row| parsed(row, 0))?
        .collect();
    ids?.into_iter().filter_map(|id| find(connection, id).transpose()).collect()
}
