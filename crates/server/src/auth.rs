//! Lets in who has a token or a cookie, as far as its scope goes.

use axum::extract::Request;
use http::Method;
use http::header::{self, HeaderMap, HeaderName};

use crate::connection::Connection;
use crate::error::Failure;
pub(crate) use crate::principal::Principal;
use crate::shared::Shared;
pub(crate) use crate::token::Token;

/// Any page can have a browser post a form to us; none of another site can have it send this header.
const OUR_PAGE: HeaderName = HeaderName::from_static("x-aiobpy");

/// Who sends a request.
///
/// # Errors
/// Nobody who is let in.
pub(crate) fn let_in(
    shared: &Shared,
    request: &Request,
    connection: Option<&Connection>,
) -> Result<Principal, Failure> {
    let headers = request.headers();
    let now = shared.running.elapsed();
    if let Some(secret) = cookie(shared, headers, connection) {
        check_that_no_form_sent_it(request.method(), headers)?;
        return shared.keys.by_cookie(secret, now);
    }
    let token = bearer(headers)?;
    shared.keys.by_token(token, connection, now)
}

/// The token of an `Authorization` header, if there is exactly one. A browser's WebSocket, which
/// cannot have that header, offers it as a subprotocol: `bearer.<token>`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&[u8], Failure> {
    if let Some(token) = offered_to_websocket(headers) {
        return Ok(token);
    }
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else {
        return Err(Failure::NoToken);
    };
    match split_at_space(given.as_bytes()) {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer") => Ok(secret),
        _ => Err(Failure::NoToken),
    }
}

/// The cookie of a request, if it has one and no `Authorization`.
pub(crate) fn cookie<'request>(
    shared: &Shared,
    headers: &'request HeaderMap,
    connection: Option<&Connection>,
) -> Option<&'request str> {
    if headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    let is_secure = connection.is_some_and(Connection::is_secure);
    shared.keys.cookie.read(headers, is_secure)
}

/// What a browser's page sends without asking us first is not to change anything.
///
/// # Errors
/// A form could have sent it.
pub(crate) fn check_that_no_form_sent_it(
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), Failure> {
    if method.is_safe() || headers.contains_key(OUR_PAGE) {
        return Ok(());
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    match (types.next().and_then(|given| given.to_str().ok()), types.next()) {
        (Some(given), None) if is_json(given) => Ok(()),
        _ => Err(Failure::FormWithCookie),
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_structured = essence.starts_with("application/") && essence.ends_with("+json");
    essence == "application/json" || is_structured
}

fn offered_to_websocket(headers: &HeaderMap) -> Option<&[u8]> {
    if headers.contains_key(header::AUTHORIZATION) || !headers.contains_key(header::UPGRADE) {
        return None;
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    let offered = offered.filter_map(|value| value.to_str().ok());
    let mut names = offered.flat_map(|value| value.split(',')).map(str::trim);
    names.find_map(|name| name.strip_prefix("bearer.")).map(str::as_bytes)
}

fn split_at_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    Some((&text[..space], text[space..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn bearer_of(values: &[&'static str]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).ok().map(<[u8]>::to_vec)
    }

    #[test]
    fn the_scheme_may_be_in_any_case() {
        for value in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef"] {
            assert_eq!(bearer_of(&[value]).as_deref(), Some(&b"0123456789abcdef"[..]));
        }
    }

    #[test]
    fn without_one_bearer_token_there_is_no_token() {
        for values in [
            &[][..],
            &["Bearer"],
            &["Basic 0123456789abcdef"],
            &["0123456789abcdef"],
            &["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"],
        ] {
            assert_eq!(bearer_of(values), None, "{values:?}");
        }
    }

    #[test]
    fn what_a_form_can_send_changes_nothing_by_a_cookie() {
        let check = |method: Method, headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            check_that_no_form_sent_it(&method, &headers.collect()).is_ok()
        };
        assert!(check(Method::GET, &[]));
        assert!(check(Method::POST, &[("content-type", "application/json; charset=utf-8")]));
        assert!(check(Method::PATCH, &[("content-type", "application/merge-patch+json")]));
        assert!(check(Method::DELETE, &[("x-aiobpy", "1")]));
        assert!(check(Method::PUT, &[("content-type", "image/png"), ("x-aiobpy", "1")]));
        assert!(!check(Method::DELETE, &[]));
        for form in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
            assert!(!check(Method::POST, &[("content-type", form)]), "{form}");
        }
        assert!(!check(Method::POST, &[("content-type", "text/plain; application/json")]));
        assert!(!check(Method::POST, &[("content-type", "image/svg+json")]));
    }
}
