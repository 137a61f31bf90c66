//! What the supervisor lets others read without asking it.

use std::sync::Arc;

use aiobpy_wire::{Problem, WorkerDescription, WorkerState};
use tokio::sync::watch;

use crate::templates::Templates;

/// The workers and the templates, as the supervisor showed them last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notice {
    pub(crate) workers: Vec<WorkerDescription>,
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
}

/// Why [`Board::templates`] has none.
#[derive(Debug)]
pub(crate) struct NoTemplates(pub(crate) Problem);

impl Board {
    pub(crate) fn notice(&self) -> Notice {
        self.notice.borrow().clone()
    }

    pub(crate) fn show_workers(&self, workers: Vec<WorkerDescription>) {
        self.notice.send_if_modified(|notice| {
            let changed = notice.workers != workers;
            notice.workers = workers;
            changed
        });
    }

    pub(crate) fn show_templates(&self, templates: Templates) {
        self.notice.send_modify(|notice| notice.templates = Some(Arc::new(templates)));
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
