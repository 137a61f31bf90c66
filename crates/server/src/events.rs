//! What happened, in order, for those who watch: every event has a number, and who comes back with
//! the last number that he has seen misses nothing that is still kept.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aiobpy_fleet::Fleet;
use aiobpy_wire::{Event, EventRecord, JobId};
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// The events that a server can tell of.
#[derive(Clone)]
pub(crate) enum EventLog {
    Memory(Arc<MemoryLog>),
    /// The fleet keeps its own, on disk.
    Fleet(Fleet),
}

/// Which events somebody wants to see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    pub(crate) job: Option<JobId>,
    /// Of these alone.
    pub(crate) jobs: Option<HashSet<JobId>>,
    /// Of this tenant's jobs alone.
    pub(crate) tenant: Option<String>,
    /// Names of events or of messages' topics, or the parts of them before a dot; empty for all.
    pub(crate) topics: Vec<String>,
}

/// Where a watcher begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Now,
    After(u64),
}

impl EventLog {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Arc::new(MemoryLog::new()))
    }

    pub(crate) fn publish(&self, topic: String, data: Value) {
        match self {
            Self::Memory(log) => log.publish(Event::Message { topic, data }),
            Self::Fleet(_) => tracing::warn!(topic, "a fleet's log holds only the fleet's events"),
        }
    }

    /// The events from `start` on, until `stopping` is cancelled.
    pub(crate) fn watch(
        &self,
        start: Start,
        interest: Interest,
        stopping: CancellationToken,
    ) -> impl Stream<Item = EventRecord> + use<> {
        // Subscribed before the past is read, so that nothing falls in between.
        let (live, previews) = (self.subscribe(), self.previews(interest.job));
        let (seen, is_behind) = match start {
            Start::Now => (self.newest(), false),
            Start::After(sequence) => (Some(sequence), true),
        };
        let log = self.clone();
        let (past, known) = (VecDeque::new(), HashMap::new());
        let watch = Watch { log, live, previews, seen, is_behind, past, known };
        stream::unfold((watch, interest, stopping), |(mut watch, interest, stopping)| async {
            let next = tokio::select! {
                // What has happened by then is still told.
                biased;
                next = watch.next(&interest) => next,
                () = stopping.cancelled() => None,
            };
            next.map(|record| (record, (watch, interest, stopping)))
        })
    }

    fn subscribe(&self) -> broadcast::Receiver<EventRecord> {
        match self {
            Self::Memory(log) => log.sender.subscribe(),
            Self::Fleet(fleet) => fleet.subscribe(),
        }
    }

    /// What is told besides and kept nowhere, if anything is: first what was told last of the job.
    fn previews(&self, job: Option<JobId>) -> Previews {
        let Self::Fleet(fleet) = self else { return Previews::default() };
        let live = Some(fleet.subscribe_to_previews());
        Previews { live, first: job.and_then(|job| fleet.last_preview(job)), told: None }
    }

    /// The number of the newest event; `None` where it would have to be waited for.
    fn newest(&self) -> Option<u64> {
        match self {
            Self::Memory(log) => Some(log.lock().last),
            Self::Fleet(_) => None,
        }
    }

    /// Whose job it is; `None` if it is nobody's in particular, or there is none.
    async fn tenant_of(&self, job: JobId) -> Option<String> {
        match self {
            Self::Memory(_) => None,
            Self::Fleet(fleet) => fleet.job(job).await?.tenant,
        }
    }

    /// The oldest `limit` events after `sequence`.
    async fn since(&self, sequence: u64, job: Option<JobId>, limit: usize) -> Vec<EventRecord> {
        match self {
            Self::Memory(log) => log.since(sequence, limit),
            Self::Fleet(fleet) => fleet.events_since(sequence, job, limit).await,
        }
    }
}

impl Interest {
    fn covers(&self, event: &Event) -> bool {
        if self.job.is_some() && event.job_id() != self.job {
            return false;
        }
        if self
            .jobs
            .as_ref()
            .is_some_and(|jobs| event.job_id().is_none_or(|job| !jobs.contains(&job)))
        {
            return false;
        }
        self.topics.is_empty() || self.topics.iter().any(|topic| {
            is_or_is_under(event.name(), topic)
                || matches!(event, Event::Message { topic: of, .. } if is_or_is_under(of, topic))
        })
    }
}

/// The newest events, kept in memory.
pub(crate) struct MemoryLog {
    kept: Mutex<Kept>,
    sender: broadcast::Sender<EventRecord>,
}

struct Kept {
    records: VecDeque<EventRecord>,
    last: u64,
}

impl MemoryLog {
    /// So many events are kept.
    const KEPT: usize = 1024;

    fn new() -> Self {
        // Numbers begin at the microseconds since 1970, so that those of an earlier run lie below:
        // who comes back after a restart gets all that has happened since.
        let last = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let kept = Mutex::new(Kept { records: VecDeque::new(), last });
        Self { kept, sender: broadcast::Sender::new(Self::KEPT) }
    }

    fn publish(&self, event: Event) {
        let mut kept = self.lock();
        kept.last += 1;
        let record =
            EventRecord { sequence: kept.last, at: Timestamp::now(), traceparent: None, event };
        if kept.records.len() == Self::KEPT {
            kept.records.pop_front();
        }
        kept.records.push_back(record.clone());
        // Sent under the lock, so that watchers see the order of the numbers.
        let _nobody_watches = self.sender.send(record);
    }

    fn since(&self, sequence: u64, limit: usize) -> Vec<EventRecord> {
        let kept = self.lock();
        let first = kept.records.partition_point(|record| record.sequence <= sequence);
        kept.records.range(first..).take(limit).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic runs under the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One watcher: reads the past page by page until it has caught up, then listens.
struct Watch {
    log: EventLog,
    live: broadcast::Receiver<EventRecord>,
    previews: Previews,
    /// The number of the last event that was looked at; `None` while the past is of no interest.
    seen: Option<u64>,
    /// Whether the log may hold events that were not looked at.
    is_behind: bool,
    past: VecDeque<EventRecord>,
    /// Whether jobs are those of the tenant that is asked for, as long as they have not ended.
    known: HashMap<JobId, bool>,
}

impl Watch {
    const PAGE: usize = 256;

    async fn next(&mut self, interest: &Interest) -> Option<EventRecord> {
        loop {
            let record = self.next_of_all(interest.job).await?;
            if interest.covers(&record.event)
                && self.is_of_tenant(interest.tenant.as_deref(), &record.event).await
            {
                return Some(record);
            }
        }
    }

    async fn is_of_tenant(&mut self, tenant: Option<&str>, event: &Event) -> bool {
        let Some(tenant) = tenant else { return true };
        // What is of no job tells of all that the fleet does.
        let Some(id) = event.job_id() else { return false };
        let is_theirs = match (event, self.known.get(&id)) {
            (Event::JobQueued { job }, _) => job.tenant.as_deref() == Some(tenant),
            (_, Some(known)) => *known,
            (_, None) => Box::pin(self.log.tenant_of(id)).await.as_deref() == Some(tenant),
        };
        if event.is_final() {
            self.known.remove(&id);
        } else if event.is_kept() {
            self.known.insert(id, is_theirs);
        }
        is_theirs
    }

    async fn next_of_all(&mut self, job: Option<JobId>) -> Option<EventRecord> {
        loop {
            if let Some(record) = self.past.pop_front() {
                self.seen = Some(record.sequence);
                return Some(record);
            }
            if let Some(seen) = self.seen
                && self.is_behind
            {
                self.past = self.log.since(seen, job, Self::PAGE).await.into();
                self.is_behind = !self.past.is_empty();
                continue;
            }
            let told = tokio::select! {
                biased;
                told = self.live.recv() => told,
                event = self.previews.next() => {
                    let sequence = self.seen.unwrap_or_default();
                    return Some(EventRecord { sequence, at: Timestamp::now(), traceparent: None, event });
                }
            };
            match told {
                Ok(record) if self.seen.is_none_or(|seen| record.sequence > seen) => {
                    self.seen = Some(record.sequence);
                    return Some(record);
                }
                Ok(_seen_before) => {}
                // Too slow to follow: read on from the log.
                Err(broadcast::error::RecvError::Lagged(_)) => self.is_behind = true,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// What is told of pictures and kept nowhere.
#[derive(Default)]
struct Previews {
    live: Option<broadcast::Receiver<Event>>,
    /// What was told before.
    first: Option<Event>,
    /// What was told of `first`, which may be told once more.
    told: Option<Event>,
}

impl Previews {
    /// What is told next, if anything ever is; what was missed was not the newest.
    async fn next(&mut self) -> Event {
        if let Some(first) = self.first.take() {
            self.told = Some(first.clone());
            return first;
        }
        let Some(live) = &mut self.live else { return std::future::pending().await };
        loop {
            match live.recv().await {
                Ok(event) if self.told.as_ref() == Some(&event) => {}
                Ok(event) => return event,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

fn is_or_is_under(name: &str, topic: &str) -> bool {
    name.strip_prefix(topic).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use serde_json::json;

    use super::*;

    fn log_of(topics: &[&str]) -> EventLog {
        let log = EventLog::in_memory();
        for topic in topics {
            log.publish((*topic).to_owned(), json!(null));
        }
        log
    }

    fn interest_in(topics: &[&str]) -> Interest {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Interest { topics, ..Interest::default() }
    }

    fn topic_of(record: &EventRecord) -> &str {
        match &record.event {
            Event::Message { topic, .. } => topic,
            other => other.name(),
        }
    }

    async fn topics_seen(
        log: &EventLog,
        start: Start,
        interest: Interest,
        count: usize,
    ) -> Vec<String> {
        let stream = log.watch(start, interest, CancellationToken::new());
        stream.take(count).map(|record| topic_of(&record).to_owned()).collect().await
    }

    #[tokio::test]
    async fn who_comes_back_sees_what_came_after_the_last_he_saw() {
        let log = log_of(&["one", "two", "three"]);
        let all = log.since(0, None, 10).await;
        let seen = topics_seen(&log, Start::After(all[0].sequence), Interest::default(), 2).await;
        assert_eq!(seen, ["two", "three"]);
    }

    #[tokio::test]
    async fn who_starts_now_sees_nothing_of_the_past() {
        let log = log_of(&["past"]);
        let stream = log.watch(Start::Now, Interest::default(), CancellationToken::new());
        log.publish("present".to_owned(), json!(1));
        let mut stream = std::pin::pin!(stream);
        assert_eq!(topic_of(&stream.next().await.unwrap()), "present");
    }

    #[tokio::test]
    async fn past_and_present_join_without_a_gap_or_a_repeat() {
        let log = log_of(&["one"]);
        let stream = log.watch(Start::After(0), Interest::default(), CancellationToken::new());
        log.publish("two".to_owned(), json!(null));
        let mut stream = std::pin::pin!(stream);
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.push(topic_of(&stream.next().await.unwrap()).to_owned());
        }
        log.publish("three".to_owned(), json!(null));
        seen.push(topic_of(&stream.next().await.unwrap()).to_owned());
        assert_eq!(seen, ["one", "two", "three"]);
    }

    #[tokio::test]
    async fn who_is_too_slow_reads_on_from_the_log() {
        let log = log_of(&[]);
        let stream = log.watch(Start::Now, Interest::default(), CancellationToken::new());
        let first = log.since(0, None, 1).await;
        assert!(first.is_empty());
        for _ in 0..MemoryLog::KEPT + 10 {
            log.publish("burst".to_owned(), json!(null));
        }
        let mut sequences = Vec::new();
        let mut stream = std::pin::pin!(stream);
        for _ in 0..MemoryLog::KEPT {
            sequences.push(stream.next().await.unwrap().sequence);
        }
        assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "in order, no repeat");
    }

    #[tokio::test]
    async fn a_stream_ends_when_the_server_stops() {
        let log = log_of(&[]);
        let stopping = CancellationToken::new();
        let stream = log.watch(Start::Now, Interest::default(), stopping.clone());
        stopping.cancel();
        assert_eq!(stream.count().await, 0);
    }

    #[tokio::test]
    async fn what_has_happened_before_the_stop_is_still_told() {
        let log = log_of(&[]);
        let stopping = CancellationToken::new();
        let stream = log.watch(Start::Now, Interest::default(), stopping.clone());
        for _ in 0..10 {
            log.publish("last".to_owned(), json!(null));
        }
        stopping.cancel();
        assert_eq!(stream.count().await, 10);
    }

    #[tokio::test]
    async fn numbers_of_a_later_run_lie_above_those_of_an_earlier_one() {
        let earlier = log_of(&["one"]).since(0, None, 1).await[0].sequence;
        let later = log_of(&["one"]).since(earlier, None, 10).await;
        assert_eq!(later.len(), 1);
    }

    #[tokio::test]
    async fn topics_choose_by_name_and_by_the_parts_before_a_dot() {
        let log = log_of(&["my_addon.saved", "my_addon_2.saved", "my_addon", "other"]);
        let seen = topics_seen(&log, Start::After(0), interest_in(&["my_addon"]), 2).await;
        assert_eq!(seen, ["my_addon.saved", "my_addon"]);
        let seen = topics_seen(&log, Start::After(0), interest_in(&["message"]), 4).await;
        assert_eq!(seen.len(), 4);
        let seen = topics_seen(&log, Start::After(0), interest_in(&["job", "other"]), 1).await;
        assert_eq!(seen, ["other"]);
    }
}
