//! `contextvars.Context.run`, at the least cost that Python's stable ABI allows.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyAny;

use crate::call::call_method_up_to_none;

/// So many arguments are passed without a tuple.
pub(crate) const FEW: usize = 3;

/// Calls `callable` with `argument`, if there is one, within `context`.
pub(crate) fn run_in<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Bound<'py, PyAny>,
    argument: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    call_method_up_to_none(context, intern!(context.py(), "run"), [Some(callable), argument])
}

/// Calls `callable` within `context` with the arguments that come before the first `None`.
pub(crate) fn run_with_few<'py>(
    context: &Bound<'py, PyAny>,
    callable: &Py<PyAny>,
    arguments: [Option<&Py<PyAny>>; FEW],
) -> PyResult<Bound<'py, PyAny>> {
    let py = context.py();
    let [first, second, third] = arguments.map(|argument| argument.map(|it| it.bind(py)));
    let arguments = [Some(callable.bind(py)), first, second, third];
    call_method_up_to_none(context, intern!(py, "run"), arguments)
}
