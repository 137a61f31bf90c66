//! Python's buffers, lent to one system call without a copy.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyByteArray, PyMemoryView};

/// Whether it is one of the types, besides `bytes`, that a transport's `write` takes.
pub(crate) fn is_view(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyMemoryView>() || object.is_instance_of::<PyByteArray>()
}

/// Lends what `buffer` holds. `None` if it is not in one piece.
pub(crate) fn read<T>(buffer: &PyUntypedBuffer, action: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if !buffer.is_c_contiguous() {
        return None;
    }
    if buffer.len_bytes() == 0 {
        return Some(action(&[]));
    }
    let (begin, length) = (buffer.buf_ptr().cast::<u8>(), buffer.len_bytes());
    #[expect(unsafe_code, reason = "a system call out of Python's memory without a copy")]
    // SAFETY: the buffer is held, so the memory stays where it is, and its length is that of the
    // bytes in one piece; `action` runs no Python code and the GIL is held, so nobody writes to it
    // meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(begin, length) };
    Some(action(bytes))
}

/// Lends what `buffer` holds to be written to.
///
/// # Errors
/// `BufferError` if it is read-only or not in one piece.
pub(crate) fn write<T>(
    buffer: &PyUntypedBuffer,
    action: impl FnOnce(&mut [u8]) -> T,
) -> PyResult<T> {
    if buffer.readonly() || !buffer.is_c_contiguous() {
        return Err(PyBufferError::new_err(
            "a buffer that can be written, in one piece, is needed",
        ));
    }
    if buffer.len_bytes() == 0 {
        return Ok(action(&mut []));
    }
    #[expect(unsafe_code, reason = "a system call into Python's memory without a copy")]
    // SAFETY: as in `read`; and nobody reads it meanwhile either.
    let bytes = unsafe {
        std::slice::from_raw_parts_mut(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes())
    };
    Ok(action(bytes))
}
