//! What each callback needs and the next one can use again: its handle, and an empty context.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyAny;

use crate::context::new_context;
use crate::gil_cell::GilCell;
use crate::handle::Handle;
use crate::untracked::{count, is_tracked};

/// What a loop keeps for the callbacks to come.
#[derive(Default)]
pub(crate) struct Spares {
    /// Handles of this loop that have run, with nothing in them, which nobody else has.
    handles: GilCell<Vec<Py<Handle>>>,
    /// For the callbacks that run in an empty context, one after the other: most programs have no
    /// variables of a context. Taken out while one runs.
    context: GilCell<Option<Py<PyAny>>>,
}

/// So many handles are kept: more than most turns have.
const HANDLES: usize = 128;

impl Spares {
    /// An empty handle, if there is one.
    pub(crate) fn take_handle<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Handle>> {
        self.handles.borrow_mut(py).pop().map(|handle| handle.into_bound(py))
    }

    /// Lets go of a handle that has run; keeps it if nobody else has it.
    pub(crate) fn put_handle(&self, handle: Bound<'_, Handle>) {
        let py = handle.py();
        if !is_ours_alone(&handle) || !handle.get().empty(py) {
            return;
        }
        let mut handles = self.handles.borrow_mut(py);
        // Asked again: to let go of what it held may have run any code.
        if handles.len() < HANDLES && is_ours_alone(&handle) {
            handles.push(handle.unbind());
        }
    }

    /// A context with nothing in it.
    pub(crate) fn take_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let known = self.context.borrow_mut(py).take();
        known.map_or_else(|| new_context(py), |context| Ok(context.into_bound(py)))
    }

    /// Keeps a context in which nothing is, and which nobody else has.
    pub(crate) fn put_context(&self, context: Bound<'_, PyAny>) {
        let py = context.py();
        let replaced = self.context.borrow_mut(py).replace(context.unbind());
        drop(replaced);
    }

    pub(crate) fn clear(&self, py: Python<'_>) {
        let handles = std::mem::take(&mut *self.handles.borrow_mut(py));
        let context = self.context.borrow_mut(py).take();
        drop((handles, context));
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(context) = self.context.visited(visit) {
            visit.call(&*context)?;
        }
        match self.handles.visited(visit) {
            Some(handles) => handles.iter().try_for_each(|handle| visit.call(handle)),
            None => Ok(()),
        }
    }
}

/// Whether it can be used again: an ordinary handle that the collector knows, to which there is no
/// other reference, not even a weak one.
fn is_ours_alone(handle: &Bound<'_, Handle>) -> bool {
    count(handle.as_unbound()) == 1
        && handle.is_exact_instance_of::<Handle>()
        && is_tracked(handle.as_unbound())
        && !has_weak_references(handle)
}

fn has_weak_references(handle: &Bound<'_, Handle>) -> bool {
    static OFFSET: PyOnceLock<usize> = PyOnceLock::new();
    let py = handle.py();
    let offset = OFFSET.get_or_init(py, || {
        let offset = py.get_type::<Handle>().getattr(intern!(py, "__weakrefoffset__"));
        offset.and_then(|offset| offset.extract()).unwrap_or(0)
    });
    if *offset == 0 {
        return true;
    }
    #[expect(unsafe_code, reason = "Python tells where the list is, for code like this")]
    // SAFETY: so many bytes into each object of exactly this class is the pointer to the list of the
    // weak references to it, null if there are none. This thread holds the GIL.
    let list = unsafe { handle.as_ptr().cast::<*const u8>().byte_add(*offset).read() };
    !list.is_null()
}
