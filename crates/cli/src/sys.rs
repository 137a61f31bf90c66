//! What operating systems do differently: how a person ends a command, where a user's data is, and how much
//! room there is.
//!
//! **Invariant:** the same names in each file, and nothing outside this module asks on which system it runs.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{Interruptions, data_folder, free_bytes, orphans};
#[cfg(windows)]
pub(crate) use windows::{Interruptions, data_folder, free_bytes, orphans};
