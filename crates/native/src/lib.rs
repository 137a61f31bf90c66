//! The Python module `aiobpy._native`.
//!
//! **Invariant:** the only crate that names `pyo3`.
