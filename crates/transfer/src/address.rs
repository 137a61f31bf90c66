//! Addresses: what may be asked, and how they are shown.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::failure::Failure;

/// An address without the credentials that it was written with.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) url: Url,
    credentials: Option<(String, String)>,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut url = Url::parse(text).map_err(|error| {
            Failure::Argument(format!("an address such as https://host/path is expected: {error}"))
        })?;
        if !is_http(&url) {
            return Err(Failure::Argument(format!(
                "the address has to begin with http:// or https://, not {}://",
                url.scheme()
            )));
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = decoded(url.username());
        let credentials = match url.password() {
            Some(password) => Some((user, decoded(password))),
            None => Some((user, String::new())).filter(|(user, _)| !user.is_empty()),
        };
        without_credentials(&mut url);
        Ok(Self { url, credentials })
    }

    /// What the address itself says to send, in `headers`, unless that says otherwise.
    pub(crate) fn authorise(&self, headers: &mut HeaderMap) {
        let Some((user, password)) = &self.credentials else { return };
        if headers.contains_key(header::AUTHORIZATION) {
            return;
        }
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        if let Ok(mut value) = HeaderValue::from_str(&basic) {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }
}

pub(crate) fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// Whether an address is of this very machine, without asking what its name stands for.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

pub(crate) fn without_credentials(url: &mut Url) {
    // Neither fails on an address with a host.
    let _infallible = (url.set_username(""), url.set_password(None));
    url.set_fragment(None);
}

/// As errors and logs may show it: a query may hold a signature or a token.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    without_credentials(&mut url);
    let had_query = url.query().is_some();
    url.set_query(None);
    if had_query { format!("{url}?…") } else { url.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_neither_password_nor_query() {
        let address = Address::parse("https://ada:s3cret@example.org/a/b?sig=abc#part").unwrap();
        assert_eq!(shown(&address.url), "https://example.org/a/b?…");
        assert_eq!(address.url.as_str(), "https://example.org/a/b?sig=abc");
    }

    #[test]
    fn credentials_of_the_address_are_sent_as_basic_ones() {
        let mut headers = HeaderMap::new();
        Address::parse("http://Aladdin:open%20sesame@localhost/").unwrap().authorise(&mut headers);
        assert_eq!(headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn only_http_is_asked_and_no_error_repeats_the_address() {
        for text in ["file:///etc/passwd", "ftp://example.org/", "example.org/a", "http://a:b@:x/"]
        {
            let failure = Address::parse(text).unwrap_err().to_string();
            assert!(!failure.contains("a:b"), "{failure}");
        }
    }
}
