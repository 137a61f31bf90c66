//! How much of a body an answer may have, and whether it has it.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// What `Content-Length` has promised. A client would take a longer body for the next answer, and
/// wait for the rest of a shorter one (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Length {
    promised: Option<u64>,
    sent: u64,
    /// As with 204: what is sent all the same is dropped.
    has_no_body: bool,
    /// As with HEAD: the length is that of another answer.
    is_unchecked: bool,
}

impl Length {
    /// # Errors
    /// `Content-Length` is no number, or there are several.
    pub(super) fn of(status: StatusCode, method: &Method, headers: &HeaderMap) -> PyResult<Self> {
        let mut given = headers.get_all(header::CONTENT_LENGTH).iter();
        let promised = match (given.next(), given.next()) {
            (None, _) => None,
            (Some(value), None) => Some(number(value.as_bytes())?),
            (Some(_), Some(_)) => {
                return Err(PyValueError::new_err("the answer has several `Content-Length`"));
            }
        };
        let has_no_body = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(Self { promised, sent: 0, has_no_body, is_unchecked: *method == Method::HEAD })
    }

    /// Counts a part of the body, and returns what is to be sent of it.
    ///
    /// # Errors
    /// It is more than was promised, or the last part and less.
    pub(super) fn count(&mut self, body: Bytes, is_last: bool) -> PyResult<Bytes> {
        if self.has_no_body {
            return Ok(Bytes::new());
        }
        self.sent += body.len() as u64;
        let Some(promised) = self.promised.filter(|_| !self.is_unchecked) else { return Ok(body) };
        let wrong = |how: &str| {
            PyRuntimeError::new_err(format!(
                "the body of the answer is {how} than its Content-Length of {promised}"
            ))
        };
        if self.sent > promised {
            return Err(wrong("longer"));
        }
        if is_last && self.sent < promised {
            return Err(wrong("shorter"));
        }
        Ok(body)
    }
}

/// A status that an answer can have in the end.
pub(super) fn final_status(status: u16) -> PyResult<StatusCode> {
    let known = StatusCode::from_u16(status).ok().filter(|known| !known.is_informational());
    known.ok_or_else(|| {
        PyValueError::new_err(format!("{status} is no status of an answer; use 200 to 599"))
    })
}

fn number(text: &[u8]) -> PyResult<u64> {
    let digits = text.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(text).ok());
    digits.flatten().and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        let text = String::from_utf8_lossy(text).into_owned();
        PyValueError::new_err(format!("the Content-Length {text:?} is no number"))
    })
}
