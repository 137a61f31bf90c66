//! The shapes that cross a border: between processes, between a server and its clients.
//!
//! **Invariant:** data only. No I/O, no threads, no clock, and no crate of ours below this one.

mod batch;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod job;
mod node;
mod offer;
mod operation;
mod output;
mod problem;
mod site;
mod status;
mod template;
mod webhook;
mod worker;

pub use batch::{Batch, BatchCounts, BatchId, BatchRequest};
pub use event::{Event, EventRecord};
pub use job::{Artefact, Job, JobId, JobRequest, JobRequestFields, JobState};
pub use node::{NodeDescription, NodeId};
pub use offer::{
    MethodDescription, Offer, PromptArgument, PromptDescription, ResourceDescription, ToolHints,
};
pub use operation::{Operation, OperationId, OperationState};
pub use output::{FrameRange, OutputFormat, OutputRequest, RenderEngine};
pub use problem::{FieldProblem, Problem};
pub use site::{
    HandlerAnswer, RouteAnswer, RouteDescription, Scope, SiteDescription, TakenBody, Takes,
};
pub use status::{LoopStatus, MainThreadStatus, SlowCallback, Status};
pub use template::TemplateDescription;
pub use webhook::{Webhook, WebhookEvent};
pub use worker::{
    FromWorker, MadeOf, PictureUnderWay, ToWorker, Welcome, WorkerDescription, WorkerId,
    WorkerState,
};
