//! How fast jobs are begun, and so when there is room for another: a value and its arithmetic.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// So many beginnings are looked back at: enough to see past workers that begin together.
const LOOKED_AT: usize = 32;
/// A promised place is kept for as long as it takes to come, in whole seconds.
const KEPT_FOR: Duration = Duration::from_secs(2);
/// Nobody is sent away for longer.
const LONGEST: Duration = Duration::from_hours(1);

/// Whether there is room for a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Jobs that were sent away within the last minute.
    pub recently_rejected: u64,
    /// After so many seconds one of the jobs that wait has probably begun.
    pub seconds_to_a_place: u64,
}

/// What tells one request from another: the same when it is sent again.
pub(crate) type Whose = u64;

/// How fast jobs are begun, and who was told to come again.
///
/// Those who are sent away stand in a line of their own: each is told another time, one beginning
/// after the one before. Told the same, all would come at once, and all but one in vain. The place that
/// is free by then is kept for a moment: else whoever comes by chance would have it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    begun: VecDeque<Instant>,
    /// When those who were sent away come again, the first of them first.
    promised: VecDeque<(Instant, Whose)>,
    rejected: VecDeque<Instant>,
}

impl Pace {
    /// A job was begun.
    pub(crate) fn note(&mut self, now: Instant) {
        if self.begun.len() == LOOKED_AT {
            self.begun.pop_front();
        }
        self.begun.push_back(now);
    }

    /// Between two beginnings; `None` before the first.
    fn interval(&self, now: Instant) -> Option<Duration> {
        let first = *self.begun.front()?;
        let last = *self.begun.back()?;
        let count = u32::try_from(self.begun.len()).unwrap_or(u32::MAX);
        let between = last.saturating_duration_since(first) / (count - 1).max(1);
        // Where nothing has begun for longer than usual, more time will pass as well.
        Some(between.max(now.saturating_duration_since(last) / 2))
    }

    /// Until the next place in the line, without promising it to anybody.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.interval(now).unwrap_or_default().min(LONGEST)
    }

    /// How many places are kept for others; `None` where this one was told to come now.
    pub(crate) fn kept_from(
        &mut self,
        now: Instant,
        whose: impl FnOnce() -> Whose,
    ) -> Option<usize> {
        /// So much before its time somebody may come: clocks and nets differ.
        const EARLY: Duration = Duration::from_millis(500);
        while self.promised.front().is_some_and(|(at, _)| *at + KEPT_FOR < now) {
            self.promised.pop_front();
        }
        if self.promised.is_empty() {
            return Some(0);
        }
        let whose = whose();
        let mine = |(at, known): &(Instant, Whose)| *known == whose && *at <= now + EARLY;
        if let Some(mine) = self.promised.iter().position(mine) {
            self.promised.remove(mine);
            return None;
        }
        Some(self.promised.iter().take_while(|(at, _)| *at <= now).count())
    }

    /// Sends somebody away, who may come again after so many seconds. No more than `line` of them are
    /// waited for: by then all that waits now has begun.
    pub(crate) fn promise(&mut self, now: Instant, line: usize, whose: Whose) -> u64 {
        self.reject(now);
        let interval = self.wait(now);
        let most = interval.saturating_mul(u32::try_from(line.max(1)).unwrap_or(u32::MAX));
        let last = self.promised.back().map(|(at, _)| *at);
        let behind = last.filter(|at| *at > now).unwrap_or(now);
        let wait = (behind + interval - now).min(most.min(LONGEST));
        if self.promised.len() < line.max(1) {
            self.promised.push_back((now + wait, whose));
        }
        in_seconds(wait)
    }

    /// Sends somebody away who has come when told to: the next place is kept for that one.
    pub(crate) fn promise_the_next(&mut self, now: Instant, whose: Whose) -> u64 {
        self.reject(now);
        self.promised.push_front((now, whose));
        in_seconds(self.wait(now))
    }

    /// Sends somebody away for whom no place is kept.
    pub(crate) fn reject(&mut self, now: Instant) {
        self.rejected.push_back(now);
        self.forget(now);
    }

    /// How many were sent away within the last minute.
    pub(crate) fn rejected(&mut self, now: Instant) -> u64 {
        self.forget(now);
        self.rejected.len() as u64
    }

    fn forget(&mut self, now: Instant) {
        const RECENT: Duration = Duration::from_mins(1);
        const MOST: usize = 100_000;
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > RECENT;
        while self.rejected.front().is_some_and(is_old) || self.rejected.len() > MOST {
            self.rejected.pop_front();
        }
    }
}

/// As `Retry-After` has it: whole seconds, at least one.
pub(crate) fn in_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(pace: &mut Pace, from: Instant, every: Duration, count: u32) -> Instant {
        for number in 0..count {
            pace.note(from + every * number);
        }
        from + every * (count - 1)
    }

    #[test]
    fn the_pace_is_that_of_the_last_jobs() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(in_seconds(pace.wait(start)), 1);
        let now = begun(&mut pace, start, Duration::from_secs(5), 10);
        assert_eq!(in_seconds(pace.wait(now)), 5);
        let now = begun(&mut pace, now, Duration::from_millis(100), 50);
        assert_eq!(pace.wait(now), Duration::from_millis(100));
    }

    #[test]
    fn workers_that_begin_together_do_not_make_it_faster_than_it_is() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut now = start;
        for round in 0..8 {
            now = start + Duration::from_secs(4) * round;
            for _ in 0..4 {
                pace.note(now);
            }
        }
        let wait = pace.wait(now).as_secs_f64();
        assert!((0.8..1.2).contains(&wait), "four jobs in four seconds: {wait}");
    }

    #[test]
    fn each_who_is_sent_away_is_told_another_time() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let now = begun(&mut pace, start, Duration::from_secs(2), 10);
        let told: Vec<_> = (0..3).map(|_| pace.promise(now, 100, 7)).collect();
        assert_eq!(told, [2, 4, 6]);
        // Their times have come and gone.
        let later = now + Duration::from_mins(2);
        pace.note(later);
        assert!(pace.promise(later, 100, 7) < 20);
    }

    #[test]
    fn nobody_waits_for_longer_than_the_line_takes() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let now = begun(&mut pace, start, Duration::from_secs(2), 10);
        let longest = (0..100).map(|_| pace.promise(now, 5, 7)).max().unwrap();
        assert_eq!(longest, 10);
        assert_eq!(pace.rejected(now), 100);
        assert_eq!(pace.rejected(now + Duration::from_mins(2)), 0);
    }

    #[test]
    fn a_place_that_is_promised_is_kept_for_who_comes_then() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let now = begun(&mut pace, start, Duration::from_secs(2), 10);
        let (mine, others) = (1, 2);
        assert_eq!(pace.kept_from(now, || mine), Some(0), "nobody was promised anything");
        assert_eq!(pace.promise(now, 100, mine), 2);
        assert_eq!(pace.kept_from(now + Duration::from_secs(1), || others), Some(0));
        let then = now + Duration::from_secs(2);
        assert_eq!(pace.kept_from(then, || others), Some(1));
        assert_eq!(pace.kept_from(then, || mine), None);
        assert_eq!(pace.kept_from(then, || others), Some(0), "the promise was kept");
        assert_eq!(pace.promise_the_next(then, mine), 2);
        assert_eq!(pace.kept_from(then, || others), Some(1));
        assert_eq!(pace.kept_from(then, || mine), None);
        assert_eq!(pace.promise(now, 100, mine), 2);
        assert_eq!(pace.kept_from(now + Duration::from_secs(5), || others), Some(0), "nobody came");
    }
}
