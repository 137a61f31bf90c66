//! Timers in the order in which they are due, on the main thread alone: no lock.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A heap of timers. Equal deadlines keep the order in which they were set.
///
/// Cancelled timers stay until they are due or until they are the majority: code that sets and
/// cancels a time-out for every message must not fill the memory.
#[derive(Debug)]
pub struct Timers<T> {
    heap: BinaryHeap<Reverse<Timer<T>>>,
    next_number: u64,
    cancelled: usize,
}

#[derive(Debug)]
struct Timer<T> {
    when: f64,
    number: u64,
    item: T,
}

/// Below this many cancelled timers a clean-up is not worth its while.
const COMPACT_FROM: usize = 64;

impl<T> Timers<T> {
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), next_number: 0, cancelled: 0 }
    }

    /// `when` is in seconds of the loop's clock and not NaN.
    pub fn push(&mut self, when: f64, item: T) {
        let number = self.next_number;
        self.next_number += 1;
        self.heap.push(Reverse(Timer { when, number, item }));
    }

    /// The deadline of the first timer, cancelled or not.
    pub fn next_due(&self) -> Option<f64> {
        self.heap.peek().map(|Reverse(timer)| timer.when)
    }

    /// Takes the first timer if it is due at `now`.
    pub fn pop_due(&mut self, now: f64) -> Option<T> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(timer)| timer.item)
    }

    /// One more of the timers in here counts for nothing. Returns those that were thrown out.
    #[must_use = "dropping an item may run foreign code: do it where that is safe"]
    pub fn note_cancelled(&mut self, is_cancelled: impl Fn(&T) -> bool) -> Vec<T> {
        self.cancelled += 1;
        if self.cancelled < COMPACT_FROM || self.cancelled * 2 < self.heap.len() {
            return Vec::new();
        }
        self.cancelled = 0;
        let (gone, kept): (Vec<_>, Vec<_>) =
            self.heap.drain().partition(|Reverse(timer)| is_cancelled(&timer.item));
        self.heap = kept.into();
        gone.into_iter().map(|Reverse(timer)| timer.item).collect()
    }

    /// Takes the cancelled timers that come before the first live one: nobody waits for them.
    pub fn pop_cancelled(&mut self, is_cancelled: impl Fn(&T) -> bool) -> Vec<T> {
        let mut gone = Vec::new();
        while let Some(Reverse(timer)) = self.heap.peek()
            && is_cancelled(&timer.item)
        {
            self.cancelled = self.cancelled.saturating_sub(1);
            gone.extend(self.heap.pop().map(|Reverse(timer)| timer.item));
        }
        gone
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Every item, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|Reverse(timer)| &timer.item)
    }

    /// Takes every item, in no order.
    pub fn drain(&mut self) -> Vec<T> {
        self.cancelled = 0;
        self.heap.drain().map(|Reverse(timer)| timer.item).collect()
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Ord for Timer<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.when.total_cmp(&other.when).then(self.number.cmp(&other.number))
    }
}

impl<T> PartialOrd for Timer<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Timer<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Timer<T> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Set { in_seconds: u8 },
        Cancel { which: usize },
        Pass { seconds: u8 },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any::<u8>().prop_map(|in_seconds| Step::Set { in_seconds }),
            3 => any::<usize>().prop_map(|which| Step::Cancel { which }),
            1 => any::<u8>().prop_map(|seconds| Step::Pass { seconds }),
        ];
        prop::collection::vec(step, 0..400)
    }

    proptest! {
        /// Against a sorted list: whatever is set, cancelled and due, each live timer comes exactly
        /// once, in order, and no cancelled one is ever waited for.
        #[test]
        fn live_timers_come_once_in_order_and_cancelled_ones_are_not_waited_for(steps in steps()) {
            let mut timers = Timers::new();
            let mut now = 0.0;
            let mut model: Vec<(f64, usize)> = Vec::new();
            let mut cancelled = std::collections::HashSet::new();
            let mut next = 0;
            for step in steps {
                match step {
                    Step::Set { in_seconds } => {
                        let when = now + f64::from(in_seconds);
                        timers.push(when, next);
                        model.push((when, next));
                        next += 1;
                    }
                    Step::Cancel { which } if !model.is_empty() => {
                        let (_, number) = model.remove(which % model.len());
                        cancelled.insert(number);
                        drop(timers.note_cancelled(|item| cancelled.contains(item)));
                    }
                    Step::Cancel { .. } => {}
                    Step::Pass { seconds } => {
                        now += f64::from(seconds);
                        drop(timers.pop_cancelled(|item| cancelled.contains(item)));
                        let first = model.iter().map(|(when, _)| *when).min_by(f64::total_cmp);
                        prop_assert_eq!(timers.next_due(), first);
                        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(now))
                            .filter(|item| !cancelled.contains(item))
                            .collect();
                        // A stable sort: equal deadlines in the order of setting.
                        model.sort_by(|one, other| one.0.total_cmp(&other.0));
                        let count = model.partition_point(|(when, _)| *when <= now);
                        let expected: Vec<_> =
                            model.drain(..count).map(|(_, number)| number).collect();
                        prop_assert_eq!(due, expected);
                    }
                }
                prop_assert!(timers.len() <= 2 * model.len() + 2 * COMPACT_FROM);
            }
        }
    }

    #[test]
    fn timers_come_due_in_order_and_equals_in_the_order_of_setting() {
        let mut timers = Timers::new();
        for (when, item) in [(2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b")] {
            timers.push(when, item);
        }
        assert_eq!(timers.next_due(), Some(1.0));
        assert_eq!(timers.pop_due(0.5), None);
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(2.0)).collect();
        assert_eq!(due, ["a", "b", "c", "d"]);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_flood_of_cancelled_timers_does_not_stay() {
        let mut timers = Timers::new();
        timers.push(1.0, 0);
        for number in 1..10_000 {
            timers.push(1e9, number);
            drop(timers.note_cancelled(|item| *item != 0));
        }
        assert!(timers.len() < 2 * COMPACT_FROM, "{} timers are left", timers.len());
        assert_eq!(timers.pop_due(1.0), Some(0));
    }
}
