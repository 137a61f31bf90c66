//! A file of a form: `_native.UploadedFile`.

use std::path::PathBuf;

use aiobpy_server::{Content, ReceivedBody, Upload};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Exchange;

/// It lives as long as somebody holds it; what is on the disk is removed then.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct UploadedFile {
    exchange: Py<Exchange>,
    index: usize,
}

impl UploadedFile {
    pub(super) fn new(exchange: &Bound<'_, Exchange>, index: usize) -> Self {
        Self { exchange: exchange.clone().unbind(), index }
    }

    fn upload(&self) -> Option<&Upload> {
        match &self.exchange.get().end.head.body {
            ReceivedBody::Form(form) => form.uploads.get(self.index),
            _ => None,
        }
    }
}

#[pymethods]
impl UploadedFile {
    /// Of its field.
    #[getter]
    fn name(&self) -> &str {
        self.upload().map_or("", |upload| &upload.name)
    }

    #[getter]
    fn file_name(&self) -> &str {
        self.upload().map_or("", |upload| &upload.file_name)
    }

    #[getter]
    fn content_type(&self) -> &str {
        self.upload().map_or("", |upload| &upload.content_type)
    }

    #[getter]
    fn size(&self) -> u64 {
        self.upload().map_or(0, |upload| upload.bytes)
    }

    /// Its bytes, if they are in memory.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.upload()?.content {
            Content::Memory(bytes) => Some(PyBytes::new(py, bytes)),
            Content::Disk(_) => None,
        }
    }

    /// Where they are on the disk, if they are.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        match &self.upload()?.content {
            Content::Memory(_) => None,
            Content::Disk(path) => Some(path.to_path_buf()),
        }
    }
}
