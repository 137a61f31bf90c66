//! Files over HTTP: those below a folder that a site serves, the results of jobs, and the dashboard's.
//!
//! **Invariant:** no disk is touched on the server's own thread, and no file is reached that does not
//! lie below the folder that is served.
//!
//! Reading order: `address.rs` (which file a path means), `folder.rs` (finds it), `sending.rs` (answers
//! with it, by `conditions.rs`, `ranges.rs` and `encoding.rs`).

mod address;
mod cache;
pub(crate) mod conditions;
mod embedded;
mod encoding;
mod folder;
mod named;
pub(crate) mod ranges;
mod sending;

pub(crate) use cache::FileCache;
pub(crate) use embedded::{Embedded, send_embedded};
pub(crate) use folder::{FolderRequest, answer};
pub(crate) use named::send_named;
pub(crate) use sending::{in_memory, open_whole, respond};

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use {
    address::address,
    conditions::{Validators, Verdict, if_range_holds, verdict},
    encoding::accepted,
};
