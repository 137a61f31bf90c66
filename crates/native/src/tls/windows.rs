//! Memory that OpenSSL reads from and writes to without a copy, as objects with Python's buffer
//! protocol.

use std::ffi::c_int;
use std::ptr::{null, null_mut};

use bytes::Bytes;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyAny, PyBytes, PyType};

use crate::gil_cell::GilCell;

/// Bytes that the I/O thread has read.
#[pyclass(frozen, module = "aiobpy._native")]
pub(super) struct Piece(pub(super) Bytes);

#[pymethods]
#[expect(unsafe_code, reason = "the buffer protocol")]
impl Piece {
    // SAFETY: called by Python alone, with a view of its own.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes = &slf.get().0;
        // SAFETY: `view` is the caller's to be filled. The memory neither changes nor moves, and it
        // lives as long as this object, to which the view will hold a reference.
        unsafe { fill(view, slf.as_any(), bytes.as_ptr().cast_mut(), bytes.len(), true, flags) }
    }
}

/// A bytes object in the making. The buffer is what has not been filled yet.
#[pyclass(frozen, module = "aiobpy._native")]
pub(super) struct Room(GilCell<Filling>);

struct Filling {
    /// Nobody else has it. `None` once it is finished.
    bytes: Option<Py<PyBytes>>,
    capacity: usize,
    filled: usize,
    views: usize,
}

impl Room {
    /// Room for `capacity` bytes, which is not cleared.
    pub(super) fn new(py: Python<'_>, capacity: usize) -> PyResult<Bound<'_, Self>> {
        let size = capacity.try_into()?;
        #[expect(unsafe_code, reason = "PyO3 clears a new bytes object")]
        // SAFETY: this thread is attached; what comes back is a new bytes object, or null with an
        // exception set.
        let bytes = unsafe {
            let bytes = ffi::PyBytes_FromStringAndSize(null(), size);
            Bound::from_owned_ptr_or_err(py, bytes)?.cast_into_unchecked()
        };
        let bytes = Some(bytes.unbind());
        Bound::new(py, Self(GilCell::new(Filling { bytes, capacity, filled: 0, views: 0 })))
    }

    /// How many bytes still fit.
    pub(super) fn left(&self, py: Python<'_>) -> usize {
        let filling = self.0.borrow(py);
        filling.capacity - filling.filled
    }

    /// So many bytes have been written to the buffer.
    pub(super) fn note_filled(&self, py: Python<'_>, count: usize) -> PyResult<()> {
        let mut filling = self.0.borrow_mut(py);
        if count > filling.capacity - filling.filled {
            return Err(PyBufferError::new_err("more was read than there was room for"));
        }
        filling.filled += count;
        Ok(())
    }

    /// Puts `bytes` behind what has been filled.
    pub(super) fn put(&self, py: Python<'_>, bytes: &[u8]) -> PyResult<()> {
        let filling = self.0.borrow(py);
        let free = filling.views == 0 && bytes.len() <= filling.capacity - filling.filled;
        let (true, Some(room)) = (free, &filling.bytes) else { return Err(in_use()) };
        #[expect(unsafe_code, reason = "into a bytes object that is not finished")]
        // SAFETY: nobody else has the bytes object, there is no view of it, and it has room.
        unsafe {
            let begin = ffi::PyBytes_AsString(room.as_ptr()).cast::<u8>().add(filling.filled);
            begin.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        drop(filling);
        self.note_filled(py, bytes.len())
    }

    /// What has been filled; no buffer can be had any more.
    pub(super) fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static BYTES_IO: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let mut filling = self.0.borrow_mut(py);
        let bytes = if filling.views == 0 { filling.bytes.take() } else { None };
        let (capacity, filled) = (filling.capacity, filling.filled);
        drop(filling);
        let Some(bytes) = bytes else { return Err(in_use()) };
        if filled == capacity {
            return Ok(bytes.into_bound(py).into_any());
        }
        // The stable ABI has no shrinking of bytes in their place. `BytesIO` does that, with bytes
        // that nobody else has.
        let shrinking = BYTES_IO.import(py, "io", "BytesIO")?.call1((bytes,))?;
        shrinking.call_method1(intern!(py, "truncate"), (filled,))?;
        shrinking.call_method0(intern!(py, "getvalue"))
    }
}

#[pymethods]
#[expect(unsafe_code, reason = "the buffer protocol")]
impl Room {
    // SAFETY: called by Python alone, with a view of its own.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: `view` is the caller's to be filled; this is what it is in case of an error.
        unsafe { (*view).obj = null_mut() };
        let mut filling = slf.get().0.borrow_mut(slf.py());
        let (0, Some(bytes)) = (filling.views, &filling.bytes) else {
            return Err(in_use());
        };
        let left = filling.capacity - filling.filled;
        // SAFETY: `view` is the caller's to be filled. Nobody else has the bytes object, which stays
        // where it is until it is finished, and that waits for the view's release. What was filled
        // before is within its capacity.
        unsafe {
            let begin = ffi::PyBytes_AsString(bytes.as_ptr()).cast::<u8>().add(filling.filled);
            fill(view, slf.as_any(), begin, left, false, flags)?;
        }
        filling.views += 1;
        Ok(())
    }

    // SAFETY: called by Python alone, with a view that was filled above.
    unsafe fn __releasebuffer__(slf: &Bound<'_, Self>, _view: *mut ffi::Py_buffer) {
        slf.get().0.borrow_mut(slf.py()).views -= 1;
    }
}

fn in_use() -> PyErr {
    PyBufferError::new_err("the buffer is in use")
}

/// # Safety
/// `view` is to be filled; `length` bytes from `begin` on stay where they are while `owner` lives or
/// the view does, and may be written to unless `is_read_only`.
#[expect(unsafe_code, reason = "the buffer protocol")]
unsafe fn fill(
    view: *mut ffi::Py_buffer,
    owner: &Bound<'_, PyAny>,
    begin: *mut u8,
    length: usize,
    is_read_only: bool,
    flags: c_int,
) -> PyResult<()> {
    let length = length.try_into()?;
    // SAFETY: as the caller promises; Python takes a reference to `owner`.
    let result = unsafe {
        (*view).obj = null_mut();
        ffi::PyBuffer_FillInfo(
            view,
            owner.as_ptr(),
            begin.cast(),
            length,
            c_int::from(is_read_only),
            flags,
        )
    };
    if result < 0 { Err(PyErr::fetch(owner.py())) } else { Ok(()) }
}
