//! What one client wants to hear of, and how often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aiobpy_wire::EventRecord;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::Encoding;
use super::encoding::topic_of;
use crate::error::Failure;
use crate::events::{Interest, Start};
use crate::shared::Shared;

/// Topics that one client may follow.
const MOST: usize = 64;
const FASTEST: f64 = 1000.0;
const SLOWEST: f64 = 0.001;

/// The topics that a client follows.
pub(super) struct Subscriptions {
    shared: Shared,
    encoding: Encoding,
    outgoing: mpsc::Sender<Message>,
    followed: Mutex<BTreeMap<String, CancellationToken>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// As in `my_addon`, which stands for all that begin with `my_addon.`.
    topic: String,
    /// How many messages a second there may be at most.
    rate_hz: Option<f64>,
    /// Whether only the newest of each topic is sent when there are more than are taken. With a
    /// rate, that is meant if nothing is said.
    coalesce: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoWish {
    topic: String,
}

impl Subscriptions {
    pub(super) fn new(
        shared: Shared,
        encoding: Encoding,
        outgoing: mpsc::Sender<Message>,
    ) -> Arc<Self> {
        Arc::new(Self { shared, encoding, outgoing, followed: Mutex::default() })
    }

    /// Follows a topic, otherwise than before if it was followed already.
    pub(super) fn subscribe(&self, params: &str) -> Result<(), Failure> {
        let Wish { topic, rate_hz, coalesce } = read(params)?;
        let interval = match rate_hz {
            None => None,
            Some(rate) if (SLOWEST..=FASTEST).contains(&rate) => {
                Some(Duration::from_secs_f64(1.0 / rate))
            }
            Some(_) => {
                return Err(wrong("/rate_hz", &format!("is not from {SLOWEST} to {FASTEST}")));
            }
        };
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.len() >= MOST && !followed.contains_key(&topic) {
            return Err(wrong("/topic", &format!("{MOST} topics are followed already")));
        }
        let end = self.shared.stopping.child_token();
        if let Some(before) = followed.insert(topic.clone(), end.clone()) {
            before.cancel();
        }
        let topics = if topic.is_empty() { Vec::new() } else { vec![topic] };
        // Watched from now on, so that nothing is missed once the answer is there.
        let records = self.shared.events.watch(
            Start::Now,
            Interest { topics, ..Interest::default() },
            end.clone(),
        );
        let following = Following {
            shared: self.shared.clone(),
            encoding: self.encoding,
            outgoing: self.outgoing.clone(),
            interval,
            end,
        };
        let coalesce = coalesce.unwrap_or(interval.is_some());
        self.shared.tasks.spawn(async move {
            if coalesce {
                Box::pin(following.newest(records)).await;
            } else {
                Box::pin(following.all(records)).await;
            }
        });
        Ok(())
    }

    pub(super) fn unsubscribe(&self, params: &str) -> Result<(), Failure> {
        let NoWish { topic } = read(params)?;
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let end = followed.remove(&topic);
        end.ok_or_else(|| wrong("/topic", "is not followed"))?.cancel();
        Ok(())
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        let followed = self.followed.get_mut().unwrap_or_else(PoisonError::into_inner);
        followed.values().for_each(CancellationToken::cancel);
    }
}

/// One topic that is followed.
struct Following {
    shared: Shared,
    encoding: Encoding,
    outgoing: mpsc::Sender<Message>,
    interval: Option<Duration>,
    end: CancellationToken,
}

impl Following {
    /// Sends every event. A client that is slow reads on from the log, as far back as that goes.
    async fn all(self, records: impl Stream<Item = EventRecord>) {
        let mut records = std::pin::pin!(records);
        while let Some(record) = self.next(&mut records).await {
            if self.outgoing.send(self.message(&record)).await.is_err() {
                return;
            }
            if let Some(interval) = self.interval {
                tokio::time::sleep(interval).await;
            }
        }
    }

    /// Sends the newest event of each topic, when there is room and it is time.
    async fn newest(self, records: impl Stream<Item = EventRecord>) {
        let mut records = std::pin::pin!(records);
        let mut newest: Vec<EventRecord> = Vec::new();
        let mut due = Instant::now();
        loop {
            tokio::select! {
                record = self.next(&mut records) => {
                    let Some(record) = record else { return };
                    let is_same = |kept: &EventRecord| {
                        topic_of(&kept.event) == topic_of(&record.event)
                    };
                    match newest.iter().position(is_same) {
                        Some(place) => newest[place] = record,
                        None => newest.push(record),
                    }
                }
                permit = async {
                    sleep_until(due).await;
                    self.outgoing.reserve().await
                }, if !newest.is_empty() => {
                    let Ok(permit) = permit else { return };
                    permit.send(self.message(&newest.remove(0)));
                    due = Instant::now() + self.interval.unwrap_or_default();
                }
            }
        }
    }

    /// `None` at the end, also at the client's.
    async fn next(
        &self,
        records: &mut (impl Stream<Item = EventRecord> + Unpin),
    ) -> Option<EventRecord> {
        tokio::select! {
            biased;
            () = self.end.cancelled() => None,
            () = self.outgoing.closed() => None,
            record = records.next() => record,
        }
    }

    fn message(&self, record: &EventRecord) -> Message {
        self.shared.encoded.message(record, self.encoding)
    }
}

fn read<'params, T: Deserialize<'params>>(params: &'params str) -> Result<T, Failure> {
    serde_json::from_str(params).map_err(|error| wrong("", &error.to_string()))
}

fn wrong(pointer: &str, detail: &str) -> Failure {
    Failure::WrongShape { pointer: pointer.to_owned(), detail: detail.to_owned() }
}
