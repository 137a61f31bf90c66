//! Jobs, warm workers and the images they leave behind.
//!
//! The rooms, in the order in which a job passes them: `queue` keeps it, `scheduler` pairs it
//! with a worker, `supervisor` applies that and watches over the worker, `worker_link` carries the words,
//! `artefacts` keeps the image.
//!
//! **Invariant:** no Python and no HTTP. What is decided (`scheduler`, `worker`) is apart from what is
//! done (`supervisor`), and only `worker_process` starts processes.

mod artefacts;
mod board;
mod clock;
mod config;
mod engine;
mod error;
mod fleet;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod last_lines;
mod lifetime;
mod problems;
mod queue;
mod scheduler;
mod slot;
mod supervisor;
mod sys;
mod templates;
mod worker;
mod worker_end;
mod worker_link;
mod worker_process;

pub use config::{FleetConfig, Recycling, WorkerLaunch};
pub use error::FleetError;
pub use fleet::Fleet;
pub use worker_end::WorkerEnd;
