//! Events of a site, for any number of clients: each is encoded once, and the newest are kept for
//! those who come back.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Bytes of events that are kept, beside their number.
const KEPT_BYTES: usize = 4 << 20;
/// Begins each stream: how soon a client whose stream was cut should come back, in milliseconds.
const OPENING: Bytes = Bytes::from_static(b"retry: 1000\n\n");
/// Keeps a silent stream open.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// A stream of events, whether anybody listens or not.
pub struct Feed {
    most: usize,
    kept: Mutex<Kept>,
    live: broadcast::Sender<Record>,
    /// Cancelled to end the streams that there are.
    listeners: Mutex<CancellationToken>,
}

#[derive(Clone)]
struct Record {
    sequence: u64,
    /// As it is sent.
    text: Bytes,
}

struct Kept {
    records: VecDeque<Record>,
    bytes: usize,
    last: u64,
}

impl Feed {
    /// Keeps `most` events for those who come back.
    pub fn new(most: usize) -> Self {
        // Numbers of a later run lie above those of an earlier one.
        let last = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let kept = Mutex::new(Kept { records: VecDeque::new(), bytes: 0, last });
        let live = broadcast::Sender::new(most.clamp(16, 1024));
        Self { most, kept, live, listeners: Mutex::default() }
    }

    /// Tells all who listen. `data` is text without line breaks, as JSON is; `name` has none either.
    pub fn publish(&self, name: &str, data: &str) {
        let mut kept = self.lock();
        kept.last += 1;
        let sequence = kept.last;
        let text = Bytes::from(format!("id: {sequence}\nevent: {name}\ndata: {data}\n\n"));
        let record = Record { sequence, text };
        kept.bytes += record.text.len();
        kept.records.push_back(record.clone());
        while kept.records.len() > self.most || kept.bytes > KEPT_BYTES {
            let Some(oldest) = kept.records.pop_front() else { break };
            kept.bytes -= oldest.text.len();
        }
        // Sent under the lock, so that all see the order of the numbers.
        let _nobody_listens = self.live.send(record);
    }

    /// Ends the streams that there are. Others may begin.
    pub fn cut(&self) {
        let listeners = std::mem::take(&mut *lock(&self.listeners));
        listeners.cancel();
    }

    /// The body of an answer that tells what happens from now on, or what has happened after the
    /// event of that number.
    pub(crate) fn listen(
        self: &Arc<Self>,
        after: Option<u64>,
        heartbeat: Duration,
        stopping: CancellationToken,
    ) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
        let listeners = lock(&self.listeners).clone();
        // Subscribed before the past is read, so that nothing falls in between.
        let live = self.live.subscribe();
        let seen = after.unwrap_or_else(|| self.lock().last);
        let listener =
            Listener { feed: Arc::clone(self), live, seen, is_behind: true, is_begun: false };
        stream::unfold((listener, listeners, stopping), move |(mut listener, cut, stopping)| {
            async move {
                let next = tokio::select! {
                    // What has happened by then is still told.
                    biased;
                    next = listener.next(heartbeat) => next,
                    () = cut.cancelled() => None,
                    () = stopping.cancelled() => None,
                };
                next.map(|bytes| (Ok(bytes), (listener, cut, stopping)))
            }
        })
    }

    fn since(&self, seen: u64) -> Option<(u64, Bytes)> {
        let kept = self.lock();
        let first = kept.records.partition_point(|record| record.sequence <= seen);
        let newest = kept.records.back().filter(|newest| newest.sequence > seen)?.sequence;
        let mut text = Vec::new();
        for record in kept.records.range(first..) {
            text.extend_from_slice(&record.text);
        }
        Some((newest, text.into()))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

/// One client.
struct Listener {
    feed: Arc<Feed>,
    live: broadcast::Receiver<Record>,
    /// The number of the last event that it was told.
    seen: u64,
    /// Whether events may be kept that it was not told.
    is_behind: bool,
    is_begun: bool,
}

impl Listener {
    async fn next(&mut self, heartbeat: Duration) -> Option<Bytes> {
        if !std::mem::replace(&mut self.is_begun, true) {
            return Some(OPENING);
        }
        loop {
            if std::mem::take(&mut self.is_behind)
                && let Some((newest, text)) = self.feed.since(self.seen)
            {
                self.seen = newest;
                return Some(text);
            }
            match tokio::time::timeout(heartbeat, self.live.recv()).await {
                Err(_silence) => return Some(HEARTBEAT),
                Ok(Ok(record)) if record.sequence > self.seen => {
                    self.seen = record.sequence;
                    return Some(record.text);
                }
                Ok(Ok(_told_before)) => {}
                // Too slow to follow: it goes on with what is kept.
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => self.is_behind = true,
                Ok(Err(broadcast::error::RecvError::Closed)) => return None,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    const NEVER: Duration = Duration::from_hours(1);

    async fn heard(feed: &Arc<Feed>, after: Option<u64>, count: usize) -> String {
        let stream = feed.listen(after, NEVER, CancellationToken::new());
        let parts: Vec<_> = stream.take(count).map(Result::unwrap).collect().await;
        String::from_utf8(parts.concat()).unwrap()
    }

    fn first_number(text: &str) -> u64 {
        let line = text.lines().find(|line| line.starts_with("id: ")).unwrap();
        line["id: ".len()..].parse().unwrap()
    }

    #[tokio::test]
    async fn who_comes_back_hears_what_came_after_the_last_that_it_heard() {
        let feed = Arc::new(Feed::new(10));
        for name in ["one", "two", "three"] {
            feed.publish(name, "1");
        }
        let all = heard(&feed, Some(0), 2).await;
        assert_eq!(all.matches("event:").count(), 3);
        let rest = heard(&feed, Some(first_number(&all)), 2).await;
        assert!(!rest.contains("event: one") && rest.contains("event: two\ndata: 1\n\n"), "{rest}");
    }

    #[tokio::test]
    async fn who_comes_anew_hears_the_present_only() {
        let feed = Arc::new(Feed::new(10));
        feed.publish("past", "1");
        let stream = feed.listen(None, NEVER, CancellationToken::new());
        feed.publish("present", "2");
        let parts: Vec<_> = stream.take(2).map(Result::unwrap).collect().await;
        assert!(parts[1].ends_with(b"event: present\ndata: 2\n\n"), "{parts:?}");
    }

    #[tokio::test]
    async fn no_more_is_kept_than_was_agreed() {
        let feed = Arc::new(Feed::new(3));
        for number in 0..10 {
            feed.publish("number", &number.to_string());
        }
        let text = heard(&feed, Some(0), 2).await;
        assert_eq!(text.matches("event:").count(), 3);
        let large = "x".repeat(KEPT_BYTES / 2);
        for _ in 0..3 {
            feed.publish("large", &large);
        }
        assert!(feed.lock().bytes <= KEPT_BYTES);
    }

    #[tokio::test]
    async fn who_is_too_slow_goes_on_with_what_is_kept() {
        let feed = Arc::new(Feed::new(2000));
        let stream = feed.listen(None, NEVER, CancellationToken::new());
        for number in 0..1900 {
            feed.publish("number", &number.to_string());
        }
        let mut stream = std::pin::pin!(stream);
        let mut text = Vec::new();
        while !text.ends_with(b"data: 1899\n\n") {
            text.extend_from_slice(&stream.next().await.unwrap().unwrap());
        }
        assert_eq!(String::from_utf8(text).unwrap().matches("event:").count(), 1900);
    }

    #[tokio::test]
    async fn a_silent_stream_beats_and_ends_when_it_is_cut() {
        let feed = Arc::new(Feed::new(10));
        let stream = feed.listen(None, Duration::from_millis(1), CancellationToken::new());
        let mut stream = std::pin::pin!(stream);
        assert_eq!(stream.next().await.unwrap().unwrap(), OPENING);
        assert_eq!(stream.next().await.unwrap().unwrap(), HEARTBEAT);
        feed.cut();
        while let Some(Ok(beat)) = stream.next().await {
            assert_eq!(beat, HEARTBEAT);
        }
    }
}
