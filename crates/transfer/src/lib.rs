//! Downloads, uploads, requests and file work, from the socket to the disk.
//!
//! **Invariant:** this crate knows nothing of Python or Blender and never calls back. One thread of
//! its own does the network, helpers of it do the disk, and what ends or has come further is said
//! through a [`Door`].
//!
//! Reading order: `transfers.rs`, `download.rs`, `exchange.rs`; the rest as needed.

mod address;
mod answer;
mod client;
mod decode;
mod digest;
mod download;
mod exchange;
mod failure;
mod fetch;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod headers;
mod part;
mod patience;
mod progress;
mod redirect;
mod resume;
mod transfers;
mod upload;
mod writer;

pub use client::Proxies;
pub use download::{Download, Downloaded};
pub use exchange::Manners;
pub use failure::Failure;
pub use fetch::{Answered, Fetch};
pub use progress::Progress;
pub use transfers::{Door, Event, Outcome, Transfer, TransferId, Transfers};
pub use upload::{Form, Upload};
