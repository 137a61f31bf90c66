//! What a request knows of the connection that it came by: one of its extensions.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::http::Heads;
use crate::places::Place;
use crate::tls::TlsFacts;

/// How a client is connected: a handle on it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Facts>);

/// What is known of a connection.
pub(crate) struct Facts {
    /// `None` over a Unix socket.
    pub(crate) peer: Option<SocketAddr>,
    /// Where the client has reached us; `None` over a Unix socket.
    pub(crate) local: Option<SocketAddr>,
    /// What was agreed on, where it is TLS.
    pub(crate) tls: Option<Arc<TlsFacts>>,
    /// Cancelled when what the connection came by is closed: what has no end of its own has to end.
    pub(crate) closing: CancellationToken,
    /// Where what goes out before an answer is left, on HTTP/1.1.
    pub(crate) heads: OnceLock<Heads>,
    /// Held by what outlives the connection's HTTP, as a WebSocket does.
    #[expect(dead_code, reason = "it counts by being there")]
    pub(crate) place: Place,
}

impl Connection {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether it comes over a Unix socket, which only this user can open.
    pub(crate) fn is_local(&self) -> bool {
        self.local.is_none()
    }
}

impl Deref for Connection {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}
