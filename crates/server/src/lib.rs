//! The web server: one per process, on loopback, off until somebody starts it.
//!
//! **Invariant:** this crate knows nothing of Python or Blender. What only the main thread can answer
//! is handed over in `main_thread.rs`; everything else answers while the main thread is blocked.
//!
//! Reading order: `server.rs`, `accept.rs`, `http.rs`, `router.rs`, `gate.rs`, `auth.rs`, then a route. All texts
//! that a client reads when something is wrong are in `error.rs`.

mod accept;
mod answer_body;
mod auth;
mod authority;
mod backoff;
mod body;
mod cache;
mod caller;
mod clock;
mod connection;
mod conversation;
mod cookies;
mod devices;
pub mod discovery;
mod error;
mod events;
mod exchange;
mod feed;
mod files;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gate;
mod harden;
mod http;
mod idempotency;
mod journal;
mod json_rpc;
mod keys;
mod limits;
mod main_thread;
mod mcp;
mod metrics;
mod naming;
mod number;
mod observe;
mod offers;
mod openapi;
mod operations;
mod pairing;
mod patience;
mod places;
mod preface;
mod prefer;
mod principal;
mod private_file;
mod qr;
mod rarely;
mod router;
mod routes;
#[cfg(test)]
mod security_tests;
mod sender;
mod server;
mod sessions;
mod shared;
mod sharing;
mod sites;
mod snapshot;
mod stalling;
mod sys;
mod tally;
mod tenants;
pub mod tls;
mod token;
mod trace;
mod webhooks;
mod websocket;
mod zip;

pub use answer_body::AnswerBody;
pub use devices::Device;
pub use exchange::{Exchange, Head, Incoming, Outgoing, ReceivedBody, Sent, Start};
pub use feed::Feed;
pub use form::{Content, Form, Upload};
pub use journal::Asked;
pub use limits::Limits;
pub use main_thread::{Answer, Call, MainThread, Note, Refused, Timing, Work};
pub use offers::Offers;
pub use pairing::Claim;
pub use principal::{ExecSwitch, Principal};
pub use qr::QrCode;
pub use router::Front;
pub use server::{Listen, Opened, Server, ServerConfig};
pub use shared::{Parts, Shared};
pub use sharing::{Certificate, Share};
pub use sites::{Sites, Source};
pub use snapshot::Snapshot;
pub use tenants::Tenants;
pub use token::Token;
pub use trace::Trace;
pub use webhooks::{WebhookConfig, Webhooks};
