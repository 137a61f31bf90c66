//! The cookie by which a browser says who it is.
//!
//! Cookies know no ports, so the name has ours. On TLS it begins with `__Host-`: no other host, and
//! nothing that was read over plain HTTP, can set it (RFC 6265bis, 4.1.3.2).

use http::header::{self, HeaderMap, HeaderValue};

/// How a server of this port names its cookie.
#[derive(Clone, Debug)]
pub(crate) struct CookieName {
    plain: String,
    secure: String,
}

/// How long a browser keeps a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Until it is closed.
    ForNow,
    /// Until the device is revoked, or has been away for long.
    ForLong,
    /// No more.
    NoMore,
}

impl CookieName {
    pub(crate) fn new(port: u16) -> Self {
        Self { plain: format!("aiobpy-{port}"), secure: format!("__Host-aiobpy-{port}") }
    }

    fn of(&self, is_secure: bool) -> &str {
        if is_secure { &self.secure } else { &self.plain }
    }

    /// What the cookie says. None if there are two: another program on this host has set one.
    pub(crate) fn read<'headers>(
        &self,
        headers: &'headers HeaderMap,
        is_secure: bool,
    ) -> Option<&'headers str> {
        let values = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
        let pairs = values.flat_map(|value| value.split(';')).map(str::trim);
        let mut found = pairs
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| *name == self.of(is_secure))
            .map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// The value of a `Set-Cookie` header.
    pub(crate) fn write(&self, secret: &str, is_secure: bool, keep: Keep) -> HeaderValue {
        // 400 days: browsers keep none for longer.
        const LONG: &str = "; Max-Age=34560000";
        let name = self.of(is_secure);
        let mut text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict");
        if is_secure {
            text.push_str("; Secure");
        }
        match keep {
            Keep::ForNow => {}
            Keep::ForLong => text.push_str(LONG),
            Keep::NoMore => text.push_str("; Max-Age=0"),
        }
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str], is_secure: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::COOKIE, HeaderValue::from_static(value));
        }
        CookieName::new(4321).read(&headers, is_secure).map(str::to_owned)
    }

    #[test]
    fn the_cookie_of_this_port_is_found_among_others() {
        let value = "other=1; aiobpy-4322=no; aiobpy-4321=yes; more=2";
        assert_eq!(read(&[value], false).as_deref(), Some("yes"));
        assert_eq!(read(&["a=b", "aiobpy-4321=yes"], false).as_deref(), Some("yes"));
        assert_eq!(read(&["a=b"], false), None);
    }

    #[test]
    fn over_tls_only_the_one_counts_that_plain_http_cannot_set() {
        assert_eq!(read(&["aiobpy-4321=planted"], true), None);
        assert_eq!(read(&["__Host-aiobpy-4321=yes"], true).as_deref(), Some("yes"));
        assert_eq!(read(&["__Host-aiobpy-4321=yes"], false), None);
    }

    #[test]
    fn of_two_of_one_name_none_counts() {
        assert_eq!(read(&["aiobpy-4321=planted; aiobpy-4321=yes"], false), None);
        assert_eq!(read(&["aiobpy-4321=planted", "aiobpy-4321=yes"], false), None);
    }

    #[test]
    fn no_script_reads_it_and_no_other_site_sends_it() {
        let name = CookieName::new(4321);
        let written = |is_secure, keep| name.write("x", is_secure, keep);
        assert_eq!(
            written(true, Keep::ForNow),
            "__Host-aiobpy-4321=x; Path=/; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            written(false, Keep::NoMore),
            "aiobpy-4321=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        );
        assert!(written(true, Keep::ForLong).to_str().unwrap().ends_with("Max-Age=34560000"));
        assert!(written(true, Keep::ForLong).is_sensitive());
    }
}
