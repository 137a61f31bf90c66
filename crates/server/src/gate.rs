//! The first thing that a request meets: is it meant for us, and did a foreign web page send it?
//!
//! A browser lets any page send requests to loopback. What it does not let a page do is lie about
//! `Host`, `Origin` and `Sec-Fetch-Site`; so a request that names another host (DNS rebinding), comes
//! from another origin or from another site is refused before anything else looks at it.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{self, HeaderName};
use http::{HeaderMap, Uri};

use crate::connection::Connection;
use crate::error::Failure;
use crate::shared::Shared;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which clients may address this server, each with its port.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    authorities: Vec<String>,
}

impl Gate {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let port = address.port();
        let mut authorities: Vec<String> =
            ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")).into();
        if !authorities.contains(&address.to_string()) {
            authorities.push(address.to_string());
        }
        if port == 80 {
            authorities.extend(["127.0.0.1", "localhost", "[::1]"].map(str::to_owned));
        }
        Self { authorities }
    }

    /// Over a Unix socket, which no browser opens, the host is called `localhost`.
    pub(crate) fn of_local_socket() -> Self {
        Self { authorities: vec!["localhost".to_owned()] }
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
        // An absolute-form target overrules Host, so both have to be ours.
        if let Some(authority) = uri.authority() {
            self.check_host(authority.as_str())?;
        }
        self.check_host(the_host(headers)?)?;
        for origin in headers.get_all(header::ORIGIN) {
            self.check_origin(origin.to_str().unwrap_or_default())?;
        }
        for site in headers.get_all(SEC_FETCH_SITE) {
            match site.as_bytes() {
                b"same-origin" | b"none" => {}
                _ => return Err(Failure::CrossSite),
            }
        }
        Ok(())
    }

    fn check_host(&self, host: &str) -> Result<(), Failure> {
        if self.is_ours(host) {
            return Ok(());
        }
        Err(Failure::ForeignHost { host: host.to_owned(), ours: self.authorities[0].clone() })
    }

    fn check_origin(&self, origin: &str) -> Result<(), Failure> {
        match origin.strip_prefix("http://") {
            Some(authority) if self.is_ours(authority) => Ok(()),
            _ => Err(Failure::ForeignOrigin { origin: origin.to_owned() }),
        }
    }

    fn is_ours(&self, authority: &str) -> bool {
        self.authorities.iter().any(|ours| ours.eq_ignore_ascii_case(authority))
    }
}

pub(crate) async fn pass(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let is_local = request.extensions().get::<Connection>().is_some_and(Connection::is_local);
    let gate = if is_local { &Gate::of_local_socket() } else { &shared.gate };
    match gate.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => shared.refuse(request, failure).await,
    }
}

fn the_host(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Err(Failure::NoHost),
        (Some(host), None) => Ok(host.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => Err(Failure::SeveralHosts),
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
        gate().check_host(host).is_ok()
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
        assert!(gate.check_host("localhost").is_ok());
        assert!(gate.check_host("localhost:80").is_ok());
        assert!(gate.check_host("localhost:81").is_err());
    }

    #[test]
    fn another_loopback_address_that_we_listen_on_is_ours() {
        let gate = Gate::new("127.0.0.9:4321".parse().unwrap());
        assert!(gate.check_host("127.0.0.9:4321").is_ok());
    }

    #[test]
    fn only_our_own_origin_passes() {
        let passes = |origin: &str| gate().check_origin(origin).is_ok();
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
    fn an_absolute_target_must_be_ours_as_well_as_the_host() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:4321"));
        let check = |uri: &'static str| gate().check(&Uri::from_static(uri), &headers);
        assert!(check("/").is_ok());
        assert!(check("http://127.0.0.1:4321/").is_ok());
        assert!(matches!(check("http://evil.com/"), Err(Failure::ForeignHost { .. })));
        assert!(matches!(check("http://x@127.0.0.1:4321/"), Err(Failure::ForeignHost { .. })));
    }
}
