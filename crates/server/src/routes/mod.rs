//! One room per kind of thing that a client asks for. Each extracts, calls and wraps, no more.

pub(crate) mod batches;
pub(crate) mod dashboard;
pub(crate) mod devices;
pub(crate) mod docs;
pub(crate) mod echo;
pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod inputs;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod json_rpc;
pub(crate) mod login;
pub(crate) mod mcp;
pub(crate) mod named;
pub(crate) mod operations;
pub(crate) mod pairing;
pub(crate) mod preview;
pub(crate) mod pushed;
pub(crate) mod rpc;
pub(crate) mod scopes;
pub(crate) mod sites;
pub(crate) mod status;
pub(crate) mod templates;
pub(crate) mod with_files;
pub(crate) mod ws;
