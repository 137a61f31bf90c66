//! Whom a webhook may make us talk to: functions of addresses.
//!
//! A client names the address, and the server, which may be inside a network that the client is not in,
//! sends to it. So only what all the world may reach is talked to, by the very address that was
//! looked at: a name that resolves to another one a moment later changes nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::{Host, Url};

const LONGEST: usize = 2048;

/// Which addresses may be talked to.
pub(crate) struct Guard {
    allowed: Vec<IpNet>,
}

/// What a webhook's address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) is_secure: bool,
    /// As the `Host` header has it.
    pub(crate) authority: String,
    pub(crate) path: String,
}

/// Why an address is not talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotAnAddress,
    TooLong,
    Scheme(String),
    Credentials,
    Inner(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAddress => formatter.write_str("it is no address of a web server"),
            Self::TooLong => write!(formatter, "it is longer than {LONGEST} characters"),
            Self::Scheme(scheme) => {
                write!(formatter, "it begins with {scheme}: and not with https: or http:")
            }
            Self::Credentials => formatter.write_str("it holds a user's name or password"),
            Self::Inner(host) => {
                write!(formatter, "{host} is, or may be, inside of a network")
            }
        }
    }
}

impl Guard {
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Takes an address apart. What it says in numbers, in whatever notation, is looked at here.
    pub(crate) fn target(&self, text: &str) -> Result<Target, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::TooLong);
        }
        let url = Url::parse(text).map_err(|_| Refusal::NotAnAddress)?;
        let is_secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(Refusal::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let host = url.host().ok_or(Refusal::NotAnAddress)?.to_owned();
        let port = url.port_or_known_default().filter(|port| *port != 0);
        let port = port.ok_or(Refusal::NotAnAddress)?;
        self.check_host(&host)?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Target { host, port, is_secure, authority, path })
    }

    /// All that a name resolves to has to be allowed: one of them alone could be what is connected to.
    pub(crate) fn check_all(&self, target: &Target, found: &[SocketAddr]) -> Result<(), Refusal> {
        match found.iter().find(|address| !self.may(address.ip())) {
            Some(inner) => Err(Refusal::Inner(format!("{} ({})", target.host, inner.ip()))),
            None => Ok(()),
        }
    }

    fn check_host(&self, host: &Host<String>) -> Result<(), Refusal> {
        let is_fine = match host {
            Host::Ipv4(ip) => self.may(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => self.may(IpAddr::V6(*ip)),
            // What a name stands for is looked at when it is asked for: it may change at any time.
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                let is_local = name == "localhost" || name.ends_with(".localhost");
                !is_local || self.may(IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
        };
        if is_fine { Ok(()) } else { Err(Refusal::Inner(host.to_string())) }
    }

    fn may(&self, ip: IpAddr) -> bool {
        let ip = as_reached(ip);
        self.allowed.iter().any(|network| network.contains(&ip)) || is_public(ip)
    }
}

/// An address of IPv4 that is written as one of IPv6: mapped (RFC 4291), or by way of NAT64 (RFC 6052).
fn as_reached(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => ip,
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// By IANA's registry of special addresses of IPv4: each with the bits that tell it.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    const SPECIAL: [([u8; 4], u32); 15] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
    ];
    let is_in = |(network, bits): &([u8; 4], u32)| {
        (ip.to_bits() ^ u32::from_be_bytes(*network)) >> (32 - bits) == 0
    };
    !SPECIAL.iter().any(is_in)
}

/// Of IPv6 nothing but what is given out for the internet, without the parts that lead elsewhere:
/// Teredo and others below `2001::/23`, what is for documentation, and 6to4.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0x2001, 0..=0x1ff | 0xdb8, ..] => false,
        [0x2002, ..] => false,
        [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard() -> Guard {
        Guard::new(Vec::new())
    }

    #[test]
    fn addresses_of_the_internet_are_taken_apart() {
        let target = guard().target("https://shop.example:8443/hook?a=1#part").unwrap();
        assert_eq!(target.host, Host::Domain("shop.example".to_owned()));
        assert_eq!((target.port, target.is_secure), (8443, true));
        assert_eq!((&*target.authority, &*target.path), ("shop.example:8443", "/hook?a=1"));
        let target = guard().target("http://93.184.216.34").unwrap();
        assert_eq!((target.port, &*target.authority, &*target.path), (80, "93.184.216.34", "/"));
        assert!(guard().target("https://[2606:2800:220:1::1]/").is_ok());
        assert!(guard().target("https://[64:ff9b::5db8:d822]/").is_ok(), "NAT64 to the internet");
    }

    #[test]
    fn inner_addresses_are_refused_in_whatever_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0x7f.1",
            "127.0.0.1.",
            "１２７.0.0.1",
            "0.0.0.0",
            "0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::7f00:1]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2001::1]",
            "[2002:7f00:1::]",
            "[3fff::1]",
            "[100::1]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
        ] {
            let refused = guard().target(&format!("http://{host}/")).unwrap_err();
            assert!(matches!(refused, Refusal::Inner(_)), "{host}: {refused:?}");
        }
    }

    #[test]
    fn what_is_no_plain_address_of_the_web_is_refused() {
        for (url, wanted) in [
            ("ftp://shop.example/", Refusal::Scheme("ftp".into())),
            ("file:///etc/passwd", Refusal::Scheme("file".into())),
            ("gopher://shop.example/", Refusal::Scheme("gopher".into())),
            ("https://ada:secret@shop.example/", Refusal::Credentials),
            ("https://ada@shop.example/", Refusal::Credentials),
            ("http://shop.example:0/", Refusal::NotAnAddress),
            ("shop.example/hook", Refusal::NotAnAddress),
            ("http://", Refusal::NotAnAddress),
            ("http://a b/", Refusal::NotAnAddress),
            ("", Refusal::NotAnAddress),
        ] {
            assert_eq!(guard().target(url), Err(wanted), "{url}");
        }
        let long = format!("https://shop.example/{}", "a".repeat(LONGEST));
        assert_eq!(guard().target(&long), Err(Refusal::TooLong));
    }

    #[test]
    fn networks_of_yours_can_be_allowed_and_no_others_with_them() {
        let guard = Guard::new(vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        for host in ["10.1.2.3", "[::ffff:10.0.0.1]", "[::1]", "0xa000001"] {
            assert!(guard.target(&format!("http://{host}/")).is_ok(), "{host}");
        }
        for host in ["127.0.0.1", "192.168.0.1", "[fe80::1]", "localhost"] {
            assert!(guard.target(&format!("http://{host}/")).is_err(), "{host}");
        }
    }

    #[test]
    fn one_inner_address_of_a_name_is_enough_to_refuse_it() {
        let target = guard().target("https://shop.example/").unwrap();
        let public = SocketAddr::from(([93, 184, 216, 34], 443));
        let inner = SocketAddr::from(([192, 168, 0, 1], 443));
        assert_eq!(guard().check_all(&target, &[public]), Ok(()));
        assert!(guard().check_all(&target, &[public, inner]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_not_public_as_ipv4_is_not_so_as_ipv6(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = v4.octets();
            let mapped = IpAddr::V6(v4.to_ipv6_mapped());
            let by_nat64 = format!("64:ff9b::{a:02x}{b:02x}:{c:02x}{d:02x}").parse().unwrap();
            let guard = guard();
            prop_assert_eq!(guard.may(mapped), guard.may(IpAddr::V4(v4)));
            prop_assert_eq!(guard.may(by_nat64), guard.may(IpAddr::V4(v4)));
        }

        #[test]
        fn no_text_reaches_what_is_inner(text in "(http://)?[0-9a-fx:.\\[\\]@/%]{0,20}") {
            if let Ok(target) = guard().target(&text) {
                let is_fine = match target.host {
                    Host::Ipv4(ip) => is_public_v4(ip),
                    Host::Ipv6(ip) => guard().may(IpAddr::V6(ip)),
                    Host::Domain(_) => true,
                };
                prop_assert!(is_fine, "{}", text);
            }
        }
    }
}
