//! How an error of the system becomes one of Python.

use std::io;

use pyo3::PyErr;
use pyo3::exceptions::PyOSError;

/// An `OSError` with its number, so that Python makes it a `ConnectionResetError` and the like.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn os_error(error: io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((number, text))
        }
        None => PyOSError::new_err(error.to_string()),
    }
}
