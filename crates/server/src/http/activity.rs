//! What goes on on a connection of HTTP/2: requests that are being answered, and answers that the
//! client lets wait, which its socket does not show, as it may take those of other streams.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// The requests of a connection.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How many are being answered.
    count: watch::Sender<usize>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// Since when each answer waits for its client.
    since: HashMap<u64, Instant>,
}

/// Counts as a request that is being answered, until the last of its kind is dropped.
#[derive(Clone)]
pub(crate) struct Busy(#[expect(dead_code, reason = "it counts by being there")] Arc<Counted>);

struct Counted(Arc<Shared>);

impl Activity {
    pub(super) fn begin(&self) -> Busy {
        self.0.count.send_modify(|count| *count += 1);
        Busy(Arc::new(Counted(Arc::clone(&self.0))))
    }

    /// The body of an answer, which counts as long as it is sent.
    pub(super) fn while_sent<B>(&self, body: B, busy: Busy) -> WhileSent<B> {
        let number = {
            let mut waiting = self.0.lock();
            waiting.next += 1;
            waiting.next
        };
        self.0.waits(number);
        WhileSent { body, number, shared: Arc::clone(&self.0), _busy: busy }
    }

    /// Waits until no request has been answered for a while.
    pub(super) async fn ends(&self, limit: Duration) {
        let mut counts = self.0.count.subscribe();
        loop {
            // The sender is here, so that it is not closed.
            drop(counts.wait_for(|count| *count == 0).await);
            if timeout(limit, counts.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Waits until some answer has waited for its client for too long.
    pub(super) async fn stalls(&self, limit: Duration) {
        loop {
            let oldest = self.0.lock().since.values().min().copied();
            let waited = oldest.map_or(Duration::ZERO, |since| since.elapsed());
            if waited >= limit {
                return;
            }
            // What begins to wait meanwhile is seen then.
            sleep(limit.saturating_sub(waited).max(limit / 4)).await;
        }
    }
}

impl Shared {
    fn waits(&self, number: u64) {
        self.lock().since.insert(number, Instant::now());
    }

    fn goes_on(&self, number: u64) {
        self.lock().since.remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that can panic runs under the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
    }
}

/// A body that hyper asks for more when the client has room for it, and not before.
pub(super) struct WhileSent<B> {
    body: B,
    number: u64,
    shared: Arc<Shared>,
    _busy: Busy,
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for WhileSent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.shared.goes_on(self.number);
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(_)) = &frame {
            self.shared.waits(self.number);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for WhileSent<B> {
    fn drop(&mut self) {
        self.shared.goes_on(self.number);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_nothing_has_been_asked_for_a_while() {
        let activity = Activity::default();
        let busy = activity.begin();
        let mut ends = std::pin::pin!(activity.ends(LIMIT));
        assert!(timeout(LIMIT * 3, ends.as_mut()).await.is_err());
        drop(busy);
        assert!(timeout(LIMIT / 2, ends.as_mut()).await.is_err());
        drop(activity.begin());
        assert!(timeout(LIMIT * 9 / 10, ends.as_mut()).await.is_err());
        assert!(timeout(LIMIT, ends).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_stalls_and_one_that_is_not_there_yet_does_not() {
        let activity = Activity::default();
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let mut silent = activity.while_sent(Body::from_stream(never), activity.begin());
        let mut stalls = std::pin::pin!(activity.stalls(LIMIT));
        // Asked for, and waited for: the client has room.
        assert!(
            timeout(LIMIT * 3, async {
                tokio::select! {
                    _ = silent.frame() => {}
                    () = stalls.as_mut() => {}
                }
            })
            .await
            .is_err()
        );
        let untouched = activity.while_sent(Body::from("answer"), activity.begin());
        assert!(timeout(LIMIT * 2, stalls).await.is_ok());
        drop(untouched);
        assert!(timeout(LIMIT * 2, activity.stalls(LIMIT)).await.is_err());
    }
}
