//! From the engine's events to what webhooks are told.

use std::collections::HashMap;

use aiobpy_wire::{Event, EventRecord, Job, JobId, Webhook, WebhookEvent};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Delivery, Outbox, OutboxError, Taken};
use crate::fleet::Fleet;

/// Events that are read in one go.
const PAGE: usize = 256;
/// How far the events were read is noted after so many that came to nothing.
const SELDOM: u64 = 1000;

impl Outbox {
    /// Takes what happens in the fleet from where it was left, until `stopping` is cancelled.
    ///
    /// # Errors
    /// The outbox cannot be read or written.
    pub async fn fill(
        &self,
        fleet: &Fleet,
        stopping: CancellationToken,
    ) -> Result<(), OutboxError> {
        let (mut sequence, mut watched) = self.read_to().await?;
        // Subscribed before the past is read, so that nothing falls in between.
        let mut live = fleet.subscribe();
        let (mut is_behind, mut kept) = (true, sequence);
        loop {
            let records = if is_behind {
                fleet.events_since(sequence, None, PAGE).await
            } else {
                tokio::select! {
                    () = stopping.cancelled() => return Ok(()),
                    heard = live.recv() => match heard {
                        Ok(record) if record.sequence <= sequence => continue,
                        Ok(record) if record.sequence == sequence + 1 => vec![record],
                        Ok(_) | Err(RecvError::Lagged(_)) => {
                            is_behind = true;
                            continue;
                        }
                        Err(RecvError::Closed) => return Ok(()),
                    },
                }
            };
            let Some(last) = records.last().map(|record| record.sequence) else {
                is_behind = false;
                continue;
            };
            let mut taken = Taken::default();
            for record in &records {
                notice(fleet, record, &mut watched, &mut taken).await;
            }
            // What came to nothing may be read again after a crash, as long as it is not much.
            if !taken.is_nothing() || last - kept >= SELDOM {
                self.take(taken, last).await?;
                kept = last;
            }
            sequence = last;
        }
    }
}

impl Taken {
    fn is_nothing(&self) -> bool {
        self.deliveries.is_empty() && self.watched.is_empty() && self.done_with.is_empty()
    }
}

async fn notice(
    fleet: &Fleet,
    record: &EventRecord,
    watched: &mut HashMap<JobId, Webhook>,
    taken: &mut Taken,
) {
    if let Event::JobQueued { job } = &record.event
        && let Some(webhook) = &job.request.webhook
    {
        watched.insert(job.id, webhook.clone());
        taken.watched.push((job.id, webhook.clone()));
    }
    let Some(id) = record.event.job_id() else { return };
    let webhook = match (watched.get(&id).cloned(), &record.event) {
        // Its story begins with its end.
        (None, Event::JobFinished { attempt: 0, .. }) => {
            fleet.job(id).await.and_then(|job| job.request.webhook)
        }
        (webhook, _) => webhook,
    };
    let Some(webhook) = webhook else { return };
    let has_ended = record.event.is_final();
    let event = WebhookEvent::of_name(record.event.name()).filter(|event| webhook.wants(*event));
    if event.is_none() && !has_ended {
        return;
    }
    if let Some(job) = fleet.job(id).await {
        if let Some(event) = event {
            let id = format!("{}.{}", id, record.sequence);
            taken.deliveries.push(delivery(id, &webhook, event, record.at, &job, &job));
        }
        if has_ended && webhook.wants(WebhookEvent::BatchEnded) {
            taken.deliveries.extend(end_of_batch(fleet, &job, &webhook, record.at).await);
        }
    }
    if has_ended {
        watched.remove(&id);
        taken.done_with.push(id);
    }
}

/// `None` while something of its batch has not ended. Whoever ends last may be two at once: the id is
/// the same.
async fn end_of_batch(
    fleet: &Fleet,
    job: &Job,
    webhook: &Webhook,
    at: Timestamp,
) -> Option<Delivery> {
    let batch = fleet.batch(job.batch?).await.filter(|batch| batch.state.is_final())?;
    let id = format!("{}.ended", batch.id);
    Some(delivery(id, webhook, WebhookEvent::BatchEnded, at, job, &batch))
}

fn delivery(
    id: String,
    webhook: &Webhook,
    event: WebhookEvent,
    at: Timestamp,
    job: &Job,
    data: &impl Serialize,
) -> Delivery {
    #[derive(Serialize)]
    struct Body<'a, T> {
        r#type: &'static str,
        timestamp: Timestamp,
        data: &'a T,
    }
    let body = Body { r#type: event.name(), timestamp: at, data };
    Delivery {
        id,
        url: webhook.url.clone(),
        tenant: job.tenant.clone(),
        body: serde_json::to_string(&body).unwrap_or_default(),
        traceparent: job.traceparent.clone(),
        attempts: 0,
    }
}
