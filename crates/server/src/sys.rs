//! What operating systems do differently: where a user's files are, who may read them, and which processes
//! run.
//!
//! **Invariant:** the same names in each file, and nothing outside this module asks on which system it runs.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::{
    configuration_folder, create_private_file, create_private_folder, is_alive,
};
