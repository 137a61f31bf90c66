//! How long a worker lives: a function of values, and one look at its memory.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::Instant;

use crate::config::Recycling;

/// The share of its limits that a worker may fall short of, so that workers that were started
/// together do not go together.
const JITTER: f64 = 0.1;

/// When one worker has done its share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lifetime {
    jobs: Option<u64>,
    resident_bytes: Option<u64>,
    until: Option<Instant>,
}

impl Lifetime {
    /// Of a worker that starts at `now`. `luck`, from 0 to 1, tells it from those of its age.
    pub(crate) fn new(recycling: Recycling, now: Instant, luck: f64) -> Self {
        let share = 1.0 - JITTER * luck.clamp(0.0, 1.0);
        Self {
            jobs: recycling.jobs.map(|jobs| share_of(jobs, share).max(1)),
            resident_bytes: recycling.resident_bytes,
            until: recycling.age.map(|age| now + age.mul_f64(share)),
        }
    }

    /// It is over with the job that the worker is at.
    pub(crate) fn end(&mut self) {
        self.jobs = Some(0);
    }

    /// Why the worker is to go, if it is. `resident_bytes` is asked for only if it matters.
    pub(crate) fn is_over(
        &self,
        jobs_done: u64,
        now: Instant,
        resident_bytes: impl FnOnce() -> Option<u64>,
    ) -> Option<String> {
        // One that is too large from the start would only be followed by another.
        if jobs_done == 0 {
            return None;
        }
        if self.jobs.is_some_and(|jobs| jobs_done >= jobs) {
            return Some(format!("it has done {jobs_done} jobs"));
        }
        if self.until.is_some_and(|until| now >= until) {
            return Some("it has lived long enough".to_owned());
        }
        let limit = self.resident_bytes?;
        let bytes = resident_bytes()?;
        (bytes > limit).then(|| {
            format!("it has {} MiB in memory, and {} are allowed", bytes >> 20, limit >> 20)
        })
    }
}

/// A number from 0 to 1 that nobody can foresee; 0 where the system has none to give.
pub(crate) fn luck() -> f64 {
    getrandom::u32().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX))
}

/// The memory of a process, if it is there.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    let what = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
    Some(system.process(pid)?.memory())
}

/// Of a day or an hour, whatever share: `mul_f64` for whole numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a number of jobs, times a number from 0.9 to 1"
)]
fn share_of(number: u64, share: f64) -> u64 {
    (number as f64 * share).round() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn recycling() -> Recycling {
        Recycling { jobs: Some(100), resident_bytes: Some(1 << 30), age: Some(HOUR) }
    }

    fn why(lifetime: Lifetime, jobs: u64, now: Instant, mebibytes: u64) -> Option<String> {
        lifetime.is_over(jobs, now, || Some(mebibytes << 20))
    }

    #[test]
    fn a_worker_goes_by_jobs_by_age_and_by_memory() {
        let now = Instant::now();
        let lifetime = Lifetime::new(recycling(), now, 0.0);
        assert_eq!(why(lifetime, 99, now, 1024), None);
        assert_eq!(why(lifetime, 100, now, 0).unwrap(), "it has done 100 jobs");
        assert_eq!(why(lifetime, 1, now + HOUR, 0).unwrap(), "it has lived long enough");
        let memory = why(lifetime, 1, now, 1025).unwrap();
        assert_eq!(memory, "it has 1025 MiB in memory, and 1024 are allowed");
    }

    #[test]
    fn workers_of_one_age_do_not_go_together() {
        let now = Instant::now();
        let lucky = Lifetime::new(recycling(), now, 1.0);
        assert_eq!(why(lucky, 90, now, 0).unwrap(), "it has done 90 jobs");
        assert!(why(lucky, 1, now + HOUR.mul_f64(0.95), 0).is_some());
        assert!(why(Lifetime::new(recycling(), now, 0.0), 90, now, 0).is_none());
    }

    #[test]
    fn a_worker_does_one_job_at_least() {
        let now = Instant::now();
        let lifetime = Lifetime::new(recycling(), now, 0.0);
        assert_eq!(why(lifetime, 0, now + HOUR, 2048), None);
    }

    #[test]
    fn a_worker_without_limits_stays() {
        let now = Instant::now();
        let lifetime = Lifetime::new(Recycling::default(), now, 0.5);
        assert_eq!(why(lifetime, u64::MAX, now + HOUR * 1000, u64::MAX >> 20), None);
    }

    #[test]
    fn the_memory_of_a_process_is_known() {
        assert!(resident_bytes(std::process::id()).unwrap() > 1 << 20);
    }
}
