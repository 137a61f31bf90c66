//! What `await` takes: a value that is there already, or that of a future of the loop.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::gil_cell::GilCell;

/// A coroutine in all but name, so that tasks can be made of it too. It costs no turn of the loop
/// if the value is there.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct Outcome(GilCell<State>);

enum State {
    /// `None`, as often as it is asked for.
    Nothing,
    Value(Py<PyAny>),
    /// A future, awaited from the first step on.
    Future(Py<PyAny>),
    Iterator(Py<PyAny>),
    Taken,
}

impl Outcome {
    /// `None`: the same object for all, as most of what is sent is taken at once.
    pub(crate) fn nothing(py: Python<'_>) -> PyResult<Bound<'_, Self>> {
        static NOTHING: PyOnceLock<Py<Outcome>> = PyOnceLock::new();
        let make = || Py::new(py, Self(GilCell::new(State::Nothing)));
        NOTHING.get_or_try_init(py, make).map(|nothing| nothing.bind(py).clone())
    }

    pub(crate) fn value(py: Python<'_>, value: Py<PyAny>) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, Self(GilCell::new(State::Value(value))))
    }

    pub(crate) fn future<'py>(future: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        Bound::new(future.py(), Self(GilCell::new(State::Future(future.clone().unbind()))))
    }
}

#[pymethods]
impl Outcome {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// `None` here is the end without an exception, which costs the least.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if matches!(*self.0.borrow(py), State::Nothing) {
            return Ok(None);
        }
        self.send(py, py.None()).map(Some)
    }

    /// One step: raises `StopIteration` with the value at the end.
    fn send<'py>(&self, py: Python<'py>, value: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.take(py) {
            State::Nothing => Err(PyStopIteration::new_err(())),
            State::Value(value) => Err(PyStopIteration::new_err((value,))),
            State::Future(future) => {
                let iterator = future.bind(py).call_method0(intern!(py, "__await__"))?;
                self.step(&iterator, intern!(py, "__next__"), None)
            }
            State::Iterator(iterator) => {
                self.step(iterator.bind(py), intern!(py, "send"), Some(value))
            }
            State::Taken => Err(PyRuntimeError::new_err("it was awaited already")),
        }
    }

    #[pyo3(signature = (kind, value = None, traceback = None))]
    fn throw<'py>(
        &self,
        py: Python<'py>,
        kind: Py<PyAny>,
        value: Option<Py<PyAny>>,
        traceback: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let State::Iterator(iterator) = self.take(py) {
            let next = iterator.bind(py).call_method1("throw", (kind, value, traceback))?;
            *self.0.borrow_mut(py) = State::Iterator(iterator);
            return Ok(next);
        }
        let kind = kind.into_bound(py);
        let error = match value {
            Some(value) if !value.is_none(py) => value.into_bound(py),
            _ if kind.is_instance_of::<pyo3::types::PyType>() => kind.call0()?,
            _ => kind,
        };
        Err(PyErr::from_value(error))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Iterator(iterator) = self.take(py) {
            iterator.bind(py).call_method0("close")?;
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.visited(&visit).as_deref() {
            Some(State::Value(held) | State::Future(held) | State::Iterator(held)) => {
                visit.call(held)
            }
            Some(State::Nothing | State::Taken) | None => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.take(py));
    }
}

impl Outcome {
    fn take(&self, py: Python<'_>) -> State {
        let mut state = self.0.borrow_mut(py);
        match *state {
            State::Nothing => State::Nothing,
            _ => std::mem::replace(&mut *state, State::Taken),
        }
    }

    fn step<'py>(
        &self,
        iterator: &Bound<'py, PyAny>,
        method: &Bound<'py, pyo3::types::PyString>,
        argument: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let next = match argument {
            Some(argument) => iterator.call_method1(method, (argument,))?,
            None => iterator.call_method0(method)?,
        };
        *self.0.borrow_mut(iterator.py()) = State::Iterator(iterator.clone().unbind());
        Ok(next)
    }
}
