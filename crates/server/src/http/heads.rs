//! When the next request of a connection of HTTP/1.1 has to have come.
//!
//! hyper has a time-out for it, which sets a timer anew for each request. Here the timer stays as it
//! is: when it goes off it is seen whether the client is late, and else it is set to when it would be.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// Since when a client has nothing to wait for.
#[derive(Clone, Debug)]
pub(crate) struct Heads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    opened: Instant,
    /// In microseconds from then: the client has taken the last byte of an answer, or has connected.
    since: AtomicU64,
    is_answering: AtomicBool,
    /// A request has come whose answer is not all out.
    is_owed: AtomicBool,
    /// Something else than HTTP is spoken from now on.
    is_over: AtomicBool,
    /// What goes out before the answer.
    has_hints: AtomicBool,
    hints: Mutex<Vec<u8>>,
}

impl Heads {
    /// Of a connection that has just been opened.
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            opened: Instant::now(),
            since: AtomicU64::new(0),
            is_answering: AtomicBool::new(false),
            is_owed: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            has_hints: AtomicBool::new(false),
            hints: Mutex::default(),
        }))
    }

    /// All headers of a request are there.
    pub(super) fn came(&self) {
        self.0.is_answering.store(true, Ordering::Relaxed);
        self.0.is_owed.store(true, Ordering::Relaxed);
    }

    /// Whether a request has come whose answer is not all out.
    pub(super) fn is_owed(&self) -> bool {
        self.0.is_owed.load(Ordering::Relaxed)
    }

    /// All that was to be written has been written.
    pub(super) fn flushed(&self) {
        let is_over = self.0.is_over.load(Ordering::Relaxed);
        if !is_over && !self.0.is_answering.load(Ordering::Relaxed) {
            self.0.is_owed.store(false, Ordering::Relaxed);
        }
    }

    /// After the answer that is made just now, the connection speaks HTTP no more.
    pub(super) fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    /// Has the bytes of an interim answer go out, before the one that is made just now.
    pub(crate) fn hint(&self, bytes: &[u8]) {
        self.0.lock().extend_from_slice(bytes);
        self.0.has_hints.store(true, Ordering::Release);
    }

    pub(super) fn take_hints(&self) -> Option<Vec<u8>> {
        let has_hints = self.0.has_hints.load(Ordering::Acquire);
        has_hints.then(|| {
            self.0.has_hints.store(false, Ordering::Release);
            std::mem::take(&mut *self.0.lock())
        })
    }

    /// The client has taken something.
    pub(crate) fn taken(&self) {
        let micros = self.0.opened.elapsed().as_micros();
        self.0.since.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The body of the answer, with whose end the next request is waited for.
    pub(super) fn while_answered<B>(&self, body: B) -> WhileAnswered<B> {
        WhileAnswered { body, heads: self.clone() }
    }

    /// Waits until the client is late.
    pub(super) async fn late(&self, limit: Duration) {
        loop {
            let since = Duration::from_micros(self.0.since.load(Ordering::Relaxed));
            let is_answering = self.0.is_answering.load(Ordering::Relaxed);
            let now = Instant::now();
            let until = if is_answering { now + limit } else { self.0.opened + since + limit };
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // Nothing that can panic runs under the lock.
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that hyper drops when it has taken all of it.
pub(super) struct WhileAnswered<B> {
    body: B,
    heads: Heads,
}

impl<B> Drop for WhileAnswered<B> {
    fn drop(&mut self) {
        self.heads.0.is_answering.store(false, Ordering::Relaxed);
        self.heads.taken();
    }
}

impl<B: Body + Unpin> Body for WhileAnswered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn who_has_connected_and_says_nothing_is_late() {
        assert!(timeout(LIMIT + LIMIT / 10, Heads::new().late(LIMIT)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn while_an_answer_is_made_or_taken_nobody_is_late() {
        let heads = Heads::new();
        let mut late = pin!(heads.late(LIMIT));
        heads.came();
        let body = heads.while_answered(axum::body::Body::empty());
        assert!(timeout(LIMIT * 5, late.as_mut()).await.is_err());
        drop(body);
        for _ in 0..5 {
            assert!(timeout(LIMIT * 9 / 10, late.as_mut()).await.is_err());
            heads.taken();
        }
        assert!(timeout(LIMIT * 9 / 10, late.as_mut()).await.is_err());
        assert!(timeout(LIMIT / 5, late).await.is_ok());
    }
}
