//! How far a transfer is, told at most once until somebody looks.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::transfers::{Door, Event, TransferId};

/// How far a transfer is. Any thread may look.
pub struct Progress {
    id: TransferId,
    /// None if nobody wants to be told.
    door: Option<Door>,
    done: AtomicU64,
    total: AtomicU64,
    /// An event that says so is on its way.
    is_told: AtomicBool,
    began: Instant,
    /// Of the last event, in milliseconds since the beginning.
    told_at: AtomicU64,
    /// Something has been added since.
    has_more: AtomicBool,
}

/// From one event to the next: an interface shows no more.
const INTERVAL: Duration = Duration::from_millis(50);
const UNKNOWN: u64 = u64::MAX;

impl Progress {
    pub(crate) fn new(id: TransferId, door: Option<Door>) -> Self {
        Self {
            id,
            door,
            done: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            is_told: AtomicBool::new(false),
            began: Instant::now(),
            told_at: AtomicU64::new(0),
            has_more: AtomicBool::new(false),
        }
    }

    /// Bytes done, and of how many, if that is known. What comes after may be told again.
    pub fn take(&self) -> (u64, Option<u64>) {
        self.is_told.store(false, Ordering::SeqCst);
        let total = Some(self.total.load(Ordering::SeqCst)).filter(|total| *total != UNKNOWN);
        (self.done.load(Ordering::SeqCst), total)
    }

    /// From the beginning, or from where it goes on.
    pub(crate) fn begin(&self, done: u64, total: Option<u64>) {
        self.done.store(done, Ordering::SeqCst);
        self.total.store(total.unwrap_or(UNKNOWN), Ordering::SeqCst);
        self.tell();
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.done.fetch_add(bytes as u64, Ordering::SeqCst);
        self.has_more.store(true, Ordering::Relaxed);
        if self.door.is_some()
            && Duration::from_millis(self.now() - self.told_at.load(Ordering::Relaxed)) >= INTERVAL
        {
            self.tell();
        }
    }

    /// Waits for `future`; meanwhile tells what [`Progress::add`] has kept back. It sleeps no more
    /// than it has to: hundreds of transfers would wake the thread all the time.
    pub(crate) async fn beside<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        if self.door.is_some() && self.has_more.load(Ordering::Relaxed) {
            let told_at = self.began + Duration::from_millis(self.told_at.load(Ordering::Relaxed));
            tokio::select! {
                biased;
                result = &mut future => return result,
                () = tokio::time::sleep_until(told_at + INTERVAL) => self.tell(),
            }
        }
        future.await
    }

    /// All is done: what was unknown is known.
    pub(crate) fn end(&self) {
        self.total.store(self.done.load(Ordering::SeqCst), Ordering::SeqCst);
        self.tell();
    }

    fn tell(&self) {
        self.told_at.store(self.now(), Ordering::Relaxed);
        self.has_more.store(false, Ordering::Relaxed);
        if let Some(door) = &self.door
            && !self.is_told.swap(true, Ordering::SeqCst)
        {
            door(Event::Progress(self.id));
        }
    }

    /// Milliseconds since the beginning.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Progress").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_one_event_at_most_until_somebody_looks() {
        let events = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&events);
        let door: Door = Arc::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let progress = Progress::new(TransferId(1), Some(door));
        progress.begin(0, Some(100));
        for _ in 0..50 {
            tokio::time::advance(INTERVAL).await;
            progress.add(1);
        }
        assert_eq!(events.load(Ordering::SeqCst), 1);
        assert_eq!(progress.take(), (50, Some(100)));
        progress.add(1);
        tokio::time::advance(INTERVAL).await;
        progress.add(1);
        assert_eq!(events.load(Ordering::SeqCst), 2, "and not more often than the interval");
        assert_eq!(progress.take(), (52, Some(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_kept_back_is_told_while_nothing_more_comes() {
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let door: Door = Arc::new(move |_| sender.send(()).unwrap());
        let progress = Progress::new(TransferId(1), Some(door));
        progress.begin(0, Some(100));
        progress.add(1);
        assert_eq!((events.recv().await, progress.take()), (Some(()), (1, Some(100))));
        progress.add(1);
        tokio::select! {
            () = progress.beside(std::future::pending()) => panic!("it never ends"),
            told = events.recv() => assert_eq!(told, Some(())),
        }
        assert_eq!(progress.take(), (2, Some(100)));
    }
}
