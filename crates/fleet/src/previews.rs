//! The newest pictures of jobs that are under way on this node, made small when somebody looks.
//!
//! **Invariant:** nothing is kept on a disk, and nothing is done to a picture that nobody looks at: a worker
//! says where one is, and that is noted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{Event, JobId, PictureUnderWay, WorkerId};
use tokio::sync::{Mutex as Turn, broadcast};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::engine::Attempt;

mod small;

/// Between two events that tell of pictures of the same job.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Events that are kept for a reader that lags: it misses others, and not the newest.
const EVENTS_AT_HAND: usize = 256;

/// Jobs of other nodes whose latest event is kept: more are not looked at at once.
const MOST_ELSEWHERE: usize = 1024;

/// A small picture of how far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub content_type: String,
    /// Differs from that of every other picture of the job.
    pub tag: String,
    pub bytes: Vec<u8>,
}

/// One picture for each worker: what it has made last on its way.
#[derive(Debug)]
pub(crate) struct Previews {
    newest: Mutex<HashMap<WorkerId, Newest>>,
    /// What other nodes have told last.
    elsewhere: Mutex<HashMap<JobId, Event>>,
    /// Of all nodes.
    told: broadcast::Sender<Event>,
    /// Of this one.
    own: broadcast::Sender<Event>,
    tasks: TaskTracker,
    ending: CancellationToken,
}

#[derive(Debug)]
struct Newest {
    attempt: Attempt,
    number: u64,
    picture: PictureUnderWay,
    /// The worker's own, outside of which it has no pictures.
    folder: PathBuf,
    made: Option<Arc<Preview>>,
    /// Whoever makes it small; others wait.
    turn: Arc<Turn<()>>,
    tell_at: Instant,
    is_to_be_told: bool,
}

impl Newest {
    fn tag(&self) -> String {
        format!("{}-{}", self.attempt.number, self.number)
    }

    fn event(&self) -> Event {
        let Attempt { job: id, number: attempt } = self.attempt;
        Event::JobPreview { id, attempt, number: self.number }
    }
}

impl Previews {
    /// What it does by itself is counted by `tasks`.
    pub(crate) fn new(tasks: TaskTracker) -> Arc<Self> {
        let (told, own) = (broadcast::Sender::new(EVENTS_AT_HAND), broadcast::Sender::new(64));
        let ending = CancellationToken::new();
        let (newest, elsewhere) = (Mutex::default(), Mutex::default());
        Arc::new(Self { newest, elsewhere, told, own, tasks, ending })
    }

    /// A worker has made a picture, and nothing in `folder` is anybody else's.
    pub(crate) fn show(
        self: &Arc<Self>,
        worker: &WorkerId,
        attempt: Attempt,
        picture: PictureUnderWay,
        folder: PathBuf,
    ) {
        let mut newest = self.lock();
        let before = newest.remove(worker).filter(|before| before.attempt == attempt);
        let now = clock::instant();
        let shown = match before {
            Some(before) => Newest { number: before.number + 1, picture, ..before },
            None => Newest {
                attempt,
                number: 1,
                picture,
                folder,
                made: None,
                turn: Arc::default(),
                tell_at: now,
                is_to_be_told: false,
            },
        };
        let shown = newest.entry(worker.clone()).or_insert(shown);
        if shown.tell_at <= now {
            shown.tell_at = now + TELL_EVERY;
            let event = shown.event();
            drop(newest);
            self.tell(event);
        } else if !std::mem::replace(&mut shown.is_to_be_told, true) {
            let (at, this, worker) = (shown.tell_at, Arc::clone(self), worker.clone());
            drop(newest);
            self.tasks.spawn(async move {
                tokio::select! {
                    () = this.ending.cancelled() => {}
                    () = sleep_until(at) => this.tell_latest(&worker, attempt),
                }
            });
        }
    }

    /// A worker and its folder are gone.
    pub(crate) fn forget(&self, worker: &WorkerId) {
        self.lock().remove(worker);
    }

    /// Nothing more is told.
    pub(crate) fn end(&self) {
        self.ending.cancel();
    }

    /// The newest picture of a job that has one here.
    pub(crate) async fn newest(&self, job: JobId) -> Option<Arc<Preview>> {
        let turn = self.with(job, |newest| Arc::clone(&newest.turn))?;
        let _turn = turn.lock().await;
        let look = |newest: &mut Newest| {
            let (tag, made) = (newest.tag(), newest.made.clone());
            (newest.picture.clone(), newest.folder.clone(), tag, made)
        };
        let (picture, folder, tag, made) = self.with(job, look)?;
        if made.as_ref().is_some_and(|made| made.tag == tag) {
            return made;
        }
        let making = tokio::task::spawn_blocking(move || small::small(&picture, &folder, tag));
        match making.await {
            Ok(Ok(preview)) => {
                let preview = Arc::new(preview);
                self.with(job, |newest| newest.made = Some(Arc::clone(&preview)));
                Some(preview)
            }
            Ok(Err(error)) => {
                // As when the job has just ended: it takes its pictures with it.
                tracing::debug!(%job, %error, "could not make a preview");
                made
            }
            Err(error) => {
                tracing::warn!(%job, %error, "could not make a preview");
                made
            }
        }
    }

    /// What is told of pictures from now on, wherever they are made.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.told.subscribe()
    }

    /// What was told of a job last, for who was not there.
    pub(crate) fn told_last(&self, job: JobId) -> Option<Event> {
        let here = self.with(job, |newest| newest.event());
        here.or_else(|| self.elsewhere().get(&job).cloned())
    }

    /// What is told of pictures of this node from now on.
    #[cfg_attr(not(feature = "nats"), expect(dead_code, reason = "there are no other nodes"))]
    pub(crate) fn subscribe_to_own(&self) -> broadcast::Receiver<Event> {
        self.own.subscribe()
    }

    /// Tells what another node has told.
    #[cfg_attr(not(feature = "nats"), expect(dead_code, reason = "there are no other nodes"))]
    pub(crate) fn pass_on(&self, event: Event) {
        if let Some(job) = event.job_id() {
            let mut elsewhere = self.elsewhere();
            if elsewhere.len() >= MOST_ELSEWHERE {
                elsewhere.clear();
            }
            elsewhere.insert(job, event.clone());
        }
        let _nobody_listens = self.told.send(event);
    }

    fn tell_latest(&self, worker: &WorkerId, attempt: Attempt) {
        let mut newest = self.lock();
        let Some(shown) = newest.get_mut(worker).filter(|shown| shown.attempt == attempt) else {
            return;
        };
        shown.is_to_be_told = false;
        shown.tell_at = clock::instant() + TELL_EVERY;
        let event = shown.event();
        drop(newest);
        self.tell(event);
    }

    fn tell(&self, event: Event) {
        let _nobody_listens = self.own.send(event.clone());
        let _nobody_listens = self.told.send(event);
    }

    /// Looks at the newest of a job, which is that of its latest attempt.
    fn with<T>(&self, job: JobId, look: impl FnOnce(&mut Newest) -> T) -> Option<T> {
        let mut newest = self.lock();
        let of_job = newest.values_mut().filter(|newest| newest.attempt.job == job);
        of_job.max_by_key(|newest| newest.attempt.number).map(look)
    }

    fn elsewhere(&self) -> MutexGuard<'_, HashMap<JobId, Event>> {
        // Nothing that can panic runs under the lock.
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Newest>> {
        // Nothing that can panic runs under the lock.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
