//! Which room answers which address, and what every request goes through before and after.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{self, HeaderName, HeaderValue};

use crate::error::Failure;
use crate::shared::{Shared, WithFleet};
use crate::{auth, gate, routes};

/// The whole service: what `Server` serves on a socket, and a test by `oneshot`.
pub fn router(shared: Shared) -> Router {
    let authorised = from_fn_with_state(shared.clone(), auth::authorise);
    let gated = from_fn_with_state(shared.clone(), gate::pass);
    let api = Router::new()
        .route("/api/v1/status", get(routes::status::show))
        .route("/api/v1/echo", get(routes::echo::open))
        .route("/api/v1/events", get(routes::events::follow))
        .route("/api/v1/rpc/{method}", post(routes::rpc::call))
        .route("/rpc", post(routes::json_rpc::answer))
        .route("/api/v1/operations", get(routes::operations::list))
        .route(
            "/api/v1/operations/{id}",
            get(routes::operations::show).delete(routes::operations::cancel),
        )
        .route("/api/v1/operations/{id}/events", get(routes::operations::follow))
        .route("/mcp", post(routes::mcp::answer).get(routes::mcp::listen).delete(routes::mcp::end))
        .route("/openapi.json", get(routes::docs::openapi))
        .merge(of_fleet(&shared))
        .method_not_allowed_fallback(wrong_method)
        .fallback(routes::sites::answer)
        .layer(authorised);
    let open = Router::new()
        .route("/healthz", get(routes::status::is_healthy))
        .route("/docs", get(routes::docs::page))
        .route("/docs/{file}", get(routes::docs::part))
        .method_not_allowed_fallback(wrong_method);
    open.merge(api).layer(gated).layer(map_response(harden)).with_state(shared)
}

/// Empty where there is no fleet.
fn of_fleet(shared: &Shared) -> Router<Shared> {
    let Some(fleet) = shared.fleet.clone() else { return Router::new() };
    let jobs = get(routes::jobs::list).post(routes::jobs::submit);
    let job = get(routes::jobs::show).delete(routes::jobs::cancel);
    Router::new()
        .route("/api/v1/jobs", jobs)
        .route("/api/v1/jobs/{id}", job)
        .route("/api/v1/jobs/{id}/events", get(routes::jobs::follow))
        .route("/api/v1/jobs/{id}/result", get(routes::jobs::result))
        .route("/api/v1/templates", get(routes::fleet::templates))
        .route("/api/v1/workers", get(routes::fleet::workers))
        .method_not_allowed_fallback(wrong_method)
        .with_state(WithFleet { fleet, shared: shared.clone() })
}

/// axum adds the `Allow` header.
async fn wrong_method(State(shared): State<Shared>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    shared.refuse(request, Failure::WrongMethod { method, path, allowed: None }).await
}

/// What keeps a browser from making more of an answer than it is.
async fn harden(mut response: Response) -> Response {
    const ALWAYS: [(HeaderName, &str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    const POLICY: HeaderValue =
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A page says itself what it may load.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
