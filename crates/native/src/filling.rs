//! Large results, copied into Python's memory piece by piece: no tick is held up by one.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A `bytes` that nobody sees yet, being filled.
pub(crate) struct Filling {
    bytes: Py<PyBytes>,
    from: Vec<u8>,
    filled: usize,
}

/// Bytes that are copied at once: some 100 to 300 µs, pages that are touched first included.
pub(crate) const PIECE: usize = 1 << 20;

impl Filling {
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn new(py: Python<'_>, from: Vec<u8>) -> PyResult<Self> {
        let len = ffi::Py_ssize_t::try_from(from.len())?;
        #[expect(unsafe_code, reason = "PyO3 would fill it with zeros, all at once")]
        // SAFETY: without a text to copy, a new `bytes` of that length is returned, or null with an
        // exception set. Its content is not defined, and is not read before it has been written.
        let bytes = unsafe {
            let new = ffi::PyBytes_FromStringAndSize(ptr::null(), len);
            Bound::from_owned_ptr_or_err(py, new)?.cast_into_unchecked::<PyBytes>()
        };
        Ok(Self { bytes: bytes.unbind(), from, filled: 0 })
    }

    /// Copies the next piece. Returns the bytes when they are complete, with what they were copied
    /// from.
    pub(crate) fn go_on(mut self, py: Python<'_>) -> Result<(Py<PyBytes>, Vec<u8>), Self> {
        let piece = &self.from[self.filled..];
        let piece = &piece[..piece.len().min(PIECE)];
        #[expect(unsafe_code, reason = "a `bytes` may be written by whoever has just made it")]
        // SAFETY: the `bytes` has as many bytes as `from`, of which `piece` is a part that begins at
        // `filled`; they do not overlap. Nobody else has it until it is complete, and the GIL is
        // held.
        unsafe {
            let start = ffi::PyBytes_AsString(self.bytes.bind(py).as_ptr());
            let target = start.cast::<u8>().add(self.filled);
            ptr::copy_nonoverlapping(piece.as_ptr(), target, piece.len());
        }
        self.filled += piece.len();
        if self.filled < self.from.len() { Err(self) } else { Ok((self.bytes, self.from)) }
    }
}
