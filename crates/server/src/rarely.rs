//! A future that nearly never has anything to say, beside one that has much.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// A future that is polled only when it has asked for it, and not each time that what runs beside it
/// is woken: a poll of a timer or of a token takes a lock.
pub(crate) struct Rarely<F> {
    future: F,
    asked: Arc<Asked>,
    waker: Waker,
}

struct Asked {
    is_asked: AtomicBool,
    task: AtomicWaker,
}

impl<F: Future + Unpin> Rarely<F> {
    pub(crate) fn new(future: F) -> Self {
        let asked = Asked { is_asked: AtomicBool::new(true), task: AtomicWaker::new() };
        let asked = Arc::new(asked);
        Self { future, waker: Waker::from(Arc::clone(&asked)), asked }
    }
}

impl<F: Future + Unpin> Future for Rarely<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        // Before the look: what asks after it wakes this task.
        this.asked.task.register(context.waker());
        if !this.asked.is_asked.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        Pin::new(&mut this.future).poll(&mut Context::from_waker(&this.waker))
    }
}

impl Wake for Asked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_asked.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::{Instant, sleep};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn it_is_polled_when_it_asks_and_not_when_others_are_woken() {
        let polls = AtomicUsize::new(0);
        let mut timer = Box::pin(sleep(LONG));
        let counted = std::future::poll_fn(|context| {
            polls.fetch_add(1, Ordering::Relaxed);
            timer.poll_unpin(context)
        });
        let mut rarely = Rarely::new(counted);
        let began = Instant::now();
        for _ in 0..100 {
            // Woken by the other each time.
            tokio::select! {
                biased;
                () = &mut rarely => panic!("it is not time yet"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        (&mut rarely).await;
        assert_eq!((polls.load(Ordering::Relaxed), began.elapsed() >= LONG), (2, true));
    }
}
