//! What add-ons offer to programs, whether or not a server runs: `_native.Offers`.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Methods, resources and prompts. A server that is given it offers what is in there just now.
#[pyclass(frozen, module = "aiobpy._native")]
#[derive(Default)]
pub(crate) struct Offers {
    pub(crate) offers: Arc<aiobpy_server::Offers>,
}

#[pymethods]
impl Offers {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Offers something, in the place of what had its name. `description` is the text of a JSON
    /// object: `Offer` of the server.
    ///
    /// Raises `ValueError` if it is not one.
    fn put(&self, description: &str) -> PyResult<()> {
        let offer = serde_json::from_str(description)
            .map_err(|error| PyValueError::new_err(format!("not an offer: {error}")))?;
        self.offers.put(offer);
        Ok(())
    }

    /// Offers something no more: `kind` is `method`, `resource` or `prompt`.
    fn remove(&self, kind: &str, name: &str) {
        self.offers.remove(kind, name);
    }

    /// Tells those who watch a resource that it reads otherwise now.
    fn updated(&self, uri: String) {
        self.offers.updated(uri);
    }
}
