//! Handles that wait by the thousand, which the garbage collector need not go through.
//!
//! Each of its runs looks at every handle that has been made since the last one, and those that wait
//! survive: with a hundred thousand of them it costs more than all the rest. So it is told only of
//! the first that wait ([`FIRST`]). Of the others the loop answers for what they hold
//! ([`traverse`]), as long as nobody else holds them; who keeps one gets it tracked when it has run,
//! is cancelled or loses its loop ([`track`]). Their contexts stay tracked: Python relies on it when
//! it frees one.
//!
//! What that costs: a loop that is let go of without being closed, with more than so many callbacks
//! waiting, is not collected if something that only it holds keeps one of their handles.

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::handle::{Handle, TimerHandle};

/// From so many waiting handles on, the collector is not told of another.
pub(crate) const FIRST: usize = 1000;

/// Keeps a handle that has just been made from the collector.
pub(crate) fn untrack(handle: &Bound<'_, Handle>) {
    #[expect(unsafe_code, reason = "PyO3 has all objects tracked")]
    // SAFETY: this thread is attached, and a handle is an object with the collector's header.
    unsafe {
        ffi::PyObject_GC_UnTrack(handle.as_ptr().cast());
    }
}

/// Tells the collector of it, if it does not know yet.
pub(crate) fn track(handle: &Bound<'_, Handle>) {
    if is_tracked(handle.as_unbound()) {
        return;
    }
    #[expect(unsafe_code, reason = "PyO3 has all objects tracked")]
    // SAFETY: this thread is attached; a handle is an object with the collector's header, complete,
    // and not tracked.
    unsafe {
        ffi::PyObject_GC_Track(handle.as_ptr().cast());
    }
}

/// Once it has run: tells the collector of it if somebody else has it, too.
pub(crate) fn track_if_kept(handle: &Bound<'_, Handle>) {
    if count(handle.as_unbound()) > 1 {
        track(handle);
    }
}

/// For the loop's `__traverse__`: a timer that waits.
pub(crate) fn traverse_timer(
    timer: &Py<TimerHandle>,
    visit: &PyVisit<'_>,
) -> Result<(), PyTraverseError> {
    #[expect(unsafe_code, reason = "there is no `Python` token while the collector looks")]
    // SAFETY: this thread holds the GIL, as it collects. The token shows the timer as the handle that
    // it is, and touches no count.
    let py = unsafe { Python::assume_attached() };
    traverse(timer.bind(py).as_super().as_unbound(), visit)
}

/// For the loop's `__traverse__`: a handle that waits.
pub(crate) fn traverse(handle: &Py<Handle>, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    visit.call(handle)?;
    let is_ours_alone = count(handle) == 1;
    if is_ours_alone && !is_tracked(handle) {
        handle.get().traverse(visit)?;
    }
    Ok(())
}

/// Whether the collector knows of it.
pub(crate) fn is_tracked(handle: &Py<Handle>) -> bool {
    #[expect(unsafe_code, reason = "PyO3 does not tell")]
    // SAFETY: this thread holds the GIL: it is attached, or it collects. The state is only read.
    unsafe {
        ffi::PyObject_GC_IsTracked(handle.as_ptr()) != 0
    }
}

/// How many references there are to it.
pub(crate) fn count<T>(object: &Py<T>) -> isize {
    #[expect(unsafe_code, reason = "PyO3 does not tell")]
    // SAFETY: as in `is_tracked`.
    unsafe {
        ffi::Py_REFCNT(object.as_ptr())
    }
}
