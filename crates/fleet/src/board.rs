//! What the supervisor lets others read without asking it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aiobpy_wire::{JobId, Problem, TemplateDescription, WorkerDescription, WorkerState};
use tokio::sync::watch;

use crate::clock;
use crate::pace::{self, Pace, Pressure, Whose};
use crate::specs::{Recipe, Recipes};
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
    /// Of the worker of each pool that got ready last.
    recipes: Mutex<HashMap<Option<String>, Recipes>>,
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

    /// A job came, and waits.
    pub(crate) fn note_arrival(&self, job: JobId) {
        self.pace().note_arrival(job);
    }

    pub(crate) fn show_recipes(&self, pool: Option<String>, recipes: Recipes) {
        self.recipes().insert(pool, recipes);
    }

    /// How the workers of a pool make the pictures of a template.
    pub(crate) fn recipe(&self, pool: Option<&str>, template: &str) -> Option<Recipe> {
        let pool = pool.map(ToOwned::to_owned);
        self.recipes().get(&pool).and_then(|recipes| recipes.get(template).cloned())
    }

    /// A job was begun.
    pub(crate) fn note_start(&self, job: JobId) {
        self.pace().note_start(job, clock::instant());
    }

    /// Sends somebody away: after so many seconds there is probably a place; at least 1.
    pub(crate) fn promise_a_place(&self, whose: Whose) -> u64 {
        self.pace().promise(clock::instant(), whose)
    }

    /// Sends somebody away who needs so many places; at least 1.
    pub(crate) fn seconds_to(&self, places: usize) -> u64 {
        let (now, mut pace) = (clock::instant(), self.pace());
        pace.reject(now);
        pace::in_seconds(pace.wait(now, places))
    }

    /// Sends somebody away who has come when told to.
    pub(crate) fn promise_the_next_place(&self, whose: Whose) -> u64 {
        self.pace().promise_the_next(clock::instant(), whose)
    }

    /// How many places are kept for others; `None` where this one was told to come now.
    pub(crate) fn kept_from(&self, whose: impl FnOnce() -> Whose) -> Option<usize> {
        self.pace().kept_from(clock::instant(), whose)
    }

    pub(crate) fn pressure(&self) -> Pressure {
        let (now, mut pace) = (clock::instant(), self.pace());
        Pressure {
            recently_rejected: pace.rejected(now),
            seconds_to_a_place: pace::in_seconds(pace.wait(now, 1)),
        }
    }

    fn recipes(&self) -> MutexGuard<'_, HashMap<Option<String>, Recipes>> {
        // Nothing that can panic runs under the lock.
        self.recipes.lock().unwrap_or_else(PoisonError::into_inner)
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
