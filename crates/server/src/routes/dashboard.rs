//! The page that shows the fleet to people, and the links that sign a browser in.
//!
//! The page itself tells nothing: it asks for all that it shows, as any client, with a cookie.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{self, HeaderMap, HeaderValue};
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::error::Failure;
use crate::files::{Embedded, send_embedded};
use crate::keys::LINK_LIFE;
use crate::shared::Shared;

/// Empty in a build without the dashboard.
static FILES: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// What is shown instead: how to build it.
static MISSING: &[u8] = include_bytes!("../../assets/dashboard_missing.html");

const PAGE: &str = "index.html";

/// Nothing but the page's own files, pictures of jobs, and nothing within it; no text becomes code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' blob:; media-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What a file's name says changes with the file.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// `GET /`
pub(crate) async fn front_door() -> Redirect {
    Redirect::temporary("/dashboard")
}

/// `GET /dashboard`, and whatever lies below it: the page itself knows what that is.
pub(crate) async fn page(headers: HeaderMap) -> Result<Response, Failure> {
    let missing = Embedded { name: PAGE, bytes: MISSING, brotli: None, gzip: None };
    let page = FILES.iter().find(|file| file.name == PAGE).unwrap_or(&missing);
    let mut response = send_embedded(page, &headers)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /dashboard/assets/{file}`
pub(crate) async fn asset(
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let is_it = |file: &&Embedded| file.name.strip_prefix("assets/") == Some(&name);
    let Some(file) = FILES.iter().find(is_it) else {
        return Err(Failure::UnknownRoute { path: uri.path().to_owned() });
    };
    let mut response = send_embedded(file, &headers)?;
    response.headers_mut().insert(header::CACHE_CONTROL, FOR_GOOD);
    Ok(response)
}

/// `POST /api/v1/sign-in-links`: a link that signs one browser in, once. The link before it is good
/// no more.
#[tracing::instrument(name = "routes/dashboard", skip_all)]
pub(crate) async fn link(State(shared): State<Shared>) -> Result<Response, Failure> {
    let address = sign_in_link(&shared)?;
    let told: Value = json!({ "address": address, "expires_in": LINK_LIFE.as_secs() });
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// The code is in the fragment, which browsers keep to themselves.
pub(crate) fn sign_in_link(shared: &Shared) -> Result<String, aiobpy_wire::Problem> {
    let code = shared.keys.open_link(shared.running.elapsed())?;
    Ok(format!("http://{}/dashboard#{code}", shared.address))
}
