//! Follows the stream: what any node writes is known to all of them, in one order.
//!
//! A stream that ends, or fails, is read again from where it was left: none of that is an error.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use tokio::sync::watch;
use tokio::time::{interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::engine::{Answer, EngineError};
use crate::nats::Shared;
use crate::nats::changes::READ_LIMIT;
use crate::nats::connection;
use crate::nats::entry::Entry;
use crate::nats::events::away;

const PAUSE: Duration = Duration::from_millis(250);
/// Between two looks whether there is more than comes.
const LOOK_EVERY: Duration = Duration::from_secs(3);

impl Shared {
    /// Follows the stream until the engine stops.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut connections: watch::Receiver<u64>,
        stopping: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                followed = self.follow_until_it_ends(&mut connections) => {
                    if let Err(error) = followed {
                        tracing::warn!(%error, "lost sight of the stream; looking for it again");
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Reads what every job is at this moment.
    pub(super) async fn load(&self) -> Answer<()> {
        let info = connection::stream_info(self).await?;
        let mut reading = self.read(DeliverPolicy::LastPerSubject, vec![self.names.jobs()]).await?;
        while reading.pending > 0 {
            let Some((sequence, entry)) = reading.next().await? else { break };
            self.note(sequence, entry);
        }
        self.end(reading).await;
        let mut replica = self.replica();
        replica.come_to(info.state.last_sequence);
        replica.stream_made = Some(info.created);
        Ok(())
    }

    async fn follow_until_it_ends(&self, connections: &mut watch::Receiver<u64>) -> Answer<()> {
        connections.mark_unchanged();
        let seen = self.replica().seen;
        let info = match connection::stream_info(self).await {
            Ok(info) => info,
            Err(_) => connection::make_stream(self, seen).await?,
        };
        let is_another = self.replica().stream_made != Some(info.created);
        if info.state.last_sequence < seen || is_another {
            tracing::error!(
                "the NATS servers have lost messages that they had acknowledged; \
                 jobs that are missing are submitted again from this node's journal"
            );
            self.replica().clear();
            self.load().await?;
        }
        let start_sequence = self.replica().seen + 1;
        let from = DeliverPolicy::ByStartSequence { start_sequence };
        let opening = timeout(READ_LIMIT, self.read(from, self.names.told()));
        let late = |_| away(&"no answer in time".into());
        let mut reading = opening.await.map_err(late)??;
        if reading.pending == 0 {
            // What is not read, the names of requests, has numbers too.
            self.replica().come_to(info.state.last_sequence);
        }
        self.janitor.notify_one();
        let mut looking = interval_at(clock::instant() + LOOK_EVERY, LOOK_EVERY);
        let mut missed = None;
        loop {
            tokio::select! {
                _ = looking.tick() => missed = self.look_whether_it_goes_on(missed).await?,
                message = reading.next() => match message? {
                    Some((sequence, entry)) => self.come_to(sequence, entry),
                    None => return Ok(()),
                },
                // What was asked of the servers before may never be answered.
                changed = connections.changed() => return changed.map_err(|e| away(&e.into())),
            }
        }
    }

    /// Fails if the stream is gone, has gone back or has more than has come, twice in a row.
    async fn look_whether_it_goes_on(&self, missed: Option<u64>) -> Answer<Option<u64>> {
        let seen = self.replica().seen;
        let last = connection::stream_info(self).await?.state.last_sequence;
        if last < seen || missed == Some(seen) {
            return Err(EngineError::Away { cause: "the stream does not go on".into() });
        }
        Ok((last > seen).then_some(seen))
    }

    fn come_to(&self, sequence: u64, entry: Entry) {
        self.note(sequence, entry.clone());
        self.replica().come_to(sequence);
        if let Some(record) = entry.record(sequence) {
            // Nobody listening is no error.
            let _ = self.events.send(record);
        }
    }
}

/// Notes each time that the servers are there again.
pub(super) async fn note_connections(
    shared: Arc<Shared>,
    mut connections: watch::Receiver<u64>,
    stopping: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            changed = connections.changed() => {
                if changed.is_err() {
                    return;
                }
                shared.presence().listen_from(clock::instant());
            }
        }
    }
}
