//! What add-ons have hung on the web server: `_native.Sites`.

use std::sync::Arc;

use aiobpy_server::Source;
use bytes::Bytes;
use http::HeaderValue;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

const LONGEST_NAME: usize = 200;
/// Bytes of JSON that one event may carry: many are kept in memory.
const LARGEST_EVENT: usize = 64 << 10;

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

    /// Takes a site down. Requests under way go on; who follows something of it is sent away.
    fn remove(&self, prefix: &str) {
        self.sites.remove(prefix);
    }

    /// A feed of events that keeps the newest `most` of them.
    fn feed(&self, most: usize) -> Feed {
        let feed = Arc::new(aiobpy_server::Feed::new(most));
        let number = self.sites.add_source(&Source::Feed(Arc::clone(&feed)));
        Feed { feed, number: Number { number, sites: Arc::clone(&self.sites) } }
    }

    /// A place for the latest state of something.
    fn snapshot(&self) -> Snapshot {
        let snapshot = Arc::<aiobpy_server::Snapshot>::default();
        let number = self.sites.add_source(&Source::Snapshot(Arc::clone(&snapshot)));
        Snapshot { snapshot, number: Number { number, sites: Arc::clone(&self.sites) } }
    }
}

/// Known to the sites until it is dropped.
struct Number {
    number: u64,
    sites: Arc<aiobpy_server::Sites>,
}

impl Drop for Number {
    fn drop(&mut self) {
        self.sites.remove_source(self.number);
    }
}

/// Events for all who listen. Any thread may publish.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct Feed {
    feed: Arc<aiobpy_server::Feed>,
    number: Number,
}

#[pymethods]
impl Feed {
    #[getter]
    fn number(&self) -> u64 {
        self.number.number
    }

    /// Tells all who listen. `data` is the text of a JSON value.
    ///
    /// Raises `ValueError` if the name or the data has a line break, or they are too long.
    fn publish(&self, name: &str, data: &str) -> PyResult<()> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(['\r', '\n', '\0']) {
            return Err(PyValueError::new_err(format!("{name:?} is no name of an event")));
        }
        if data.len() > LARGEST_EVENT || data.contains(['\r', '\n']) {
            return Err(PyValueError::new_err(format!(
                "the data of an event may have {LARGEST_EVENT} bytes as JSON, and that of {name:?} \
                 has {}; publish where to find it instead",
                data.len()
            )));
        }
        self.feed.publish(name, data);
        Ok(())
    }
}

/// The latest state of something. Any thread may publish.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct Snapshot {
    snapshot: Arc<aiobpy_server::Snapshot>,
    number: Number,
}

#[pymethods]
impl Snapshot {
    #[getter]
    fn number(&self) -> u64 {
        self.number.number
    }

    /// Replaces the state, and tells all who follow it.
    ///
    /// Raises `ValueError` if the content type is none.
    fn publish(&self, data: &[u8], content_type: &str) -> PyResult<()> {
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| PyValueError::new_err(format!("{content_type:?} is no content type")))?;
        self.snapshot.publish(Bytes::copy_from_slice(data), content_type);
        Ok(())
    }
}
