//! Calls that take long: each goes on after its request was answered, is followed, cancelled, and
//! remembered for a while after its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{Operation, OperationId, OperationState, Scope};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::caller::Caller;
use crate::clock::Stopwatch;
use crate::error::Failure;
use crate::main_thread::{Next, Note, Pending};

/// So many may run at once.
const MOST_RUNNING: usize = 64;
/// So many are remembered, those that run included.
const MOST_KEPT: usize = 512;
/// Bytes of all results that are remembered.
const MOST_BYTES: usize = 64 << 20;
/// For so long after its end an operation is remembered, if there is room.
const RETENTION: Duration = Duration::from_hours(1);

/// So long it may take until a method has begun, or has refused, which its caller is told at once.
const BEGINNING: Duration = Duration::from_secs(2);

/// The operations of one server, the oldest first.
#[derive(Default)]
pub(crate) struct Operations(Mutex<BTreeMap<OperationId, Arc<Kept>>>);

struct Kept {
    now: watch::Sender<Operation>,
    /// What one needs to see it: what calling its method takes.
    scope: Scope,
    cancel: CancellationToken,
    ended: Mutex<Option<(Stopwatch, usize)>>,
}

impl Operations {
    /// Begins to call a method, and returns the operation that this becomes.
    pub(crate) async fn start(
        &self,
        caller: &Caller,
        method: &str,
        params: String,
    ) -> Result<Operation, Failure> {
        let scope = caller.shared.offers.method(method).map_or(Scope::default(), |it| it.scope);
        self.make_room()?;
        let mut pending = caller.start(method.to_owned(), params)?;
        let first = match tokio::time::timeout(BEGINNING, pending.next()).await {
            Ok(Some(Next::Answer(Err(failure)))) => return Err(failure),
            Ok(first) => first,
            Err(_elapsed) => None,
        };
        let operation = Operation {
            id: OperationId::new(Uuid::now_v7()),
            method: method.to_owned(),
            state: OperationState::Running,
            progress: None,
            message: None,
            result: None,
            problem: None,
            created_at: Timestamp::now(),
            ended_at: None,
        };
        let kept = Arc::new(Kept {
            now: watch::Sender::new(operation.clone()),
            scope,
            cancel: caller.shared.stopping.child_token(),
            ended: Mutex::new(None),
        });
        self.lock().insert(operation.id, Arc::clone(&kept));
        caller.shared.tasks.spawn(async move { kept.run(first, pending).await });
        Ok(operation)
    }

    /// Those that the caller may see, the newest first, without their results.
    pub(crate) fn list(&self, caller: &Caller) -> Vec<Operation> {
        let kept = self.lock();
        let seen = kept.values().rev().filter(|kept| caller.principal.has(kept.scope));
        seen.map(|kept| Operation { result: None, ..kept.now.borrow().clone() }).collect()
    }

    /// Follows an operation: its state now, and whenever it changes.
    pub(crate) fn watch(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<watch::Receiver<Operation>, Failure> {
        Ok(self.find(caller, id)?.now.subscribe())
    }

    /// Cancels an operation, if it still runs, forgets it, and returns it as it is at its end. Who
    /// follows it is told of that.
    pub(crate) fn cancel(&self, caller: &Caller, id: &str) -> Result<Operation, Failure> {
        let kept = self.find(caller, id)?;
        self.lock().retain(|_, other| !Arc::ptr_eq(other, &kept));
        kept.cancel.cancel();
        kept.end(OperationState::Cancelled, |_| ());
        let operation = kept.now.borrow().clone();
        Ok(operation)
    }

    fn find(&self, caller: &Caller, id: &str) -> Result<Arc<Kept>, Failure> {
        let unknown = || Failure::UnknownOperation { id: id.to_owned() };
        let kept = self.lock().get(&id.parse().map_err(|_| unknown())?).cloned();
        let kept = kept.ok_or_else(unknown)?;
        caller.principal.may(kept.scope)?;
        Ok(kept)
    }

    /// Forgets what is too old or too much.
    fn make_room(&self) -> Result<(), Failure> {
        let mut kept = self.lock();
        let ended = |kept: &Kept| *lock(&kept.ended);
        let is_old =
            |kept: &Kept| ended(kept).is_some_and(|(ended, _)| ended.elapsed() > RETENTION);
        kept.retain(|_, kept| !is_old(kept));
        let running = kept.values().filter(|kept| ended(kept).is_none()).count();
        if running >= MOST_RUNNING {
            return Err(Failure::TooManyOperations { most: MOST_RUNNING });
        }
        let mut bytes: usize = kept.values().filter_map(|kept| ended(kept)).map(|it| it.1).sum();
        while bytes > MOST_BYTES || kept.len() >= MOST_KEPT {
            let oldest = kept.iter().find_map(|(id, kept)| Some((*id, ended(kept)?.1)));
            let Some((id, freed)) = oldest else { break };
            kept.remove(&id);
            bytes -= freed;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<OperationId, Arc<Kept>>> {
        lock(&self.0)
    }
}

impl Kept {
    async fn run(&self, mut first: Option<Next>, mut pending: Pending) {
        loop {
            let next = tokio::select! {
                biased;
                // Dropping the call cancels it.
                () = self.cancel.cancelled() => break,
                next = async { if first.is_some() { first.take() } else { pending.next().await } } => next,
            };
            match next {
                Some(Next::Note(Note::Progress { fraction, text })) => {
                    self.now.send_modify(|operation| {
                        operation.progress = fraction;
                        operation.message = Some(text).filter(|text| !text.is_empty());
                    });
                }
                // There is nobody to ask, and nobody who logs.
                Some(Next::Note(_)) => {}
                Some(Next::Answer(Ok(answered))) => {
                    let result = serde_json::from_str(&answered.json).ok();
                    let bytes = answered.json.len();
                    self.end(OperationState::Finished, |operation| operation.result = result);
                    self.note_end(bytes);
                    return;
                }
                Some(Next::Answer(Err(failure))) => {
                    let problem = failure.problem();
                    self.end(OperationState::Failed, |operation| operation.problem = Some(problem));
                    break;
                }
                None => break,
            }
        }
        self.end(OperationState::Cancelled, |_| ());
        self.note_end(0);
    }

    /// Only the first end counts.
    fn end(&self, state: OperationState, change: impl FnOnce(&mut Operation)) {
        self.now.send_if_modified(|operation| {
            if operation.is_final() {
                return false;
            }
            change(operation);
            operation.state = state;
            operation.ended_at = Some(Timestamp::now());
            if state == OperationState::Finished {
                operation.progress = Some(1.0);
            }
            true
        });
    }

    fn note_end(&self, bytes: usize) {
        *lock(&self.ended) = Some((Stopwatch::start(), bytes));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
