//! The one door: whatever is to run on the main thread is pushed here and pulled there.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::wake::Wake;

/// A queue from many threads to the main thread, first in, first out.
///
/// The first push while the main thread is parked wakes it; every other push costs no system call.
#[derive(Debug)]
pub struct ReadyQueue<T> {
    items: Mutex<VecDeque<T>>,
    /// What `items` holds, so that an idle tick is one atomic load.
    len: AtomicUsize,
    parked: AtomicBool,
    wake: Wake,
}

/// Why [`ReadyQueue::park`] returned.
#[derive(Debug, PartialEq, Eq)]
pub enum Parked {
    /// Something is ready, the time is up, or somebody wanted the main thread to look around.
    Woken,
    /// These signals came in through [`ReadyQueue::signal_writer`], oldest first.
    Signalled(Vec<u8>),
}

impl<T> ReadyQueue<T> {
    /// # Errors
    /// The system's, if no socket pair can be had.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            items: Mutex::new(VecDeque::new()),
            len: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            wake: Wake::new()?,
        })
    }

    /// From any thread.
    pub fn push(&self, item: T) {
        let _room = tracing::trace_span!("reactor/ready").entered();
        {
            let mut items = self.lock();
            items.push_back(item);
            self.len.store(items.len(), Ordering::SeqCst);
        }
        self.wake_if_parked();
    }

    /// Whether nothing waits: one atomic load.
    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::SeqCst) == 0
    }

    /// Moves all that is ready now into `generation`, which must be empty.
    ///
    /// What the items push while they run waits for the next call: one that keeps rescheduling
    /// itself can never freeze the host.
    pub fn take_generation(&self, generation: &mut VecDeque<T>) {
        debug_assert!(generation.is_empty(), "the last generation has not been run to its end");
        let mut items = self.lock();
        std::mem::swap(&mut *items, generation);
        self.len.store(0, Ordering::SeqCst);
    }

    /// Waits until something is ready, for `limit` at most (for ever if `None`).
    ///
    /// Only the main thread calls it. It may return early.
    pub fn park(&self, limit: Option<Duration>) -> Parked {
        self.parked.store(true, Ordering::SeqCst);
        // Looked at only now: a push before the flag was up has not woken us, and a push from here
        // on will.
        if self.is_empty() {
            self.wake.wait(limit);
        }
        self.parked.store(false, Ordering::SeqCst);
        match self.take_signals() {
            signals if signals.is_empty() => Parked::Woken,
            signals => Parked::Signalled(signals),
        }
    }

    /// Ends the present wait of the main thread, or else its next one.
    pub fn wake(&self) {
        self.wake.wake();
    }

    /// The signals that have come in, without waiting.
    pub fn take_signals(&self) -> Vec<u8> {
        self.wake.take_signals()
    }

    /// Where `signal.set_wakeup_fd` may write the numbers of signals.
    pub fn signal_writer(&self) -> BorrowedFd<'_> {
        self.wake.writer()
    }

    /// Looks at every item, if no other thread is pushing at this moment.
    ///
    /// For Python's garbage collector, which must not wait.
    pub fn try_for_each<E>(&self, visit: impl FnMut(&T) -> Result<(), E>) -> Result<(), E> {
        match self.items.try_lock() {
            Ok(items) => items.iter().try_for_each(visit),
            Err(_busy) => Ok(()),
        }
    }

    fn wake_if_parked(&self) {
        if self.parked.swap(false, Ordering::SeqCst) {
            self.wake.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Nothing that can panic runs under the lock.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn generation_of<T>(queue: &ReadyQueue<T>) -> Vec<T> {
        let mut generation = VecDeque::new();
        queue.take_generation(&mut generation);
        generation.into()
    }

    #[test]
    fn items_come_out_in_the_order_in_which_they_went_in() {
        let queue = ReadyQueue::new().unwrap();
        assert!(queue.is_empty());
        queue.push(1);
        queue.push(2);
        assert!(!queue.is_empty());
        assert_eq!(generation_of(&queue), [1, 2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_push_from_another_thread_ends_a_wait_without_end() {
        let queue = Arc::new(ReadyQueue::new().unwrap());
        let other = Arc::clone(&queue);
        let pusher =
            std::thread::Builder::new().spawn(move || other.push("ready")).expect("a thread");
        while queue.is_empty() {
            queue.park(None);
        }
        pusher.join().unwrap();
        assert_eq!(generation_of(&queue), ["ready"]);
    }

    #[test]
    fn a_park_with_something_ready_returns_at_once() {
        let queue = ReadyQueue::new().unwrap();
        queue.push(());
        assert_eq!(queue.park(None), Parked::Woken);
    }

    #[test]
    fn a_wake_before_the_park_is_not_lost() {
        let queue = ReadyQueue::<()>::new().unwrap();
        queue.wake();
        assert_eq!(queue.park(None), Parked::Woken);
    }

    #[test]
    fn signal_numbers_come_out_of_the_park_and_wakes_do_not() {
        let queue = ReadyQueue::<()>::new().unwrap();
        queue.wake();
        rustix::io::write(queue.signal_writer(), &[2, 15]).unwrap();
        assert_eq!(queue.park(None), Parked::Signalled(vec![2, 15]));
    }

    #[test]
    fn pushes_of_many_threads_all_arrive() {
        let queue = Arc::new(ReadyQueue::new().unwrap());
        let pushers: Vec<_> = (0..4)
            .map(|thread| {
                let queue = Arc::clone(&queue);
                std::thread::Builder::new()
                    .spawn(move || (0..1000).for_each(|count| queue.push((thread, count))))
                    .expect("a thread")
            })
            .collect();
        let mut seen = Vec::new();
        while seen.len() < 4000 {
            queue.park(None);
            seen.extend(generation_of(&queue));
        }
        for pusher in pushers {
            pusher.join().unwrap();
        }
        for thread in 0..4 {
            let counts: Vec<_> = seen.iter().filter(|item| item.0 == thread).collect();
            assert!(counts.is_sorted(), "each thread's items keep their order");
        }
    }
}
