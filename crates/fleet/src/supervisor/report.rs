//! What became of attempts, told to the engine until it has heard it.
//!
//! An engine may be away for a while, and a picture is worth the wait: while it is, the job is still this
//! node's, or another's, and then the report is refused.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{JobId, Problem};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::artefacts::Artefacts;
use crate::engine::{Answer, Attempt, Blame, Engine, EngineError, Made, Patience};
use crate::problems;
use crate::slot::OutputUnderWay;
use crate::specs::Specs;

/// Before the second try; then twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long a job waits for the same that is being kept.
const KEEP_LIMIT: Duration = Duration::from_secs(1);
/// How long a node that stops tries to get rid of its last reports.
const LAST_LIMIT: Duration = Duration::from_secs(5);

/// The reports that are on their way. A clone is another handle on the same.
#[derive(Debug)]
pub(crate) struct Reports<E> {
    engine: Arc<E>,
    /// The attempts whose ends are being told: until that is done they are this node's.
    under_way: Arc<Mutex<HashSet<Attempt>>>,
    /// The specs of what is being kept; each token is cancelled when that is told.
    keeping: Arc<Mutex<HashMap<String, CancellationToken>>>,
    tasks: TaskTracker,
    giving_up: CancellationToken,
}

impl<E> Clone for Reports<E> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            under_way: self.under_way.clone(),
            keeping: self.keeping.clone(),
            tasks: self.tasks.clone(),
            giving_up: self.giving_up.clone(),
        }
    }
}

impl<E: Engine> Reports<E> {
    pub(crate) fn new(engine: Arc<E>) -> Self {
        Self {
            engine,
            under_way: Arc::default(),
            keeping: Arc::default(),
            tasks: TaskTracker::new(),
            giving_up: CancellationToken::new(),
        }
    }

    /// The attempts whose ends are not told yet.
    pub(super) fn under_way(&self) -> Vec<Attempt> {
        self.lock().iter().copied().collect()
    }

    /// Stores a file, which ends its job, while the worker is at the next one.
    pub(super) fn keep(
        &self,
        artefacts: Artefacts,
        output: OutputUnderWay,
        specs: Option<Specs>,
        patience: Patience,
    ) {
        let attempt = output.attempt;
        let spec = output.begun.as_ref().map(|begun| begun.spec.clone());
        let told = CancellationToken::new();
        if let Some(spec) = spec.clone() {
            self.keeping().insert(spec, told.clone());
        }
        self.spawn(attempt, move |reports| async move {
            reports.keep_output(artefacts, output, specs, patience).await;
            if let Some(spec) = spec {
                reports.keeping().remove(&spec);
            }
            told.cancel();
        });
    }

    /// Waits until what is being kept with this spec is told, if something is.
    pub(super) async fn kept(&self, spec: &str) {
        let Some(told) = self.keeping().get(spec).cloned() else { return };
        // If that takes longer, it is made once more.
        let _ = timeout(KEEP_LIMIT, told.cancelled()).await;
    }

    pub(super) fn fail(&self, attempt: Attempt, problem: Problem) {
        self.spawn(
            attempt,
            move |reports| async move { reports.tell_failure(attempt, problem).await },
        );
    }

    pub(super) fn give_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) {
        self.spawn(attempt, move |reports| async move {
            reports.tell_given_back(attempt, problem, blame, patience).await;
        });
    }

    /// Waits until all is told, or as long as it may take.
    pub(super) async fn end(&self) {
        self.tasks.close();
        if timeout(LAST_LIMIT, self.tasks.wait()).await.is_err() {
            tracing::warn!("the engine is away: what the last jobs have come to is lost");
        }
        self.giving_up.cancel();
    }

    fn spawn<F>(&self, attempt: Attempt, tell: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let under_way = self.under_way.clone();
        self.lock().insert(attempt);
        let telling = tell(self.clone());
        self.tasks.spawn(async move {
            telling.await;
            under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
        });
    }

    fn keeping(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        // Nothing that can panic runs under the lock.
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Attempt>> {
        // Nothing that can panic runs under the lock.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_output(
        &self,
        artefacts: Artefacts,
        output: OutputUnderWay,
        specs: Option<Specs>,
        patience: Patience,
    ) {
        let OutputUnderWay { attempt, path, format, begun, .. } = output;
        let (span, store) = (tracing::Span::current(), artefacts.clone());
        let keeping =
            tokio::task::spawn_blocking(move || span.in_scope(|| store.keep(&path, format)));
        let kept = match keeping.await {
            Ok(Err(error)) if error.is_of_a_full_disk() || !artefacts.has_room() => {
                let problem = problems::no_artefact(error.to_string());
                return self.tell_given_back(attempt, problem, Blame::World, patience).await;
            }
            Ok(kept) => kept.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let artefact = match kept {
            Ok(artefact) => artefact,
            Err(detail) => {
                return self.tell_failure(attempt, problems::no_artefact(detail)).await;
            }
        };
        let file = artefacts.path(&artefact);
        let put = || self.engine.put_blob(artefact.clone(), file.clone());
        if self.until_heard(attempt.job, put).await {
            let spec = match specs.zip(begun) {
                Some((specs, begun)) => specs.end(begun).await,
                None => None,
            };
            let made = Made { artefact: artefact.clone(), spec, cached_from: None };
            self.until_heard(attempt.job, || self.engine.finish(attempt, made.clone())).await;
        }
    }

    async fn tell_given_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) {
        let engine = &self.engine;
        let give_back = || engine.give_back(attempt, problem.clone(), blame, patience);
        self.until_heard(attempt.job, give_back).await;
    }

    async fn tell_failure(&self, attempt: Attempt, problem: Problem) {
        self.until_heard(attempt.job, || self.engine.fail(attempt, problem.clone())).await;
    }

    /// Whether it was heard.
    async fn until_heard<T, F>(&self, job: JobId, tell: impl Fn() -> F) -> bool
    where
        F: Future<Output = Answer<T>>,
    {
        let mut wait = FIRST_WAIT;
        loop {
            match tell().await {
                Ok(_) => return true,
                Err(EngineError::Closed) => return false,
                Err(error) => {
                    tracing::error!(%job, %error, "could not note what became of a job");
                }
            }
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = self.giving_up.cancelled() => return false,
            }
        }
    }
}
