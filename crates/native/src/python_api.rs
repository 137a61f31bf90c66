//! Functions of Python's documented C API that its stable ABI leaves out, looked up by name.
//!
//! Their signatures are the same from 3.11 on. Where one is not found, the stable ABI has a slower
//! way.

use std::ffi::c_int;
use std::sync::OnceLock;

use pyo3::ffi::PyObject;

/// A wheel for one version of Python would call these.
#[derive(Clone, Copy)]
pub(crate) struct PythonApi {
    /// `PyContext_CopyCurrent`: a new reference, or null with an exception set.
    pub(crate) copy_context: unsafe extern "C" fn() -> *mut PyObject,
    /// `PyContext_Enter`, of exactly a `contextvars.Context`: 0, or -1 with an exception set.
    pub(crate) enter_context: unsafe extern "C" fn(*mut PyObject) -> c_int,
    /// `PyContext_Exit`, of the context that was entered last: 0, or -1 with an exception set.
    pub(crate) exit_context: unsafe extern "C" fn(*mut PyObject) -> c_int,
    /// `PyObject_Vectorcall`: callable, arguments, their count, names (or null). A new reference, or
    /// null with an exception set.
    pub(crate) call: unsafe extern "C" fn(
        *mut PyObject,
        *const *mut PyObject,
        usize,
        *mut PyObject,
    ) -> *mut PyObject,
}

impl PythonApi {
    /// `None` if this process does not show them.
    pub(crate) fn get() -> Option<Self> {
        static API: OnceLock<Option<PythonApi>> = OnceLock::new();
        *API.get_or_init(Self::find)
    }

    #[cfg(unix)]
    #[expect(unsafe_code, reason = "functions that are looked up by name have no checked type")]
    fn find() -> Option<Self> {
        let process = libloading::os::unix::Library::this();
        // SAFETY: the types are those that Python's documentation gives for these names, and no other
        // program may define names that begin with `Py`. Python is never unloaded.
        unsafe {
            Some(Self {
                copy_context: *process.get(b"PyContext_CopyCurrent\0").ok()?,
                enter_context: *process.get(b"PyContext_Enter\0").ok()?,
                exit_context: *process.get(b"PyContext_Exit\0").ok()?,
                call: *process.get(b"PyObject_Vectorcall\0").ok()?,
            })
        }
    }

    #[cfg(not(unix))]
    fn find() -> Option<Self> {
        None
    }
}
