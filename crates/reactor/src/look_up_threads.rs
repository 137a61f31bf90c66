//! Threads for the system's resolver, which can only wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type LookUp = Box<dyn FnOnce() + Send>;

/// Starts a thread when all are busy, up to a bound; one that has had nothing to do ends.
#[derive(Debug, Default)]
pub(crate) struct LookUpThreads {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<LookUp>,
    threads: usize,
    idle: usize,
    is_ending: bool,
}

const THREADS_MAX: usize = 8;
/// A thread that has had nothing to do for so long ends.
const KEPT_IDLE: Duration = Duration::from_secs(5);
/// How long a look-up under way may delay the end: the system's resolver cannot be stopped.
const LONGEST_GOODBYE: Duration = Duration::from_millis(100);

impl LookUpThreads {
    pub(crate) fn run(&self, look_up: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.state();
        state.waiting.push_back(Box::new(look_up));
        if state.idle < state.waiting.len() && state.threads < THREADS_MAX {
            let shared = Arc::clone(&self.shared);
            let started = std::thread::Builder::new()
                .name("aiobpy-resolver".to_owned())
                .spawn(move || shared.work());
            match started {
                Ok(_detached) => state.threads += 1,
                // Those that there are will get to it.
                Err(error) => tracing::error!(%error, "could not start a thread for look-ups"),
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for LookUpThreads {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_ending = true;
        state.waiting.clear();
        self.shared.changed.notify_all();
        let _gone_or_given_up =
            self.shared.changed.wait_timeout_while(state, LONGEST_GOODBYE, |it| it.threads > 0);
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(look_up) = state.waiting.pop_front() {
                drop(state);
                look_up();
                state = self.state();
                continue;
            }
            if state.is_ending {
                break;
            }
            state.idle += 1;
            let (woken, waited) =
                self.changed.wait_timeout(state, KEPT_IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.waiting.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        drop(state);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}
