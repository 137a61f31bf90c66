//! What is left to run of the turn under way.

use std::collections::VecDeque;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::handle::{Handle, TimerHandle};
use crate::main_thread::Ready;
use crate::untracked;

/// One generation of callbacks, in this order: what the program had scheduled when the turn began,
/// then what had arrived, then the timers that were due.
#[derive(Default)]
pub(crate) struct Generation {
    pub(crate) scheduled: VecDeque<Py<Handle>>,
    pub(crate) arrived: VecDeque<Ready>,
    pub(crate) due: VecDeque<Py<TimerHandle>>,
}

impl Generation {
    pub(crate) fn is_empty(&self) -> bool {
        self.scheduled.is_empty() && self.arrived.is_empty() && self.due.is_empty()
    }

    pub(crate) fn next(&mut self, py: Python<'_>) -> Option<Ready> {
        if let Some(handle) = self.scheduled.pop_front() {
            return Some(Ready::Callback(handle));
        }
        if let Some(ready) = self.arrived.pop_front() {
            return Some(ready);
        }
        let timer = self.due.pop_front()?.into_bound(py);
        Some(Ready::Callback(timer.into_super().unbind()))
    }

    /// The callbacks in here, in order.
    pub(crate) fn callbacks(&self, py: Python<'_>) -> Vec<Py<Handle>> {
        let due = self.due.iter().map(|timer| timer.bind(py).as_super().clone().unbind());
        self.scheduled.iter().map(|handle| handle.clone_ref(py)).chain(due).collect()
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.scheduled.iter().try_for_each(|handle| untracked::traverse(handle, visit))?;
        self.arrived.iter().try_for_each(|ready| ready.traverse(visit))?;
        self.due.iter().try_for_each(|timer| untracked::traverse_timer(timer, visit))
    }
}
