//! Jobs, warm workers and the files they leave behind.
//!
//! The rooms, in the order in which a job passes them: an `engine` keeps it (`queue` is that of one node),
//! `scheduler` pairs it with a worker, `supervisor` applies that and watches over the worker, `worker_link`
//! carries the words, `artefacts` keeps the file.
//!
//! **Invariant:** no Python and no HTTP. What is decided (`rules`, `scheduler`, `worker`) is apart from what is
//! done (the engines, `supervisor`), and only `worker_process` starts processes.

mod artefacts;
mod batches;
mod board;
mod cache;
mod clerk;
mod clock;
mod config;
#[cfg(test)]
mod conformance;
mod engine;
mod engines;
mod error;
mod farewell;
mod fleet;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod inputs;
mod last_lines;
mod lifetime;
mod line;
#[cfg(feature = "nats")]
mod nats;
mod node;
mod outbox;
mod pace;
mod pool;
mod previews;
mod problems;
mod queue;
mod rules;
mod scheduler;
mod slot;
mod specs;
mod supervisor;
mod sys;
mod templates;
mod tenants;
mod travel;
mod worker;
mod worker_end;
mod worker_link;
mod worker_process;

pub use config::{EngineChoice, FleetConfig, NatsConfig, Recycling, WorkerLaunch};
pub use error::FleetError;
pub use fleet::{Asker, Fleet};
pub use outbox::{Delivery, Outbox, OutboxError};
pub use pace::Pressure;
pub use pool::{Device, NoDevice, Pool};
pub use previews::Preview;
pub use tenants::Tenant;
pub use worker_end::WorkerEnd;
