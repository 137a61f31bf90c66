//! `contextvars.Context.run`, at the least cost that Python's stable ABI allows.

use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyAny;

/// Calls `callable` with `argument`, if there is one, within `context`.
#[expect(unsafe_code, reason = "in the stable ABI, PyO3 has no call without a tuple")]
pub(crate) fn run_in<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Bound<'py, PyAny>,
    argument: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = context.py();
    // SAFETY: this thread is attached; the pointers are to objects that are borrowed for the whole
    // call; a null pointer ends the list. What comes back is a new reference, or null with an
    // exception set.
    unsafe {
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyObject_CallMethodObjArgs(
                context.as_ptr(),
                intern!(py, "run").as_ptr(),
                callable.as_ptr(),
                argument.map_or(null_mut(), Bound::as_ptr),
                null_mut::<ffi::PyObject>(),
            ),
        )
    }
}
