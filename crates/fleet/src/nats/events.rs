//! What happened, read again from the stream.

use std::time::Duration;

use aiobpy_wire::{EventRecord, JobId};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::engine::{Answer, EngineError};
use crate::nats::Shared;
use crate::nats::changes::{READ_LIMIT, from_json};
use crate::nats::entry::Entry;

/// How long a server keeps a question for messages that are not there yet; half of that is when it is missed.
const PULL_LIMIT: Duration = Duration::from_secs(4);

/// Messages of the stream in their order.
pub(super) struct Reading {
    pub(super) messages: Ordered,
    /// So many there were when the reading began.
    pub(super) pending: u64,
    name: String,
}

impl Shared {
    pub(super) async fn read_events(
        &self,
        sequence: u64,
        job: Option<JobId>,
        limit: usize,
    ) -> Answer<Vec<EventRecord>> {
        let subjects = job.map_or_else(|| self.names.told(), |id| vec![self.names.job(id)]);
        let from = DeliverPolicy::ByStartSequence { start_sequence: sequence + 1 };
        let reading = async {
            let mut reading = self.read(from, subjects).await?;
            let mut records = Vec::new();
            while reading.pending > 0 && records.len() < limit {
                let Some((sequence, entry)) = reading.next().await? else { break };
                records.extend(entry.record(sequence));
            }
            self.end(reading).await;
            Ok(records)
        };
        let late = |_| EngineError::Away { cause: "no answer in time".into() };
        timeout(READ_LIMIT, reading).await.map_err(late)?
    }

    /// Begins to read the stream.
    pub(super) async fn read(
        &self,
        from: DeliverPolicy,
        filter_subjects: Vec<String>,
    ) -> Answer<Reading> {
        let opening = async {
            let stream = self.context.get_stream_no_info(self.names.stream()).await?;
            let consumer = stream
                .create_consumer(OrderedConfig {
                    deliver_policy: from,
                    filter_subjects,
                    max_expires: PULL_LIMIT,
                    ..OrderedConfig::default()
                })
                .await?;
            let info = consumer.cached_info();
            let (name, pending) = (info.name.clone(), info.num_pending);
            Ok(Reading { messages: consumer.messages().await?, pending, name })
        };
        opening.await.map_err(|error: async_nats::Error| away(&error))
    }

    /// The server forgets the reader at once, and not when it is missed.
    pub(super) async fn end(&self, reading: Reading) {
        drop(reading.messages);
        let stream = self.context.get_stream_no_info(self.names.stream()).await;
        if let Ok(stream) = stream
            && let Err(error) = stream.delete_consumer(&reading.name).await
        {
            tracing::debug!(%error, "could not delete a consumer");
        }
    }
}

impl Reading {
    /// The next message and its number; `None` at the end.
    pub(super) async fn next(&mut self) -> Answer<Option<(u64, Entry)>> {
        let Some(message) = self.messages.next().await else { return Ok(None) };
        let message = message.map_err(|error| away(&error.into()))?;
        let info = message.info().map_err(|error| away(&error))?;
        self.pending = info.pending;
        let entry = from_json(&message.payload).unwrap_or_else(|error: EngineError| {
            tracing::error!(%error, sequence = info.stream_sequence, "skipped a message");
            Entry::nothing()
        });
        Ok(Some((info.stream_sequence, entry)))
    }
}

pub(super) fn away(error: &async_nats::Error) -> EngineError {
    EngineError::Away { cause: error.to_string() }
}
