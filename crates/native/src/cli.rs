//! The command `aiobpy`, as the wheel's console script calls it.

use std::ffi::OsString;
use std::path::PathBuf;

use aiobpy_cli::Surroundings;
use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(cli, module)?)
}

/// Runs the command with `argv`, its own name first, and returns its exit code.
///
/// `python` is to run the workers; `package_dir` holds the package `aiobpy`; `prefix` is the
/// environment of `python`.
#[pyfunction]
fn cli(
    py: Python<'_>,
    argv: Vec<OsString>,
    python: PathBuf,
    package_dir: PathBuf,
    prefix: PathBuf,
) -> u8 {
    let surroundings =
        Surroundings { python: Some(python), package_dir: Some(package_dir), prefix: Some(prefix) };
    py.detach(|| aiobpy_cli::run(argv, surroundings))
}
