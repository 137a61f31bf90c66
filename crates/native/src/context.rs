//! `contextvars.Context.run`, at the least cost that Python's stable ABI allows.

use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyAny;

/// So many arguments are passed without a tuple.
pub(crate) const FEW: usize = 3;

/// Calls `callable` with `argument`, if there is one, within `context`.
pub(crate) fn run_in<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Bound<'py, PyAny>,
    argument: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    run_with_few(context, callable.as_unbound(), [argument.map(Bound::as_unbound), None, None])
}

/// Calls `callable` within `context` with the arguments that come before the first `None`.
#[expect(unsafe_code, reason = "in the stable ABI, PyO3 has no call without a tuple")]
pub(crate) fn run_with_few<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Py<PyAny>,
    arguments: [Option<&Py<PyAny>>; FEW],
) -> PyResult<Bound<'py, PyAny>> {
    let py = context.py();
    let [first, second, third] = arguments.map(|argument| argument.map_or(null_mut(), Py::as_ptr));
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
                first,
                second,
                third,
                null_mut::<ffi::PyObject>(),
            ),
        )
    }
}
