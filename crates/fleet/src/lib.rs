//! Jobs, warm workers and the images they leave behind.
//!
//! The rooms, in the order in which a job passes them: [`queue`](engine) keeps it, `scheduler` pairs it
//! with a worker, `supervisor` applies that and watches over the worker, `worker_link` carries the words,
//! `artefacts` keeps the image.
//!
//! **Invariant:** no Python and no HTTP. What is decided (`scheduler`, `worker`) is apart from what is
//! done (`supervisor`), and only `worker_process` starts processes.

mod config;
mod error;
mod fleet;

pub use config::{FleetConfig, WorkerLaunch};
pub use error::FleetError;
pub use fleet::Fleet;

mod artefacts;
mod clock;
mod engine;
mod queue;
mod scheduler;
mod worker;
