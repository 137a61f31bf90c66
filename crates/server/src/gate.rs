//! The first thing that a request meets: is it meant for us, and did a foreign web page send it?
//!
//! A browser lets any page send requests to loopback. What it does not let a page do is lie about
//! `Host`, `Origin` and `Sec-Fetch-Site`; so a request that names another host (DNS rebinding), comes
//! from another origin or from another site is refused before anything else looks at it.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::Request;
use http::header::{self, HeaderName};
use http::{HeaderMap, Uri};

use crate::connection::Connection;
use crate::error::Failure;
use crate::shared::Shared;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which clients may address this server, each with its port.
#[derive(Debug)]
pub(crate) struct Gate {
    /// On this computer, by plain HTTP.
    here: Vec<String>,
    /// By TLS: changes with the network.
    shared: ArcSwap<Vec<String>>,
}

/// How a request has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Plain,
    /// To this address of ours.
    Tls(Option<SocketAddr>),
    /// No browser gets there.
    UnixSocket,
}

impl Gate {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let port = address.port();
        let mut here: Vec<String> =
            ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")).into();
        if !here.contains(&address.to_string()) {
            here.push(address.to_string());
        }
        if port == 80 {
            here.extend(["127.0.0.1", "localhost", "[::1]"].map(str::to_owned));
        }
        Self { here, shared: ArcSwap::default() }
    }

    /// Answers by TLS to these names, besides the address that the client has reached.
    pub(crate) fn share(&self, names: &[String], port: u16) {
        let mut authorities: Vec<_> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 443 {
            authorities.extend_from_slice(names);
        }
        self.shared.store(Arc::new(authorities));
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap, via: Via) -> Result<(), Failure> {
        // The target overrules Host: of HTTP/2, of a proxy, of a client that says it twice.
        if let Some(target) = uri.authority() {
            self.check_host(target.as_str(), via)?;
        }
        // If a request says both, they have to be one.
        match (the_host(headers)?, uri.authority()) {
            (None, None) => return Err(Failure::NoHost),
            (None, Some(_)) => {}
            (Some(host), target) => {
                self.check_host(host, via)?;
                if target.is_some_and(|target| target.as_str() != host) {
                    return Err(Failure::SeveralHosts);
                }
            }
        }
        for origin in headers.get_all(header::ORIGIN) {
            self.check_origin(origin.to_str().unwrap_or_default(), via)?;
        }
        for site in headers.get_all(SEC_FETCH_SITE) {
            match site.as_bytes() {
                b"same-origin" | b"none" => {}
                _ => return Err(Failure::CrossSite),
            }
        }
        Ok(())
    }

    fn check_host(&self, host: &str, via: Via) -> Result<(), Failure> {
        if self.is_ours(host, via) {
            return Ok(());
        }
        Err(Failure::ForeignHost { host: host.to_owned(), ours: self.one_of_ours(via) })
    }

    fn check_origin(&self, origin: &str, via: Via) -> Result<(), Failure> {
        let scheme = if matches!(via, Via::Tls(_)) { "https://" } else { "http://" };
        match origin.strip_prefix(scheme) {
            Some(authority) if self.is_ours(authority, via) => Ok(()),
            _ => Err(Failure::ForeignOrigin { origin: origin.to_owned() }),
        }
    }

    fn is_ours(&self, authority: &str, via: Via) -> bool {
        let is_it = |ours: &String| ours.eq_ignore_ascii_case(authority);
        match via {
            Via::Plain => self.here.iter().any(is_it),
            Via::Tls(to) => {
                to.is_some_and(|to| is_it(&to.to_string())) || self.shared.load().iter().any(is_it)
            }
            Via::UnixSocket => authority == "localhost" || self.here.iter().any(is_it),
        }
    }

    fn one_of_ours(&self, via: Via) -> String {
        match via {
            Via::Tls(Some(to)) => format!("https://{to}"),
            Via::Tls(None) => "https".to_owned(),
            Via::Plain | Via::UnixSocket => format!("http://{}", self.here[0]),
        }
    }
}

impl Via {
    /// Where nothing is known of the connection, as in a test without a socket, it is plain.
    fn of(connection: Option<&Connection>) -> Self {
        match connection {
            Some(connection) if connection.is_secure() => Self::Tls(connection.local),
            Some(connection) if connection.is_local() => Self::UnixSocket,
            _ => Self::Plain,
        }
    }
}

/// Whether a request may go on.
///
/// # Errors
/// It is not for us, or a foreign page sent it.
pub(crate) fn pass(
    shared: &Shared,
    request: &Request,
    connection: Option<&Connection>,
) -> Result<(), Failure> {
    let via = Via::of(connection);
    shared.gate.check(request.uri(), request.headers(), via)
}

/// The one `Host` of a request; HTTP/2 needs none.
fn the_host(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(Failure::SeveralHosts),
        (host, None) => Ok(host.map(|host| host.to_str().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn gate() -> Gate {
        Gate::new("127.0.0.1:4321".parse().unwrap())
    }

    fn passes(host: &str) -> bool {
        gate().is_ours(host, Via::Plain)
    }

    #[test]
    fn loopback_by_any_of_its_names_is_ours() {
        for host in ["127.0.0.1:4321", "localhost:4321", "LocalHost:4321", "[::1]:4321"] {
            assert!(passes(host), "{host}");
        }
    }

    #[test]
    fn what_only_looks_like_loopback_is_foreign() {
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:4322",
            "localhost.:4321",
            "localhost.evil.com:4321",
            "127.0.0.1.nip.io:4321",
            "evil.com:4321",
            "127.0.0.1:4321@evil.com",
            "user@127.0.0.1:4321",
            "0.0.0.0:4321",
            "2130706433:4321",
            "0x7f000001:4321",
            "127.1:4321",
            "[::ffff:127.0.0.1]:4321",
            "127.0.0.1:4321 ",
            "127.0.0.1:4321, evil.com",
        ] {
            assert!(!passes(host), "{host}");
        }
    }

    #[test]
    fn on_port_80_the_port_may_be_left_out() {
        let gate = Gate::new("127.0.0.1:80".parse().unwrap());
        assert!(gate.is_ours("localhost", Via::Plain));
        assert!(gate.is_ours("localhost:80", Via::Plain));
        assert!(!gate.is_ours("localhost:81", Via::Plain));
    }

    #[test]
    fn another_loopback_address_that_we_listen_on_is_ours() {
        let gate = Gate::new("127.0.0.9:4321".parse().unwrap());
        assert!(gate.is_ours("127.0.0.9:4321", Via::Plain));
    }

    #[test]
    fn only_our_own_origin_passes() {
        let passes = |origin: &str| gate().check_origin(origin, Via::Plain).is_ok();
        assert!(passes("http://127.0.0.1:4321"));
        assert!(passes("http://localhost:4321"));
        for origin in [
            "null",
            "",
            "https://127.0.0.1:4321",
            "http://127.0.0.1:4321.evil.com",
            "http://127.0.0.1:43210",
            "http://evil.com",
            "file://",
        ] {
            assert!(!passes(origin), "{origin}");
        }
    }

    #[test]
    fn the_network_has_names_of_its_own_and_needs_tls() {
        let gate = gate();
        let tls = Via::Tls(Some("192.168.1.2:4321".parse().unwrap()));
        gate.share(&["studio.local".to_owned()], 4321);
        assert!(gate.is_ours("Studio.local:4321", tls));
        assert!(gate.is_ours("192.168.1.2:4321", tls));
        assert!(gate.check_origin("https://192.168.1.2:4321", tls).is_ok());
        assert!(gate.check_origin("http://192.168.1.2:4321", tls).is_err());
        assert!(gate.check_origin("https://studio.local:4321", Via::Plain).is_err());
        for (host, via) in [
            ("192.168.1.2:4321", Via::Plain),
            ("127.0.0.1:4321", tls),
            ("192.168.1.3:4321", tls),
            ("192.168.1.2", tls),
            ("192.168.1.2:443", tls),
            ("studio.local.evil.com:4321", tls),
        ] {
            assert!(!gate.is_ours(host, via), "{host} {via:?}");
        }
        gate.share(&[], 4321);
        assert!(!gate.is_ours("studio.local:4321", tls));
        let of_v6 = Via::Tls(Some("[fd00::2]:4321".parse().unwrap()));
        assert!(gate.is_ours("[fd00::2]:4321", of_v6));
    }

    #[test]
    fn a_unix_socket_is_addressed_as_localhost() {
        assert!(gate().is_ours("localhost", Via::UnixSocket));
        assert!(!gate().is_ours("evil.com", Via::UnixSocket));
    }

    #[test]
    fn a_target_and_a_host_must_be_one() {
        let host = |host: &'static str| -> HeaderMap {
            std::iter::once((header::HOST, HeaderValue::from_static(host))).collect()
        };
        let check = |uri: &'static str, headers: &HeaderMap| {
            gate().check(&Uri::from_static(uri), headers, Via::Plain)
        };
        let ours = host("127.0.0.1:4321");
        assert!(check("/", &ours).is_ok());
        assert!(check("http://127.0.0.1:4321/", &ours).is_ok());
        assert!(matches!(check("http://evil.com/", &ours), Err(Failure::ForeignHost { .. })));
        assert!(matches!(check("http://localhost:4321/", &ours), Err(Failure::SeveralHosts)));
        let evil = host("evil.com");
        let foreign = check("http://127.0.0.1:4321/", &evil);
        assert!(matches!(foreign, Err(Failure::ForeignHost { .. })));
        // As HTTP/2 has it.
        assert!(check("http://127.0.0.1:4321/", &HeaderMap::new()).is_ok());
        let foreign = check("http://x@127.0.0.1:4321/", &HeaderMap::new());
        assert!(matches!(foreign, Err(Failure::ForeignHost { .. })));
        assert!(matches!(check("/", &HeaderMap::new()), Err(Failure::NoHost)));
    }
}
