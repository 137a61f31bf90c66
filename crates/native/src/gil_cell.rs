//! State that only the thread which holds the GIL touches.

use std::cell::{Ref, RefCell, RefMut};

use pyo3::Python;
use pyo3::gc::PyVisit;

/// A `RefCell` whose lock is the GIL.
///
/// Two threads never look at once, so a look costs no atomic operation and never waits; the garbage
/// collector, which must not wait, finds it free unless it runs inside of a look. To be borrowed
/// for moments: whoever calls Python meanwhile must expect others to find it taken.
#[derive(Default)]
pub(crate) struct GilCell<T>(RefCell<T>);

// SAFETY: the inner cell is reached in two ways only: with a `Python` token, which only the thread
// that is attached has, and with a `PyVisit`, which only the garbage collector has, on such a thread.
// This build takes part in the GIL (`gil_used = true`, and no abi3 module loads without one), so
// those threads take turns, and passing the GIL on orders what they do. A borrow lives no longer than
// the token, and cannot be sent into `Python::detach`. `T: Send`, as the thread changes.
#[expect(unsafe_code, reason = "the GIL is a lock that the compiler does not know of")]
unsafe impl<T: Send> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    pub(crate) fn borrow<'a>(&'a self, _py: Python<'a>) -> Ref<'a, T> {
        self.0.borrow()
    }

    pub(crate) fn borrow_mut<'a>(&'a self, _py: Python<'a>) -> RefMut<'a, T> {
        self.0.borrow_mut()
    }

    /// `None` while somebody further up this thread's stack has it.
    pub(crate) fn try_borrow_mut<'a>(&'a self, _py: Python<'a>) -> Option<RefMut<'a, T>> {
        self.0.try_borrow_mut().ok()
    }

    /// For `__traverse__`: `None` while it is being changed.
    pub(crate) fn visited<'a>(&'a self, _visit: &'a PyVisit<'_>) -> Option<Ref<'a, T>> {
        self.0.try_borrow().ok()
    }
}
