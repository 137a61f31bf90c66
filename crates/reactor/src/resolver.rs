//! Name look-ups by the system's resolver, on Rust threads.

use std::net::SocketAddr;
use std::sync::Arc;

use dns_lookup::{AddrInfoHints, LookupError, getaddrinfo, getnameinfo};

use crate::io_thread::{Event, Reactor, Token};

/// What to look up: the arguments of `getaddrinfo(3)`, numbers as the system has them.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub host: Option<String>,
    pub service: Option<String>,
    pub family: i32,
    pub kind: i32,
    pub protocol: i32,
    pub flags: i32,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct AddressInfo {
    pub family: i32,
    pub kind: i32,
    pub protocol: i32,
    pub canonical_name: Option<String>,
    pub address: SocketAddr,
}

/// What an address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameInfo {
    pub host: String,
    pub service: String,
}

/// Why a name could not be looked up.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct LookupFailed {
    /// An `EAI_` number.
    pub code: i32,
    pub message: String,
}

impl Reactor {
    /// Looks a name up; the answer comes as [`Event::Resolved`] with `token`.
    pub fn look_up(&self, token: Token, query: Query) {
        let core = Arc::clone(&self.core);
        self.look_up_threads.run(move || core.tell(Event::Resolved(token, look_up(&query))));
    }

    /// Asks what `address` is called; the answer comes as [`Event::Named`] with `token`.
    ///
    /// `flags` are those of `getnameinfo(3)`.
    pub fn look_up_name(&self, token: Token, address: SocketAddr, flags: i32) {
        let core = Arc::clone(&self.core);
        self.look_up_threads.run(move || core.tell(Event::Named(token, name(address, flags))));
    }
}

fn name(address: SocketAddr, flags: i32) -> Result<NameInfo, LookupFailed> {
    let (host, service) = getnameinfo(&address, flags)?;
    Ok(NameInfo { host, service })
}

fn look_up(query: &Query) -> Result<Vec<AddressInfo>, LookupFailed> {
    let hints = AddrInfoHints {
        flags: query.flags,
        address: query.family,
        socktype: query.kind,
        protocol: query.protocol,
    };
    let answers = getaddrinfo(query.host.as_deref(), query.service.as_deref(), Some(hints))?;
    Ok(answers
        // A family that has no IP address, which nobody has asked for.
        .filter_map(Result::ok)
        .map(|answer| AddressInfo {
            family: answer.address,
            kind: answer.socktype,
            protocol: answer.protocol,
            canonical_name: answer.canonname,
            address: answer.sockaddr,
        })
        .collect())
}

impl From<LookupError> for LookupFailed {
    fn from(error: LookupError) -> Self {
        let code = error.error_num();
        Self { code, message: without_prefix(&std::io::Error::from(error).to_string()) }
    }
}

/// The resolver's own words, as in "Name or service not known".
fn without_prefix(message: &str) -> String {
    message.strip_prefix("failed to lookup address information: ").unwrap_or(message).to_owned()
}
