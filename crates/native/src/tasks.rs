//! `create_task` and `create_future`: they are called for every request, and need no Python frame.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyAny, PyDict, PyModule};

use crate::loop_core::LoopCore;
use crate::main_thread::Ready;

static BASE_EVENTS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
static FUTURES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
static TASKS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

#[pymethods]
impl LoopCore {
    /// As asyncio's own, to which it is left if there is more to do than to make a `Task`.
    #[pyo3(signature = (coro, **keywords))]
    fn create_task<'py>(
        slf: &Bound<'py, Self>,
        coro: &Bound<'py, PyAny>,
        keywords: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let is_given_a_loop = match &keywords {
            Some(keywords) => keywords.contains(intern!(py, "loop"))?,
            None => false,
        };
        if is_given_a_loop
            || this.is_debug()
            || this.check_open().is_err()
            || !slf.getattr(intern!(py, "_task_factory"))?.is_none()
        {
            return module(py, &BASE_EVENTS, "asyncio.base_events")?
                .getattr(intern!(py, "BaseEventLoop"))?
                .getattr(intern!(py, "create_task"))?
                .call((slf, coro), keywords.as_ref());
        }
        let keywords = match keywords {
            Some(keywords) => {
                keywords.set_item(intern!(py, "loop"), slf)?;
                keywords
            }
            None => Self::loop_as_keyword(slf)?,
        };
        module(py, &TASKS, "asyncio.tasks")?
            .getattr(intern!(py, "Task"))?
            .call((coro,), Some(&keywords))
    }

    /// As `create_task`, and takes the first step of the task at once: one that ends with it costs
    /// no turn of the loop. Called by a callback of the loop, outside of any task.
    fn _start_task<'py>(
        slf: &Bound<'py, Self>,
        coro: &Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "context"), context)?;
        let waiting = this.scheduled.borrow(py).len();
        let task = slf.getattr(intern!(py, "create_task"))?.call((coro,), Some(&keywords))?;
        // A program's own factory may have taken it already, or have it taken somewhere else.
        let is_ours = slf.getattr(intern!(py, "_task_factory"))?.is_none();
        let step = {
            let mut scheduled = this.scheduled.borrow_mut(py);
            let is_last = is_ours && scheduled.len() == waiting + 1;
            if is_last { scheduled.pop_back() } else { None }
        };
        if let Some(step) = step {
            this.begun.borrow_mut(py).replace(step.clone_ref(py));
            Ready::Callback(step).run(slf).1?;
        }
        Ok(task)
    }

    fn create_future<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let keywords = Self::loop_as_keyword(slf)?;
        module(py, &FUTURES, "asyncio.futures")?
            .getattr(intern!(py, "Future"))?
            .call((), Some(&keywords))
    }
}

impl LoopCore {
    /// `{"loop": self}`, made once. Callees only read it.
    fn loop_as_keyword<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let known = &slf.get().loop_as_keyword;
        if let Some(keywords) = &*known.borrow(py) {
            return Ok(keywords.bind(py).clone());
        }
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "loop"), slf)?;
        *known.borrow_mut(py) = Some(keywords.clone().unbind());
        Ok(keywords)
    }
}

fn module<'py>(
    py: Python<'py>,
    known: &'static PyOnceLock<Py<PyModule>>,
    name: &str,
) -> PyResult<Bound<'py, PyModule>> {
    let module = known.get_or_try_init(py, || py.import(name).map(Bound::unbind))?;
    Ok(module.bind(py).clone())
}
