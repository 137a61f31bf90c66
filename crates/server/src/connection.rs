//! What a request knows of the connection that it came by: one of its extensions.

use std::net::SocketAddr;

/// How a client is connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    /// `None` over a Unix socket.
    pub(crate) peer: Option<SocketAddr>,
    /// Whether it is TLS.
    pub(crate) is_secure: bool,
}
