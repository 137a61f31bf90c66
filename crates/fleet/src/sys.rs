//! What operating systems do differently: how a worker's process is started, waited for and killed with all
//! that it started, and how the link reaches it.
//!
//! | | Linux, macOS | Windows |
//! |---|---|---|
//! | a worker and what it starts | a process group | a job object |
//! | the link | a socket pair, one end as standard input | TCP on loopback, by a secret |
//! | below the server | niceness | priority class |
//! | room on a disk | `statvfs` | not asked for |
//!
//! **Invariant:** the same names in each file, and nothing outside this module asks on which system it runs.

// Tested everywhere, used where nothing else will do.
#[cfg(any(windows, test))]
#[cfg_attr(not(windows), expect(dead_code, reason = "here, a worker is born with its link"))]
mod loopback;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

#[cfg(test)]
pub(crate) use system::stream_pair;
pub(crate) use system::{
    Connecting, Group, LinkWriter, Output, Process, Stream, TEMPORARY_FOLDER, WorkersEnd,
    free_bytes, kill_this_worker, open_link, signal_of, spawn, take_link,
};
