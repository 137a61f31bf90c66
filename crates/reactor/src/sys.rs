//! What operating systems do differently: how a socket is watched, sent to and accepted from, how a wait ends
//! in time, and what the clock shows.
//!
//! | | Linux | macOS | Windows |
//! |---|---|---|---|
//! | what can be watched | any descriptor | any descriptor | sockets |
//! | the system tells of an edge | each time | each time | once, and again when it is asked |
//! | the pair that wakes | Unix sockets | Unix sockets | TCP on loopback |
//! | a bell besides it | yes | no | no |
//!
//! Descriptors go by the names of Unix everywhere, as in `rustix`: on Windows an `OwnedFd` is an owned socket.
//!
//! **Invariant:** the same names in each file, and nothing outside this module asks on which system it runs.

// What stands in for the wake while loom explores has no use for it.
#[cfg(not(feature = "loom"))]
#[cfg_attr(not(target_os = "linux"), path = "sys/no_bell.rs")]
mod bell;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

#[cfg(not(feature = "loom"))]
pub(crate) use bell::Bell;
pub use system::send;
pub(crate) use system::{
    PairEnd, Registry, Watchable, accept, is_passing, monotonic_seconds, pair, send_pieces,
    wait_precisely,
};
