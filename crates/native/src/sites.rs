//! What add-ons have hung on the web server: `_native.Sites`.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What is served by whichever server of this process runs, also while none does.
#[pyclass(frozen, module = "aiobpy._native")]
#[derive(Default)]
pub(crate) struct Sites {
    pub(crate) sites: Arc<aiobpy_server::Sites>,
}

#[pymethods]
impl Sites {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Puts up a site, in the place of the one that had its prefix. `description` is the text of a
    /// JSON object: `SiteDescription` of the server.
    ///
    /// Raises `ValueError` if a pattern or a method cannot be used.
    fn put(&self, description: &str) -> PyResult<()> {
        let description = serde_json::from_str(description)
            .map_err(|error| PyValueError::new_err(format!("not a site: {error}")))?;
        self.sites.put(description).map_err(PyValueError::new_err)
    }

    /// Takes a site down. Requests under way go on.
    fn remove(&self, prefix: &str) {
        self.sites.remove(prefix);
    }
}
