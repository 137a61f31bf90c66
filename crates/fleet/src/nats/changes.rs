//! Writes that happen once or not at all.
//!
//! A change is made from the last message of its job, and published on condition that this is still the last: of
//! two nodes that change a job at the same time, one makes its change from what the other has made. That
//! is what fences a late result. A write that got no answer is published again on the same condition: it is
//! stored once at most, and its name tells whether it was.

use std::time::Duration;

use aiobpy_wire::{Job, JobId};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock;
use crate::engine::{Answer, EngineError};
use crate::nats::Shared;
use crate::nats::entry::Entry;
use crate::nats::replica::Kept;
use crate::rules::Changed;

/// How long a write may take: three servers have found a new leader by then.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(15);
/// How long a question may take.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// What a change came to.
#[derive(Debug)]
pub(super) enum Changing<T> {
    Done(Job, T),
    /// The rule does not allow it for the job as it is.
    Refused(Job),
    NoSuchJob,
}

/// Whether a write is in the stream, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Stored(u64),
    /// Something else was written before.
    Conflict,
}

/// A message of the stream, read.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) sequence: u64,
    pub(super) value: T,
}

impl Shared {
    /// Makes of a job what the rule makes of it.
    pub(super) async fn change<T>(
        &self,
        id: JobId,
        rule: impl Fn(Job) -> Option<(Changed, T)> + Send + Sync,
    ) -> Answer<Changing<T>> {
        let deadline = clock::instant() + WRITE_LIMIT;
        let mut known = self.replica().live(id).cloned();
        let mut is_fresh = false;
        loop {
            let Some(current) = known else {
                if is_fresh {
                    return Ok(Changing::NoSuchJob);
                }
                (known, is_fresh) = (self.fetch(id, deadline).await?, true);
                continue;
            };
            let Some((changed, outcome)) = rule(current.job.clone()) else {
                if is_fresh {
                    return Ok(Changing::Refused(current.job));
                }
                // What was seen may be old.
                (known, is_fresh) = (self.fetch(id, deadline).await?, true);
                continue;
            };
            let job = changed.job.clone();
            let entry = Entry::of(changed);
            match self.write_job(id, &entry, current.sequence, deadline).await? {
                Written::Stored(_) => return Ok(Changing::Done(job, outcome)),
                Written::Conflict => {
                    (known, is_fresh) = (self.fetch(id, deadline).await?, true);
                }
            }
        }
    }

    /// Writes what a job has become, if its last message is still the one with this number; 0 for none.
    pub(super) async fn write_job(
        &self,
        id: JobId,
        entry: &Entry,
        expected: u64,
        deadline: Instant,
    ) -> Answer<Written> {
        let written = self.write(self.names.job(id), entry, expected, deadline).await?;
        if let Written::Stored(sequence) = written {
            self.note(sequence, entry.clone());
            return Ok(written);
        }
        // It may be our own: stored, but its answer lost.
        match self.fetch(id, deadline).await? {
            Some(kept) if kept.write == entry.write => Ok(Written::Stored(kept.sequence)),
            _ => Ok(Written::Conflict),
        }
    }

    /// A conflict may be with this very write, if an answer to it was lost.
    pub(super) async fn write(
        &self,
        subject: String,
        value: &impl Serialize,
        expected: u64,
        deadline: Instant,
    ) -> Answer<Written> {
        let payload = Bytes::from(to_json(value)?);
        loop {
            let message = PublishMessage::build()
                .payload(payload.clone())
                .expected_last_subject_sequence(expected);
            let publishing =
                async { self.context.send_publish(subject.clone(), message).await?.await };
            let error = match publishing.await {
                Ok(ack) => return Ok(Written::Stored(ack.sequence)),
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    return Ok(Written::Conflict);
                }
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    return Err(EngineError::Storage { cause: error.to_string() });
                }
                Err(error) => error,
            };
            tracing::debug!(%error, subject, "a write got no answer");
            if clock::instant() + PAUSE >= deadline {
                return Err(EngineError::Away { cause: error.to_string() });
            }
            sleep(PAUSE).await;
        }
    }

    /// The job as the servers' leader has it.
    pub(super) async fn fetch(&self, id: JobId, deadline: Instant) -> Answer<Option<Kept>> {
        let found: Option<Found<Entry>> = self.read_last(self.names.job(id), deadline).await?;
        let Some(Found { sequence, value }) = found else { return Ok(None) };
        let Some(job) = value.job.clone() else { return Ok(None) };
        self.note(sequence, value.clone());
        Ok(Some(Kept { sequence, write: value.write, job, noted: clock::instant() }))
    }

    /// The last message of a subject.
    pub(super) async fn read_last<T: DeserializeOwned>(
        &self,
        subject: String,
        deadline: Instant,
    ) -> Answer<Option<Found<T>>> {
        loop {
            let reading = async {
                let stream = self.context.get_stream_no_info(self.names.stream()).await?;
                match stream.get_last_raw_message_by_subject(&subject).await {
                    Ok(message) => Ok(Some(message)),
                    Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                        Ok(None)
                    }
                    Err(error) => Err(async_nats::Error::from(error)),
                }
            };
            let cause = match timeout_at(deadline, reading).await {
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(message))) => {
                    let value = from_json(&message.payload)?;
                    return Ok(Some(Found { sequence: message.sequence, value }));
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            if clock::instant() + PAUSE >= deadline {
                return Err(EngineError::Away { cause });
            }
            sleep(PAUSE).await;
        }
    }

    /// Takes in what was written or read, ahead of the follower.
    pub(super) fn note(&self, sequence: u64, entry: Entry) {
        let Some(job) = entry.job else { return };
        let (write, noted) = (entry.write, clock::instant());
        if job.state.is_final() {
            self.journal.forget(job.id);
        }
        self.replica().note(Kept { sequence, write, job, noted });
    }
}

fn to_json(value: &impl Serialize) -> Answer<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| EngineError::Storage { cause: error.to_string() })
}

pub(super) fn from_json<T: DeserializeOwned>(payload: &[u8]) -> Answer<T> {
    serde_json::from_slice(payload).map_err(|error| EngineError::Storage {
        cause: format!("a message of the stream is not ours: {error}"),
    })
}
