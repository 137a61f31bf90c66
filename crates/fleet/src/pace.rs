//! How fast jobs are begun, and so when there is room for another: a value and its arithmetic.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use aiobpy_wire::JobId;
use tokio::time::Instant;

/// So many beginnings are looked back at: enough to see past workers that begin together.
const LOOKED_AT: usize = 32;
/// A promised place is kept for so long after its time: clocks and nets differ.
const GRACE: Duration = Duration::from_secs(1);
/// Nobody is sent away for longer.
const LONGEST: Duration = Duration::from_hours(1);
/// More promises are not remembered.
const MOST_PROMISED: usize = 1000;
/// A share of one.
const WHOLE: u32 = 1024;

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

/// A place in the line of those who were sent away.
#[derive(Debug)]
struct Promise {
    whose: Whose,
    /// From then on there is a place.
    at: Instant,
    /// Who has not come by then does not come.
    until: Instant,
}

/// How fast jobs are begun, and who was told to come again.
///
/// Those who are sent away stand in a line of their own: each is told another time, one beginning
/// after the one before. Told the same, all would come at once, and all but one in vain. The place that
/// is free by then is kept for a moment: else whoever comes by chance would have it. Not all of them
/// do come: each counts for as much as the share of those who did.
#[derive(Debug)]
pub(crate) struct Pace {
    last_begun: Option<Instant>,
    /// Between beginnings, while there was always a job that waited.
    between: VecDeque<Duration>,
    /// Jobs that came since the last beginning: there may have been nothing to do before them.
    came: HashSet<JobId>,
    promised: Vec<Promise>,
    /// Of those who were sent away, the share that has come again lately, of [`WHOLE`].
    returning: u32,
    rejected: VecDeque<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            last_begun: None,
            between: VecDeque::new(),
            came: HashSet::new(),
            promised: Vec::new(),
            returning: WHOLE,
            rejected: VecDeque::new(),
        }
    }
}

impl Pace {
    /// A job came, and waits.
    pub(crate) fn note_arrival(&mut self, job: JobId) {
        self.came.insert(job);
    }

    /// A job was begun.
    pub(crate) fn note_start(&mut self, job: JobId, now: Instant) {
        let last = self.last_begun.replace(now);
        let has_waited = !self.came.contains(&job);
        self.came.clear();
        if let Some(last) = last.filter(|_| has_waited) {
            if self.between.len() == LOOKED_AT {
                self.between.pop_front();
            }
            self.between.push_back(now.saturating_duration_since(last));
        }
    }

    /// Between two beginnings; nothing before the first.
    fn interval(&self, now: Instant) -> Duration {
        let count = u32::try_from(self.between.len()).unwrap_or(u32::MAX);
        let usual = self.between.iter().sum::<Duration>() / count.max(1);
        // Where nothing has begun for longer than usual, more time will pass as well.
        let since = self.last_begun.map(|last| now.saturating_duration_since(last));
        usual.max(since.unwrap_or_default() / 2).min(LONGEST)
    }

    /// Until so many places are free, without promising them to anybody.
    pub(crate) fn wait(&self, now: Instant, places: usize) -> Duration {
        let ahead = self.promised.len().saturating_mul(self.returning as usize);
        let parts = places.saturating_mul(WHOLE as usize).saturating_add(ahead);
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        (self.interval(now).saturating_mul(parts) / WHOLE).min(LONGEST)
    }

    /// How many places are kept for others; `None` where this one was told to come now.
    pub(crate) fn kept_from(
        &mut self,
        now: Instant,
        whose: impl FnOnce() -> Whose,
    ) -> Option<usize> {
        self.give_up(now);
        if self.promised.is_empty() {
            return Some(0);
        }
        let whose = whose();
        // Told in whole seconds, nobody comes much too early.
        let mine = |promise: &Promise| promise.whose == whose && promise.at <= now + GRACE / 2;
        if let Some(mine) = self.promised.iter().position(mine) {
            self.promised.remove(mine);
            self.learn(true);
            return None;
        }
        let due = self.promised.iter().filter(|promise| promise.at <= now).count();
        Some((due * self.returning as usize + WHOLE as usize / 2) / WHOLE as usize)
    }

    /// Sends somebody away, who may come again after so many seconds.
    pub(crate) fn promise(&mut self, now: Instant, whose: Whose) -> u64 {
        self.reject(now);
        // Who asks again before the time stays where they are.
        if let Some(known) = self.promised.iter().find(|promise| promise.whose == whose) {
            return in_seconds(known.at.saturating_duration_since(now));
        }
        self.put_in_line(now, whose, self.wait(now, 1))
    }

    /// Sends somebody away who has come when told to: the next place is kept for that one.
    pub(crate) fn promise_the_next(&mut self, now: Instant, whose: Whose) -> u64 {
        self.reject(now);
        let told = in_seconds(self.interval(now));
        let until = now + Duration::from_secs(told) + GRACE;
        self.promised.push(Promise { whose, at: now, until });
        told
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

    fn put_in_line(&mut self, now: Instant, whose: Whose, wait: Duration) -> u64 {
        let told = in_seconds(wait);
        if self.promised.len() < MOST_PROMISED {
            let until = now + Duration::from_secs(told) + GRACE;
            self.promised.push(Promise { whose, at: now + wait, until });
        }
        told
    }

    fn give_up(&mut self, now: Instant) {
        let before = self.promised.len();
        self.promised.retain(|promise| promise.until >= now);
        for _ in self.promised.len()..before {
            self.learn(false);
        }
    }

    fn learn(&mut self, has_come: bool) {
        /// One of them counts for such a part of all before.
        const WEIGHT: u32 = 16;
        if has_come {
            self.returning += (WHOLE - self.returning).div_ceil(WEIGHT);
        } else {
            self.returning -= self.returning.div_ceil(WEIGHT);
        }
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
    use uuid::Uuid;

    use super::*;

    fn job(number: u32) -> JobId {
        JobId::new(Uuid::from_u128(number.into()))
    }

    /// Begins jobs that have waited; returns when the last began.
    fn begun(pace: &mut Pace, from: Instant, every: Duration, count: u32) -> Instant {
        for number in 0..count {
            pace.note_start(job(number), from + every * number);
        }
        from + every * (count - 1)
    }

    fn busy() -> (Pace, Instant) {
        let mut pace = Pace::default();
        let now = begun(&mut pace, Instant::now(), Duration::from_secs(2), 10);
        (pace, now)
    }

    #[test]
    fn the_pace_is_that_of_the_last_jobs() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(in_seconds(pace.wait(start, 1)), 1);
        let now = begun(&mut pace, start, Duration::from_secs(5), 10);
        assert_eq!(in_seconds(pace.wait(now, 1)), 5);
        let now = begun(&mut pace, now, Duration::from_millis(100), 50);
        assert_eq!(pace.wait(now, 1), Duration::from_millis(100));
        assert_eq!(pace.wait(now, 3), Duration::from_millis(300));
    }

    #[test]
    fn workers_that_begin_together_do_not_make_it_faster_than_it_is() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut now = start;
        for round in 0..8 {
            now = start + Duration::from_secs(4) * round;
            for _ in 0..4 {
                pace.note_start(job(round), now);
            }
        }
        let wait = pace.wait(now, 1).as_secs_f64();
        assert!((0.8..1.2).contains(&wait), "four jobs in four seconds: {wait}");
    }

    #[test]
    fn a_night_without_jobs_does_not_count() {
        let (mut pace, evening) = busy();
        let mut now = evening;
        for number in 0..40 {
            now += Duration::from_mins(10);
            pace.note_arrival(job(number));
            pace.note_start(job(number), now);
        }
        assert_eq!(pace.wait(now, 1), Duration::from_secs(2));
    }

    #[test]
    fn each_who_is_sent_away_is_told_another_time() {
        let (mut pace, now) = busy();
        let told: Vec<_> = (0..3).map(|whose| pace.promise(now, whose)).collect();
        assert_eq!(told, [2, 4, 6]);
        assert_eq!(pace.promise(now, 1), 4, "who asks again keeps its place");
        assert_eq!(pace.rejected(now), 4);
        assert_eq!(pace.rejected(now + Duration::from_mins(2)), 0);
    }

    #[test]
    fn nobody_waits_for_those_who_do_not_come() {
        let (mut pace, mut now) = busy();
        for whose in 0..100 {
            assert!(pace.kept_from(now, || whose).is_some());
            pace.promise(now, whose);
            now += Duration::from_secs(2);
            pace.note_start(job(0), now);
        }
        now += GRACE;
        assert!(pace.kept_from(now, || 1000).unwrap() <= 1, "they are not waited for");
        let told = pace.promise(now, 1000);
        assert!(told <= 4, "nor do they stand in the line: {told}");
    }

    #[test]
    fn a_place_that_is_promised_is_kept_for_who_comes_then() {
        let (mut pace, now) = busy();
        let (mine, others) = (1, 2);
        assert_eq!(pace.kept_from(now, || mine), Some(0), "nobody was promised anything");
        assert_eq!(pace.promise(now, mine), 2);
        assert_eq!(pace.kept_from(now + Duration::from_secs(1), || others), Some(0));
        let then = now + Duration::from_secs(2);
        assert_eq!(pace.kept_from(then, || others), Some(1));
        assert_eq!(pace.kept_from(then, || mine), None);
        assert_eq!(pace.kept_from(then, || others), Some(0), "the promise was kept");
        assert_eq!(pace.promise_the_next(then, mine), 2);
        assert_eq!(pace.kept_from(then, || others), Some(1));
        assert_eq!(pace.kept_from(then, || mine), None);
        assert_eq!(pace.promise(now, mine), 2);
        assert_eq!(pace.kept_from(now + Duration::from_secs(4), || others), Some(0), "nobody came");
    }

    /// The model of a shop at three times the capacity: who is told a time finds a place by then.
    #[test]
    fn who_comes_when_told_finds_a_place() {
        const QUEUE: usize = 4;
        const STEP: Duration = Duration::from_millis(10);
        const JOB: u32 = 28;
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        // Per client: when it asks, since when it is sent away, and what it was told first.
        let mut clients = [(now, now, 0_u64); 12];
        let (mut waiting, mut begun, mut right, mut all) = (VecDeque::new(), 0, 0, 0);
        let mut busy_until = now;
        for step in 0_u32..6000 {
            now += STEP;
            if busy_until <= now
                && let Some((number, client)) = waiting.pop_front()
            {
                pace.note_start(job(number), now);
                begun += 1;
                busy_until = now + STEP * JOB;
                clients[client] = (busy_until, busy_until, 0);
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let (asks, since, told) = *client;
                let is_in_line = waiting.iter().any(|(_, whose)| *whose == number);
                if asks > now || is_in_line {
                    continue;
                }
                let kept = pace.kept_from(now, || number as Whose);
                if waiting.len() < QUEUE.saturating_sub(kept.unwrap_or(0)) {
                    pace.note_arrival(job(step));
                    waiting.push_back((step, number));
                    if told > 0 && step > 600 {
                        all += 1;
                        right += u32::from(now - since <= Duration::from_secs(2 * told));
                    }
                } else {
                    let again = match kept {
                        Some(_) => pace.promise(now, number as Whose),
                        None => pace.promise_the_next(now, number as Whose),
                    };
                    let first = if told == 0 { again } else { told };
                    *client = (now + Duration::from_secs(again), since, first);
                }
            }
        }
        assert!(all > 100, "{all} came again");
        assert!(right * 10 >= all * 9, "{right} of {all} found a place in time");
        assert!(begun * JOB * 20 >= 6000 * 19, "{begun} jobs: a worker stood idle");
    }
}
