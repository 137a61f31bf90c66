//! What is served, described: for programs, and as a page for people.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderName};
use http::{StatusCode, Uri};

use crate::error::Failure;
use crate::shared::Shared;

/// Nothing but the page's own files, and nothing within it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /openapi.json`
#[tracing::instrument(name = "routes/docs", skip_all)]
pub(crate) async fn openapi(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let document = shared.openapi.current(&shared);
    let about =
        [(header::ETAG, document.tag.clone()), (header::CACHE_CONTROL, NOT_KEPT.to_owned())];
    if is_known(&headers, &document.tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (about, kind, document.text).into_response()
}

/// It may be kept, but not used without asking.
const NOT_KEPT: &str = "private, no-cache";

/// `GET /docs`: the page tells nothing by itself; it asks for `/openapi.json` with the token that
/// its user types in.
pub(crate) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("../../assets/docs/index.html"))
}

/// `GET /docs/{file}`
pub(crate) async fn part(Path(name): Path<String>, uri: Uri) -> Result<Response, Failure> {
    match name.as_str() {
        "docs.css" => {
            Ok(file("text/css; charset=utf-8", include_str!("../../assets/docs/docs.css")))
        }
        "docs.js" => {
            Ok(file("text/javascript; charset=utf-8", include_str!("../../assets/docs/docs.js")))
        }
        _ => Err(Failure::UnknownRoute { path: uri.path().to_owned() }),
    }
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, NOT_KEPT),
    ];
    (headers, text).into_response()
}

/// Whether `If-None-Match` (RFC 9110, 13.1.2) names the tag.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|given| {
        let given = given.trim();
        given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
    })
}
