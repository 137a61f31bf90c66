//! What `aiobpy.transfer` orders, as Python writes it: dicts with fixed keys.

use std::path::PathBuf;
use std::time::Duration;

use aiobpy_transfer::{Download, Fetch, Form, Manners, Proxies, Upload};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What `aiobpy.transfer` says of every request.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct PyManners {
    headers: Vec<(String, String)>,
    timeout: f64,
    connect_timeout: f64,
    cafile: Option<PathBuf>,
    allow_downgrade: bool,
    allow_leaving: bool,
    /// `(for http, for https, hosts without one)`.
    proxies: (Option<String>, Option<String>, Option<String>),
}

impl PyManners {
    fn checked(self) -> PyResult<Manners> {
        let (http, https, none_for) = self.proxies;
        Ok(Manners {
            headers: self.headers,
            timeout: seconds("timeout", self.timeout)?,
            connect_timeout: seconds("connect_timeout", self.connect_timeout)?,
            cafile: self.cafile,
            allow_downgrade: self.allow_downgrade,
            allow_leaving: self.allow_leaving,
            proxies: Proxies { http, https, none_for },
        })
    }
}

fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero()).ok_or_else(|| {
        PyValueError::new_err(format!(
            "{name} has to be a positive number of seconds, not {seconds}"
        ))
    })
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct DownloadOrder {
    urls: Vec<String>,
    path: PathBuf,
    sha256: Option<String>,
    resume: bool,
    compressed: bool,
    retries: u32,
    manners: PyManners,
}

impl DownloadOrder {
    pub(crate) fn checked(self) -> PyResult<Download> {
        Ok(Download {
            urls: self.urls,
            target: self.path,
            sha256: self.sha256,
            resume: self.resume,
            compressed: self.compressed,
            retries: self.retries,
            manners: self.manners.checked()?,
        })
    }
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct PyForm {
    fields: Vec<(String, String)>,
    file_field: String,
    file_name: String,
    boundary: String,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct UploadOrder {
    url: String,
    file: PathBuf,
    method: String,
    content_type: String,
    form: Option<PyForm>,
    limit: u64,
    manners: PyManners,
}

impl UploadOrder {
    pub(crate) fn checked(self) -> PyResult<Upload> {
        let form = self.form.map(|PyForm { fields, file_field, file_name, boundary }| Form {
            fields,
            file_field,
            file_name,
            boundary,
        });
        Ok(Upload {
            url: self.url,
            method: self.method,
            file: self.file,
            content_type: self.content_type,
            form,
            limit: self.limit,
            manners: self.manners.checked()?,
        })
    }
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct FetchOrder {
    url: String,
    method: String,
    body: Option<Vec<u8>>,
    content_type: Option<String>,
    limit: u64,
    check: bool,
    manners: PyManners,
}

impl FetchOrder {
    pub(crate) fn checked(self) -> PyResult<Fetch> {
        Ok(Fetch {
            url: self.url,
            method: self.method,
            body: self.body,
            content_type: self.content_type,
            limit: self.limit,
            check: self.check,
            manners: self.manners.checked()?,
        })
    }
}
