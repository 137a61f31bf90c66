//! A callback with its arguments.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyTuple};

use crate::context::{FEW, run_with_few};

/// A callback and its arguments.
pub(crate) struct Callback {
    callable: Py<PyAny>,
    arguments: Arguments,
}

/// Nearly all callbacks have few arguments, and are called without a tuple of them.
enum Arguments {
    Few([Option<Py<PyAny>>; FEW]),
    Many(Py<PyTuple>),
}

impl Callback {
    pub(crate) fn new(
        callable: &Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
    ) -> PyResult<Self> {
        Ok(Self { callable: callable.clone().unbind(), arguments: Arguments::new(arguments)? })
    }

    /// Calls it within the context `context`.
    pub(crate) fn run_in(&self, context: &Bound<'_, PyAny>) -> PyResult<()> {
        match &self.arguments {
            Arguments::Few(few) => {
                run_with_few(context, &self.callable, few.each_ref().map(Option::as_ref)).map(drop)
            }
            Arguments::Many(arguments) => {
                let py = context.py();
                let arguments = arguments.bind(py).iter();
                let call: Vec<_> =
                    std::iter::once(self.callable.bind(py).clone()).chain(arguments).collect();
                context.call_method1(intern!(py, "run"), PyTuple::new(py, call)?).map(drop)
            }
        }
    }

    pub(crate) fn callable<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.callable.bind(py).clone()
    }

    pub(crate) fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match &self.arguments {
            Arguments::Few(few) => PyTuple::new(py, few.iter().flatten().collect::<Vec<_>>()),
            Arguments::Many(arguments) => Ok(arguments.bind(py).clone()),
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.callable)?;
        match &self.arguments {
            Arguments::Few(few) => {
                few.iter().flatten().try_for_each(|argument| visit.call(argument))
            }
            Arguments::Many(arguments) => visit.call(arguments),
        }
    }
}

impl Arguments {
    fn new(arguments: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let count = arguments.len();
        if count > FEW {
            return Ok(Self::Many(arguments.clone().unbind()));
        }
        let mut few = [None, None, None];
        for (index, slot) in few.iter_mut().take(count).enumerate() {
            *slot = Some(arguments.get_item(index)?.unbind());
        }
        Ok(Self::Few(few))
    }
}
