//! What the supervisor lets others read without asking it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aiobpy_wire::{Problem, TemplateDescription, WorkerDescription, WorkerState};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::templates::Templates;

/// The workers and the templates, as the supervisor showed them last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notice {
    pub(crate) workers: Vec<WorkerDescription>,
    /// Whether the node is at nothing, and begins nothing.
    pub(crate) is_drained: bool,
    /// As the worker that got ready last has them; `None` until one is ready.
    pub(crate) templates: Option<Arc<Templates>>,
}

impl Notice {
    /// Why there are no templates, if every worker has tried to start and none could.
    fn nobody_can_serve(&self) -> Option<Problem> {
        let lost = |worker: &WorkerDescription| worker.state == WorkerState::Lost;
        let all_lost = !self.workers.is_empty() && self.workers.iter().all(lost);
        self.workers.iter().find_map(|worker| worker.problem.clone()).filter(|_| all_lost)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Board {
    notice: watch::Sender<Notice>,
    pace: Mutex<Pace>,
}

/// How fast jobs are begun.
#[derive(Debug, Default)]
struct Pace {
    last: Option<Instant>,
    /// Seconds between two beginnings, the later ones counting more; 0 before the second.
    seconds: f64,
}

impl Pace {
    /// What the newest interval counts.
    const WEIGHT: f64 = 0.2;

    fn note(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let seconds = (now - last).as_secs_f64();
            let is_first = self.seconds == 0.0;
            self.seconds +=
                if is_first { seconds } else { Self::WEIGHT * (seconds - self.seconds) };
        }
    }
}

/// Why [`Board::templates`] has none.
#[derive(Debug)]
pub(crate) struct NoTemplates(pub(crate) Problem);

impl Board {
    pub(crate) fn notice(&self) -> Notice {
        self.notice.borrow().clone()
    }

    pub(crate) fn show_workers(&self, workers: Vec<WorkerDescription>, is_drained: bool) {
        self.notice.send_if_modified(|notice| {
            let changed = notice.workers != workers || notice.is_drained != is_drained;
            (notice.workers, notice.is_drained) = (workers, is_drained);
            changed
        });
    }

    /// Waits until the node is at nothing and begins nothing.
    pub(crate) async fn drained(&self) {
        // The board holds the sender: it cannot be gone.
        let _ = self.notice.subscribe().wait_for(|notice| notice.is_drained).await;
    }

    /// Whether a template's jobs leave nothing to another tenant's.
    pub(crate) fn is_shared(&self, template: &str) -> bool {
        self.notice.borrow().templates.as_ref().is_some_and(|all| all.is_shared(template))
    }

    pub(crate) fn show_templates(&self, templates: Templates) {
        self.notice.send_modify(|notice| notice.templates = Some(Arc::new(templates)));
    }

    /// The templates as the worker that got ready last has them; none until one is ready.
    pub(crate) fn templates_now(&self) -> Vec<TemplateDescription> {
        let templates = self.notice.borrow().templates.clone();
        templates.map(|templates| templates.descriptions().to_vec()).unwrap_or_default()
    }

    /// The names of the templates that can be used.
    pub(crate) fn usable_templates(&self) -> Arc<BTreeSet<String>> {
        let notice = self.notice.borrow();
        let templates = notice.templates.iter().flat_map(|templates| templates.descriptions());
        let usable = templates.filter(|template| template.broken.is_none());
        Arc::new(usable.map(|template| template.name.clone()).collect())
    }

    /// A job was begun.
    pub(crate) fn note_start(&self, now: Instant) {
        self.pace().note(now);
    }

    /// After so many seconds one of the jobs that wait has probably begun; at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds, of which there are no negative ones"
    )]
    pub(crate) fn seconds_to_a_place(&self) -> u64 {
        self.pace().seconds.ceil().max(1.0) as u64
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Nothing that can panic runs under the lock.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the first worker to be ready, or for all of them to have failed.
    pub(crate) async fn templates(&self) -> Result<Arc<Templates>, NoTemplates> {
        let mut notices = self.notice.subscribe();
        loop {
            let notice = notices.borrow_and_update().clone();
            if let Some(templates) = notice.templates {
                return Ok(templates);
            }
            if let Some(problem) = notice.nobody_can_serve() {
                return Err(NoTemplates(problem));
            }
            // The board holds the sender: it cannot be gone.
            let _ = notices.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_jobs() {
        let board = Board::default();
        assert_eq!(board.seconds_to_a_place(), 1);
        let mut now = Instant::now();
        for _ in 0..10 {
            board.note_start(now);
            now += Duration::from_secs(5);
        }
        assert_eq!(board.seconds_to_a_place(), 5);
        for _ in 0..50 {
            board.note_start(now);
            now += Duration::from_millis(100);
        }
        assert_eq!(board.seconds_to_a_place(), 1);
    }
}
