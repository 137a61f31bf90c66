//! Calls without a tuple of arguments. The stable ABI of Python 3.11 has them for methods only.

use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyString};

/// So many arguments are passed without a tuple.
const MOST: usize = 4;

/// `object.name(*arguments)`.
pub(crate) fn call_method<'py, const N: usize>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    arguments: [&Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    call_method_up_to_none(object, name, arguments.map(Some))
}

/// `object.name(…)` with the arguments that come before the first `None`.
#[expect(unsafe_code, reason = "in the stable ABI, PyO3 has no call without a tuple")]
pub(crate) fn call_method_up_to_none<'py, const N: usize>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    arguments: [Option<&Bound<'py, PyAny>>; N],
) -> PyResult<Bound<'py, PyAny>> {
    const { assert!(N <= MOST) };
    let pointer = |index| arguments.get(index).copied().flatten().map_or(null_mut(), Bound::as_ptr);
    // SAFETY: this thread is attached; the pointers are to objects that are borrowed for the whole
    // call; the first null pointer ends the list. What comes back is a new reference, or null with
    // an exception set.
    unsafe {
        Bound::from_owned_ptr_or_err(
            object.py(),
            ffi::PyObject_CallMethodObjArgs(
                object.as_ptr(),
                name.as_ptr(),
                pointer(0),
                pointer(1),
                pointer(2),
                pointer(3),
                null_mut::<ffi::PyObject>(),
            ),
        )
    }
}
