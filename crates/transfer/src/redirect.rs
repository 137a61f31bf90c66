//! Where a redirect leads, and whether to go there. A function of values.

use http::{HeaderValue, Method, StatusCode};
use url::Url;

use crate::address;

/// One more hop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// Whether the same host will see it, so that it may see what the caller sends to it.
    pub(crate) stays: bool,
    pub(crate) keeps_body: bool,
}

/// Where the caller lets a redirect lead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// From https to http.
    pub(crate) downgrade: bool,
    /// To another machine than this one.
    pub(crate) leaving: bool,
}

/// More hops than this go round in circles.
pub(crate) const MOST_HOPS: usize = 10;

/// Returns `None` if the answer is no redirect, and why not if it is one that is not followed.
///
/// RFC 9110, section 15.4: 303 makes anything a GET; 301 and 302 make a POST one, as all clients do.
pub(crate) fn next(
    from: &Url,
    method: &Method,
    status: StatusCode,
    location: Option<&HeaderValue>,
    allowed: Allowed,
) -> Result<Option<Hop>, &'static str> {
    let method = match (status.as_u16(), method) {
        (303, &Method::HEAD) => Method::HEAD,
        (303, _) | (301 | 302, &Method::POST) => Method::GET,
        (301 | 302 | 307 | 308, method) => method.clone(),
        _ => return Ok(None),
    };
    let Some(location) = location else { return Ok(None) };
    let mut url = location
        .to_str()
        .ok()
        .and_then(|location| from.join(location).ok())
        .filter(address::is_http)
        .ok_or("the server redirects to something that is no web address")?;
    address::without_credentials(&mut url);
    if from.scheme() == "https" && url.scheme() == "http" && !allowed.downgrade {
        return Err(
            "the server redirects from https to http, where anybody can read and change it; \
             allow_downgrade=True follows it all the same",
        );
    }
    if !allowed.leaving && !address::is_this_machine(&url) {
        return Err("the server redirects to another machine, and Blender may not go online: \
                    Preferences > System > Network > Allow Online Access allows it");
    }
    let keeps_body = !matches!(method, Method::GET | Method::HEAD);
    Ok(Some(Hop { stays: url.origin() == from.origin(), keeps_body, method, url }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO_HTTPS: Allowed = Allowed { downgrade: false, leaving: true };

    #[test]
    fn another_machine_is_left_alone_where_that_is_not_allowed() {
        let follow = |to: &'static str| {
            let from = Url::parse("http://127.0.0.1:8000/").unwrap();
            let allowed = Allowed { downgrade: false, leaving: false };
            let to = HeaderValue::from_static(to);
            next(&from, &Method::GET, StatusCode::FOUND, Some(&to), allowed)
        };
        for to in ["/x", "http://localhost:9/", "http://[::1]/", "http://127.1.2.3/"] {
            assert!(follow(to).is_ok(), "{to}");
        }
        for to in ["http://example.org/", "http://10.0.0.1/", "http://localhost.example.org/"] {
            assert!(follow(to).unwrap_err().contains("Allow Online Access"), "{to}");
        }
    }

    fn follow(
        from: &str,
        method: &Method,
        status: u16,
        to: &str,
    ) -> Result<Option<Hop>, &'static str> {
        let location = HeaderValue::from_str(to).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        next(&Url::parse(from).unwrap(), method, status, Some(&location), TO_HTTPS)
    }

    #[test]
    fn a_path_is_of_the_same_host() {
        let hop = follow("https://a.org/x/y", &Method::GET, 302, "../z?q=1").unwrap().unwrap();
        assert_eq!(hop.url.as_str(), "https://a.org/z?q=1");
        assert!(hop.stays);
    }

    #[test]
    fn another_host_port_or_scheme_is_another_origin() {
        for to in ["https://b.org/", "https://a.org:444/", "//evil.org/a.org"] {
            assert!(
                !follow("https://a.org/", &Method::GET, 307, to).unwrap().unwrap().stays,
                "{to}"
            );
        }
        assert!(
            !follow("http://a.org/", &Method::GET, 307, "https://a.org/").unwrap().unwrap().stays
        );
    }

    #[test]
    fn https_is_not_left() {
        assert!(follow("https://a.org/", &Method::GET, 302, "http://a.org/").is_err());
    }

    #[test]
    fn only_web_addresses_are_followed_and_without_credentials() {
        assert!(follow("https://a.org/", &Method::GET, 302, "file:///etc/passwd").is_err());
        let hop =
            follow("https://a.org/", &Method::GET, 302, "https://u:p@b.org/#x").unwrap().unwrap();
        assert_eq!(hop.url.as_str(), "https://b.org/");
    }

    #[test]
    fn methods_change_as_clients_change_them() {
        let after = |method: &Method, status| {
            let hop = follow("http://a.org/", method, status, "/b").unwrap().unwrap();
            (hop.method, hop.keeps_body)
        };
        assert_eq!(after(&Method::POST, 302), (Method::GET, false));
        assert_eq!(after(&Method::PUT, 302), (Method::PUT, true));
        assert_eq!(after(&Method::PUT, 303), (Method::GET, false));
        assert_eq!(after(&Method::POST, 308), (Method::POST, true));
    }

    #[test]
    fn not_modified_is_no_redirect() {
        assert_eq!(follow("http://a.org/", &Method::GET, 304, "/b"), Ok(None));
    }
}
