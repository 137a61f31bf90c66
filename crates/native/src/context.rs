//! Contexts of `contextvars`, and calls within them, without a Python frame or a tuple.

use std::ptr::null_mut;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyAny, PyType};

use crate::call::call_method_up_to_none;
use crate::python_api::PythonApi;

/// So many arguments are passed without a tuple.
pub(crate) const FEW: usize = 3;

/// A copy of the present context.
pub(crate) fn copy_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    match PythonApi::get() {
        #[expect(unsafe_code, reason = "a function of Python's")]
        // SAFETY: this thread is attached; a new reference comes back, or null with an exception set.
        Some(api) => unsafe { Bound::from_owned_ptr_or_err(py, (api.copy_context)()) },
        None => COPY_CONTEXT.import(py, "contextvars", "copy_context")?.call0(),
    }
}

/// A copy of the present context; `None` if that is empty, and any empty one will do.
pub(crate) fn copy_context_unless_empty(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let copy = copy_context(py)?;
    Ok(if copy.len()? == 0 { None } else { Some(copy) })
}

/// A context with nothing in it.
pub(crate) fn new_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    context_class(py)?.call0()
}

/// Calls `callable` with `argument`, if there is one, within `context`.
pub(crate) fn run_in<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Bound<'py, PyAny>,
    argument: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    run_with_few(context, callable.as_unbound(), [argument.map(Bound::as_unbound), None, None])
}

/// Calls `callable` within `context` with the arguments that come before the first `None`.
pub(crate) fn run_with_few<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Py<PyAny>,
    arguments: [Option<&Py<PyAny>>; FEW],
) -> PyResult<Bound<'py, PyAny>> {
    match PythonApi::get() {
        Some(api) if is_plain_context(context) => {
            let context = Entered::new(api, context)?;
            let result = call(api, context.0.py(), callable, arguments);
            context.exit(result)
        }
        _ => run_by_method(context, callable, arguments),
    }
}

/// Whether it is exactly a `contextvars.Context`, as all are but those that somebody made up.
fn is_plain_context(context: &Bound<'_, PyAny>) -> bool {
    context_class(context.py()).is_ok_and(|class| context.get_type_ptr() == class.as_type_ptr())
}

fn context_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CONTEXT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CONTEXT.import(py, "contextvars", "Context")
}

struct Entered<'a, 'py>(&'a Bound<'py, PyAny>, PythonApi);

impl<'a, 'py> Entered<'a, 'py> {
    fn new(api: PythonApi, context: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        #[expect(unsafe_code, reason = "a function of Python's")]
        // SAFETY: this thread is attached, and `context` is exactly a `Context`.
        let result = unsafe { (api.enter_context)(context.as_ptr()) };
        if result == 0 { Ok(Self(context, api)) } else { Err(PyErr::fetch(context.py())) }
    }

    fn exit(self, result: PyResult<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        #[expect(unsafe_code, reason = "a function of Python's")]
        // SAFETY: this thread is attached, and has entered the context: whatever was called has left
        // all that it entered, as Python's own `Context.run` relies on, too.
        let left = unsafe { (self.1.exit_context)(self.0.as_ptr()) };
        if left == 0 { result } else { Err(PyErr::fetch(self.0.py())) }
    }
}

fn call<'py>(
    api: PythonApi,
    py: Python<'py>,
    callable: &Py<PyAny>,
    arguments: [Option<&Py<PyAny>>; FEW],
) -> PyResult<Bound<'py, PyAny>> {
    /// The callee may use the place before the first argument, and restores it.
    const HAS_PLACE_BEFORE: usize = 1 << (usize::BITS - 1);
    let count = arguments.iter().flatten().count();
    let [first, second, third] = arguments.map(|argument| argument.map_or(null_mut(), Py::as_ptr));
    let mut places = [null_mut(), first, second, third];
    #[expect(unsafe_code, reason = "a function of Python's")]
    // SAFETY: this thread is attached; the first `count` places after the one before them hold objects
    // that are borrowed for the whole call. What comes back is a new reference, or null with an
    // exception set.
    unsafe {
        let arguments = places.as_mut_ptr().add(1);
        let result = (api.call)(callable.as_ptr(), arguments, count | HAS_PLACE_BEFORE, null_mut());
        Bound::from_owned_ptr_or_err(py, result)
    }
}

fn run_by_method<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Py<PyAny>,
    arguments: [Option<&Py<PyAny>>; FEW],
) -> PyResult<Bound<'py, PyAny>> {
    let py = context.py();
    let [first, second, third] = arguments.map(|argument| argument.map(|it| it.bind(py)));
    let arguments = [Some(callable.bind(py)), first, second, third];
    call_method_up_to_none(context, intern!(py, "run"), arguments)
}
