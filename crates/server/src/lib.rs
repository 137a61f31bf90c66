//! The web server: one per process, on loopback, off until somebody starts it.
//!
//! **Invariant:** this crate knows nothing of Python or Blender. What only the main thread can answer
//! is handed over in `main_thread.rs`; everything else answers while the main thread is blocked.
//!
//! Reading order: `server.rs`, `accept.rs`, `http.rs`, `router.rs`, `gate.rs`, `auth.rs`, then a route. All texts
//! that a client reads when something is wrong are in `error.rs`.

mod accept;
mod auth;
mod body;
mod cache;
mod caller;
mod clock;
mod connection;
pub mod discovery;
mod error;
mod events;
mod exchange;
mod feed;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gate;
mod http;
mod json_rpc;
mod limits;
mod main_thread;
mod mcp;
mod number;
mod offers;
mod openapi;
mod operations;
mod patience;
mod places;
mod preface;
mod prefer;
mod router;
mod routes;
mod server;
mod shared;
mod sites;
mod snapshot;
mod stalling;
mod sys;
pub mod tls;
mod websocket;

pub use auth::{Principal, Token};
pub use exchange::{Exchange, Head, Incoming, Outgoing, ReceivedBody, Sent, Start};
pub use feed::Feed;
pub use limits::Limits;
pub use main_thread::{Answer, Call, MainThread, Note, Refused, Timing, Work};
pub use offers::Offers;
pub use router::router;
pub use server::{Listen, Opened, Server, ServerConfig};
pub use shared::{Parts, Shared};
pub use sites::{Sites, Source};
pub use snapshot::Snapshot;
