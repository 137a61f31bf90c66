//! What keeps a browser from making more of an answer than it is.

use std::sync::Arc;

use axum::response::Response;
use http::header::{self, HeaderName, HeaderValue};

use crate::sites::Site;

/// Which site has answered: an extension of its answers.
#[derive(Clone)]
pub(crate) struct OfSite {
    pub(crate) site: Arc<Site>,
    /// Whether the answer is an application's own, and so may say more than it should of what its
    /// pages may load.
    pub(crate) is_foreign: bool,
}

/// So many headers an answer gets at most, with the request's id.
const ADDED: usize = 7;

pub(crate) fn harden(mut response: Response) -> Response {
    const ALWAYS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let of_site = response.extensions().get::<OfSite>();
    let is_foreign = of_site.is_some_and(|of_site| of_site.is_foreign);
    let policy_of_site = of_site.and_then(|of_site| of_site.site.content_security_policy.clone());
    let is_chosen = policy_of_site.is_some();
    let policy = policy_for(&response, policy_of_site);
    let headers = response.headers_mut();
    headers.reserve(ADDED);
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_foreign {
        // Beside one of an application's own: all that are there hold.
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    } else if is_chosen {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    } else {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Pages load what comes from this server; all else, as JSON or a drawing that is shown by itself,
/// loads nothing.
fn policy_for(response: &Response, of_site: Option<Arc<str>>) -> HeaderValue {
    const OTHERS: HeaderValue =
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    const PAGES: HeaderValue = HeaderValue::from_static(
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    const PAGE: &[u8] = b"text/html";
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().get(..PAGE.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(PAGE));
    if !is_page {
        return OTHERS;
    }
    let of_site = of_site.and_then(|policy| {
        HeaderValue::from_str(&format!("{}; frame-ancestors 'none'", without_ancestors(&policy)))
            .ok()
    });
    of_site.unwrap_or(PAGES)
}

/// Of a directive that comes twice, the first counts: a site's would count before ours.
fn without_ancestors(policy: &str) -> String {
    let directives = policy.split(';').map(str::trim).filter(|directive| {
        let name = directive.split_ascii_whitespace().next().unwrap_or_default();
        !name.is_empty() && !name.eq_ignore_ascii_case("frame-ancestors")
    });
    directives.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(content_type: &'static str, of_site: Option<&str>) -> String {
        let mut response = Response::new(axum::body::Body::empty());
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        policy_for(&response, of_site.map(Arc::from)).to_str().unwrap().to_owned()
    }

    #[test]
    fn pages_load_what_comes_from_here_and_all_else_loads_nothing() {
        assert!(policy("Text/HTML; charset=utf-8", None).starts_with("default-src 'self'; "));
        for other in ["application/json", "image/svg+xml", "text/javascript"] {
            assert_eq!(policy(other, None), "default-src 'none'; frame-ancestors 'none'");
        }
    }

    #[test]
    fn a_site_may_loosen_what_its_pages_load_but_not_who_frames_them() {
        let loose = "default-src 'self' data:; Frame-Ancestors *";
        assert_eq!(
            policy("text/html", Some(loose)),
            "default-src 'self' data:; frame-ancestors 'none'"
        );
        assert_eq!(policy("text/html", Some("o\nd")), policy("text/html", None));
        assert!(policy("application/json", Some(loose)).contains("'none'"));
    }
}
