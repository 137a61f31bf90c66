//! The one door: whatever is to run on the main thread is pushed here and pulled there.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use rustix::fd::OwnedFd;

use crate::io_thread::Reactor;
use crate::sync::{AtomicBool, AtomicU8, AtomicUsize, Mutex, MutexGuard, Ordering, fence};
use crate::wake::Wake;

/// A queue from many threads to the main thread, first in, first out.
///
/// It has two lanes, because asyncio looks for I/O only when a turn begins: what the program has
/// scheduled by then runs before what has arrived by then, however early the latter came. The lane
/// of what arrives is here. That of what the program schedules is the main thread's own, under a
/// lock that every program's thread holds anyway; here it is only known whether it holds something.
///
/// The first push while the main thread is parked wakes it; every other push costs no system call.
#[derive(Debug)]
pub struct ReadyQueue<T> {
    arrived: Mutex<VecDeque<T>>,
    /// What `arrived` holds, so that an idle tick is two atomic loads.
    len: AtomicUsize,
    is_scheduled: AtomicBool,
    /// Where the main thread waits: one of the constants below.
    parked: AtomicU8,
    wake: Wake,
    /// Ends a wait in the reactor's poll.
    poll_waker: OnceLock<Arc<mio::Waker>>,
}

const NOT_PARKED: u8 = 0;
const PARKED_HERE: u8 = 1;
const PARKED_IN_POLL: u8 = 2;

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
            arrived: Mutex::default(),
            len: AtomicUsize::new(0),
            is_scheduled: AtomicBool::new(false),
            parked: AtomicU8::new(NOT_PARKED),
            wake: Wake::new()?,
            poll_waker: OnceLock::new(),
        })
    }

    /// Says that the program's lane holds something, until the next [`ReadyQueue::take_arrived`].
    ///
    /// From any thread, by whoever pushes to that lane while it is empty, under its lock. If the main
    /// thread may be about to park, as it says under that lock before it does,
    /// [`ReadyQueue::wake_if_parked`] is to follow, best without the lock.
    pub fn note_scheduled(&self) {
        self.is_scheduled.store(true, Ordering::Relaxed);
    }

    /// Leaves what has come from outside. From any thread.
    pub fn arrive(&self, item: T) {
        let _room = tracing::trace_span!("reactor/ready").entered();
        {
            let mut arrived = self.lock();
            arrived.push_back(item);
            self.len.store(arrived.len(), Ordering::Relaxed);
        }
        self.wake_if_parked();
    }

    /// Leaves all of what has come from outside. From any thread.
    pub fn arrive_all(&self, items: impl Iterator<Item = T>) {
        let _room = tracing::trace_span!("reactor/ready").entered();
        {
            let mut arrived = self.lock();
            arrived.extend(items);
            self.len.store(arrived.len(), Ordering::Relaxed);
        }
        self.wake_if_parked();
    }

    /// Whether nothing waits in either lane.
    pub fn is_empty(&self) -> bool {
        !self.is_scheduled.load(Ordering::Relaxed) && self.len.load(Ordering::Relaxed) == 0
    }

    /// Moves all that has arrived by now into `arrived`, which must be empty. The caller empties the
    /// program's lane too, under its lock.
    ///
    /// What the items push while they run waits for the next call: one that keeps rescheduling
    /// itself can never freeze the host.
    pub fn take_arrived(&self, arrived: &mut VecDeque<T>) {
        debug_assert!(arrived.is_empty(), "the last generation has not been run to its end");
        self.is_scheduled.store(false, Ordering::Relaxed);
        if self.len.load(Ordering::Relaxed) > 0 {
            let mut lane = self.lock();
            std::mem::swap(&mut *lane, arrived);
            // Under the lock: else it would hide what another thread pushes in between.
            self.len.store(0, Ordering::Relaxed);
        }
    }

    /// Waits until something is ready, for `limit` at most (for ever if `None`).
    ///
    /// Only the main thread calls it. It may return early.
    pub fn park(&self, limit: Option<Duration>) -> Parked {
        let has_bytes = self.is_idle_at(PARKED_HERE) && self.wake.wait(limit);
        self.set_parked(NOT_PARKED);
        self.signals_if(has_bytes)
    }

    /// Waits in the poll of `reactor`, which this thread drives, for `limit` at most (for ever if
    /// `None`): until something is ready or the system reports something.
    pub fn park_in_poll(&self, reactor: &Reactor, limit: Option<Duration>) -> Parked {
        self.poll_waker.get_or_init(|| reactor.waker());
        let is_idle = || self.is_idle_at(PARKED_IN_POLL);
        // Before anything is served: what this thread itself pushes need not wake it.
        let on_woken = || self.set_parked(NOT_PARKED);
        let has_bytes = reactor.poll(limit, is_idle, on_woken);
        self.signals_if(has_bytes)
    }

    /// Looks, without waiting, for what the system has to report; this thread drives `reactor`.
    pub fn look_around(&self, reactor: &Reactor) -> Parked {
        self.signals_if(reactor.poll(Some(Duration::ZERO), || false, || {}))
    }

    fn is_idle_at(&self, place: u8) -> bool {
        self.set_parked(place);
        // Looked at only now: a push before the flag was up has not woken us, and a push from here
        // on will. Of this fence and that of `wake_if_parked` one is the later one, which sees what
        // was stored before the other.
        fence(Ordering::SeqCst);
        self.is_empty()
    }

    fn set_parked(&self, place: u8) {
        // An exchange, as is that of `wake_if_parked`: those have one order, in which each sees the
        // one before.
        self.parked.swap(place, Ordering::Relaxed);
    }

    fn signals_if(&self, has_bytes: bool) -> Parked {
        match has_bytes.then(|| self.wake.take_signals()) {
            Some(signals) if !signals.is_empty() => Parked::Signalled(signals),
            _ => Parked::Woken,
        }
    }

    /// The end of the socket pair that signals and wakes come in through, for the reactor to watch.
    pub fn watch_signals(&self, reactor: &Reactor) -> io::Result<()> {
        self.wake.with_reader(|reader| reactor.watch_signals(reader))
    }

    pub fn forget_signals(&self, reactor: &Reactor) {
        let _closed_or_done = self.wake.with_reader(|reader| {
            reactor.forget_signals(reader);
            Ok(())
        });
    }

    /// The signals that no wait has reported yet, oldest first. Only the main thread calls it.
    pub fn take_signals(&self) -> Vec<u8> {
        self.wake.take_signals()
    }

    /// Ends the present wait of the main thread, or else its next one.
    pub fn wake(&self) {
        self.wake.wake();
    }

    /// A descriptor where `signal.set_wakeup_fd` may write the numbers of signals.
    ///
    /// # Errors
    /// The system's, if it has no descriptor left; `NotConnected` after [`ReadyQueue::close`].
    pub fn signal_writer(&self) -> io::Result<OwnedFd> {
        self.wake.writer()
    }

    /// Gives the descriptors back, once nobody parks. From then on a park returns at once; items
    /// can still be pushed and taken.
    pub fn close(&self) {
        self.wake.close();
    }

    /// Looks at everything that has arrived, if no other thread is pushing at this moment.
    ///
    /// For Python's garbage collector, which must not wait.
    pub fn try_for_each<E>(&self, visit: impl FnMut(&T) -> Result<(), E>) -> Result<(), E> {
        match self.arrived.try_lock() {
            Ok(arrived) => arrived.iter().try_for_each(visit),
            Err(_busy) => Ok(()),
        }
    }

    /// Ends the wait of the main thread, if it waits. From any thread.
    pub fn wake_if_parked(&self) {
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) == NOT_PARKED {
            return;
        }
        match self.parked.swap(NOT_PARKED, Ordering::Relaxed) {
            PARKED_HERE => self.wake.ring(),
            PARKED_IN_POLL => {
                if let Some(Err(error)) = self.poll_waker.get().map(|waker| waker.wake()) {
                    tracing::error!(%error, "could not wake the main thread");
                }
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Nothing that can panic runs under the lock.
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn arrived<T>(queue: &ReadyQueue<T>) -> Vec<T> {
        let mut arrived = VecDeque::new();
        queue.take_arrived(&mut arrived);
        arrived.into()
    }

    #[test]
    fn items_come_out_in_the_order_in_which_they_went_in() {
        let queue = ReadyQueue::new().unwrap();
        assert!(queue.is_empty());
        queue.arrive(1);
        queue.arrive(2);
        assert!(!queue.is_empty());
        assert_eq!(arrived(&queue), [1, 2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_the_program_has_scheduled_counts_until_it_is_taken() {
        let queue = ReadyQueue::<()>::new().unwrap();
        queue.note_scheduled();
        assert!(!queue.is_empty());
        assert_eq!(queue.park(None), Parked::Woken);
        assert_eq!(arrived(&queue), []);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_push_from_another_thread_ends_a_wait_without_end() {
        let queue = Arc::new(ReadyQueue::new().unwrap());
        let other = Arc::clone(&queue);
        let pusher =
            std::thread::Builder::new().spawn(move || other.arrive("ready")).expect("a thread");
        while queue.is_empty() {
            queue.park(None);
        }
        pusher.join().unwrap();
        assert_eq!(arrived(&queue), ["ready"]);
    }

    #[test]
    fn what_another_thread_schedules_ends_a_wait_without_end() {
        let queue = Arc::new(ReadyQueue::<()>::new().unwrap());
        let other = Arc::clone(&queue);
        let pusher = std::thread::Builder::new()
            .spawn(move || {
                other.note_scheduled();
                other.wake_if_parked();
            })
            .expect("a thread");
        while queue.is_empty() {
            queue.park(None);
        }
        pusher.join().unwrap();
    }

    #[test]
    fn a_park_with_something_ready_returns_at_once() {
        let queue = ReadyQueue::new().unwrap();
        queue.arrive(());
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
        crate::sys::send(queue.signal_writer().unwrap(), &[2, 15]).unwrap();
        assert_eq!(queue.park(None), Parked::Signalled(vec![2, 15]));
    }

    #[test]
    fn a_closed_queue_has_no_descriptors_and_a_park_returns_at_once() {
        let queue = ReadyQueue::<()>::new().unwrap();
        queue.close();
        queue.wake();
        assert_eq!(queue.park(None), Parked::Woken);
        assert!(queue.signal_writer().is_err());
    }

    #[test]
    fn pushes_of_many_threads_all_arrive() {
        let queue = Arc::new(ReadyQueue::new().unwrap());
        let pushers: Vec<_> = (0..4)
            .map(|thread| {
                let queue = Arc::clone(&queue);
                std::thread::Builder::new()
                    .spawn(move || (0..1000).for_each(|count| queue.arrive((thread, count))))
                    .expect("a thread")
            })
            .collect();
        let mut seen = Vec::new();
        while seen.len() < 4000 {
            queue.park(None);
            seen.extend(arrived(&queue));
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

/// Every interleaving of few steps: `cargo xtask loom`. A push whose wake gets lost is a deadlock,
/// which loom reports.
#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::thread;

    use super::*;

    /// Runs turns, parking in between, until so many items have come.
    fn run_until(queue: &ReadyQueue<u8>, count: usize) -> Vec<u8> {
        let (mut seen, mut arrived) = (Vec::new(), VecDeque::new());
        while seen.len() < count {
            queue.park(None);
            queue.take_arrived(&mut arrived);
            seen.extend(arrived.drain(..));
        }
        seen
    }

    fn queue() -> Arc<ReadyQueue<u8>> {
        Arc::new(ReadyQueue::new().unwrap())
    }

    #[test]
    fn what_one_thread_pushes_arrives_in_order_and_wakes_who_parks() {
        loom::model(|| {
            let queue = queue();
            let other = Arc::clone(&queue);
            let pusher = thread::spawn(move || {
                other.arrive(1);
                other.arrive_all([2, 3].into_iter());
            });
            assert_eq!(run_until(&queue, 3), [1, 2, 3]);
            pusher.join().unwrap();
            assert!(queue.is_empty());
        });
    }

    #[test]
    fn what_two_threads_push_at_once_all_arrives() {
        // With three threads, all interleavings would take hours: those with up to three preemptions.
        let mut few = loom::model::Builder::new();
        few.preemption_bound = Some(3);
        few.check(|| {
            let queue = queue();
            let pushers = [1, 2].map(|item| {
                let other = Arc::clone(&queue);
                thread::spawn(move || other.arrive(item))
            });
            let mut seen = run_until(&queue, 2);
            seen.sort_unstable();
            assert_eq!(seen, [1, 2]);
            for pusher in pushers {
                pusher.join().unwrap();
            }
        });
    }

    #[derive(Default)]
    struct Lane {
        count: usize,
        /// The main thread parks, or is about to.
        may_park: bool,
    }

    /// As the program's lane does: its lock is the GIL, which is not held while parked, nor while the
    /// main thread is woken.
    #[test]
    fn what_the_program_schedules_from_another_thread_is_seen() {
        loom::model(|| {
            let queue = queue();
            let lane = Arc::new(Mutex::new(Lane::default()));
            let (other, their_lane) = (Arc::clone(&queue), Arc::clone(&lane));
            let scheduler = thread::spawn(move || {
                for _ in 0..2 {
                    let mut lane = their_lane.lock().unwrap();
                    lane.count += 1;
                    if lane.count == 1 {
                        other.note_scheduled();
                        let may_park = lane.may_park;
                        drop(lane);
                        if may_park {
                            other.wake_if_parked();
                        }
                    }
                }
            });
            let mut seen = 0;
            while seen < 2 {
                lane.lock().unwrap().may_park = true;
                queue.park(None);
                let mut lane = lane.lock().unwrap();
                lane.may_park = false;
                queue.take_arrived(&mut VecDeque::new());
                seen += std::mem::take(&mut lane.count);
            }
            scheduler.join().unwrap();
        });
    }

    #[test]
    fn a_wake_before_during_or_after_the_look_around_ends_the_park() {
        loom::model(|| {
            let queue = queue();
            let other = Arc::clone(&queue);
            let waker = thread::spawn(move || other.wake());
            queue.park(None);
            waker.join().unwrap();
        });
    }
}
