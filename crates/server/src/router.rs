//! Which room answers which address, and what every request goes through before and after.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post};

use crate::error::Failure;
use crate::harden::harden;
use crate::shared::{Shared, WithFleet};
use crate::{auth, gate, idempotency, observe, routes};

/// The whole service: what `Server` serves on a socket, and a test by `oneshot`.
pub fn router(shared: Shared) -> Router {
    let authorised = from_fn_with_state(shared.clone(), authorise);
    let everything = from_fn_with_state(shared.clone(), every_request);
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
        .route("/ws", get(routes::ws::open))
        .route("/openapi.json", get(routes::docs::openapi))
        .route("/api/v1/me", get(routes::login::show))
        .route("/api/v1/devices", get(routes::devices::list))
        .route("/api/v1/devices/{id}", delete(routes::devices::revoke))
        .route("/api/v1/audit", get(routes::journal::audit))
        .route("/api/v1/requests", get(routes::journal::requests))
        .route("/metrics", get(routes::journal::metrics))
        .merge(of_fleet(&shared))
        .method_not_allowed_fallback(wrong_method)
        .fallback(fallback)
        .layer(from_fn_with_state(shared.clone(), idempotency::once))
        .layer(authorised);
    let open = Router::new()
        .route("/healthz", get(routes::status::is_healthy))
        .route("/docs", get(routes::docs::page))
        .route("/docs/{file}", get(routes::docs::part))
        .route("/login", post(routes::login::log_in))
        .route("/logout", post(routes::login::log_out))
        .route("/ca.crt", get(routes::pairing::authority))
        .route("/pair", get(routes::pairing::page))
        .route("/pair.css", get(routes::pairing::style))
        .route("/pair.js", get(routes::pairing::script))
        .route("/pair/claim", post(routes::pairing::claim))
        .method_not_allowed_fallback(wrong_method);
    open.merge(api).layer(everything).with_state(shared)
}

/// What every request goes through, in one future: each layer of a router has one of its own, on the
/// heap. Those of sites skip the router's other layers, too.
async fn every_request(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let answer = async |request: Request| {
        if let Err(failure) = gate::pass(&shared, &request) {
            return harden(shared.refuse(request, failure).await);
        }
        harden(if is_of_a_site(&request) {
            auth::authorise(&shared, request, async |request| {
                routes::sites::answer(&shared, request).await
            })
            .await
        } else {
            next.run(request).await
        })
    };
    observe::observe(shared.clone(), request, answer).await
}

async fn authorise(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    auth::authorise(&shared, request, async |request| next.run(request).await).await
}

/// Whether none but a site can have its address, and no other layer has a part in its answer.
fn is_of_a_site(request: &Request) -> bool {
    request.uri().path().starts_with("/a/") && !idempotency::is_asked_for(request)
}

/// What no route of ours takes.
async fn fallback(State(shared): State<Shared>, request: Request) -> Response {
    routes::sites::answer(&shared, request).await
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
