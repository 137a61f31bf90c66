//! Which room answers which address, and what every request goes through before and after.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use http::Method;
use tower_service::Service as _;

use crate::answer_body::AnswerBody;
use crate::connection::Connection;
use crate::error::Failure;
use crate::harden::harden;
use crate::observe::Seen;
use crate::routes::scopes;
use crate::sender::Sender;
use crate::shared::{Shared, WithFleet};
use crate::{auth, gate, idempotency, routes};

/// The whole service: what `Server` serves on a socket, and a test without one. A clone is another
/// handle on the same.
#[derive(Clone)]
pub struct Front(Arc<Inner>);

struct Inner {
    shared: Shared,
    router: Router,
    addresses: matchit::Router<Ours>,
}

/// One of our own addresses; all others are those of sites.
#[derive(Clone, Copy)]
struct Ours {
    pattern: &'static str,
    /// Whether it needs no token.
    is_open: bool,
}

impl Front {
    pub fn new(shared: Shared) -> Self {
        let router = router(&shared);
        let addresses = addresses(shared.fleet.is_some());
        Self(Arc::new(Inner { shared, router, addresses }))
    }

    /// Answers a request.
    ///
    /// What every request goes through is here, and not in layers of the router: each of those has a
    /// future of its own, on the heap.
    pub async fn answer(&self, request: Request) -> http::Response<AnswerBody> {
        self.answer_on(request, None).await
    }

    /// Answers a request that has come by a connection.
    pub(crate) async fn answer_on(
        &self,
        request: Request,
        connection: Option<Connection>,
    ) -> http::Response<AnswerBody> {
        let Inner { shared, addresses, .. } = &*self.0;
        let ours = addresses.at(request.uri().path()).ok().map(|found| *found.value);
        let pattern = ours.map(|ours| ours.pattern);
        let mut seen = Seen::begin(shared, &request, connection.as_ref(), pattern);
        let response = match gate::pass(shared, &request, connection.as_ref()) {
            Ok(()) => self.let_in(request, connection, ours, &mut seen).await,
            Err(failure) => shared.refuse(request, failure).await,
        };
        seen.end(harden(response)).await
    }

    async fn let_in(
        &self,
        mut request: Request,
        connection: Option<Connection>,
        ours: Option<Ours>,
        seen: &mut Seen,
    ) -> Response {
        let shared = &self.0.shared;
        let mut sender = Sender { connection, principal: None, trace: Some(seen.trace().clone()) };
        if let Some(ours) = ours.filter(|ours| ours.is_open) {
            return self.hand_on(request, sender, Some(ours)).await;
        }
        let principal = match auth::let_in(shared, &request, sender.connection.as_ref()) {
            Ok(principal) => principal,
            Err(failure) => return shared.refuse(request, failure).await,
        };
        seen.let_in(principal.clone());
        if principal.tenant.is_some() && !ours.is_some_and(|it| scopes::is_for_tenants(it.pattern))
        {
            // Sites, and what tells of all that the server does, are for whoever runs it.
            return shared.refuse(request, Failure::NotForTenants).await;
        }
        if let Some(ours) = ours
            && let Err(failure) = principal.may(scopes::needed(ours.pattern, request.method()))
        {
            return shared.refuse(request, failure).await;
        }
        sender.principal = Some(principal);
        if idempotency::is_asked_for(shared, &request) {
            sender.note_in(&mut request);
            let this = self.clone();
            let next = move |request| async move { this.hand_on(request, sender, ours).await };
            return idempotency::once(shared, request, next).await;
        }
        self.hand_on(request, sender, ours).await
    }

    /// Sites have scopes of their own, and skip the router.
    async fn hand_on(&self, mut request: Request, sender: Sender, ours: Option<Ours>) -> Response {
        let Some(ours) = ours else {
            return routes::sites::answer(&self.0.shared, request, sender).await;
        };
        if ours.pattern == routes::status::HEALTH && request.method() == Method::GET {
            // Asked again and again, by whoever has to know at once.
            return routes::status::is_healthy().await;
        }
        sender.note_in(&mut request);
        let Ok(response) = self.0.router.clone().call(request).await;
        response
    }
}

fn addresses(has_fleet: bool) -> matchit::Router<Ours> {
    let mut addresses = matchit::Router::new();
    for (pattern, is_open) in scopes::patterns(has_fleet) {
        // One that is there already has another method there.
        let _known = addresses.insert(pattern, Ours { pattern, is_open });
    }
    addresses
}

/// Our own routes.
fn router(shared: &Shared) -> Router {
    Router::new()
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
        .route("/ws/{id}", post(routes::ws::hear))
        .route("/openapi.json", get(routes::docs::openapi))
        .route("/api/v1/me", get(routes::login::show))
        .route("/api/v1/devices", get(routes::devices::list))
        .route("/api/v1/devices/{id}", delete(routes::devices::revoke))
        .route("/api/v1/audit", get(routes::journal::audit))
        .route("/api/v1/requests", get(routes::journal::requests))
        .route("/metrics", get(routes::journal::metrics))
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
        .merge(of_fleet(shared))
        .merge(dashboard(shared))
        .method_not_allowed_fallback(wrong_method)
        .fallback(fallback)
        .with_state(shared.clone())
}

/// What no route of ours takes, as where there is no fleet.
async fn fallback(State(shared): State<Shared>, request: Request) -> Response {
    let sender = Sender::noted_in(&request);
    routes::sites::answer(&shared, request, sender).await
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
        .route("/api/v1/jobs/{id}/preview", get(routes::preview::show))
        .route("/api/v1/inputs", post(routes::inputs::take))
        .route("/api/v1/batches", get(routes::batches::list).post(routes::batches::submit))
        .route("/api/v1/batches/{id}", get(routes::batches::show).delete(routes::batches::cancel))
        .route("/api/v1/batches/{id}/events", get(routes::batches::follow))
        .route("/api/v1/batches/{id}/jobs", get(routes::batches::jobs))
        .route("/api/v1/batches/{id}/results", get(routes::batches::results))
        .route("/api/v1/pressure", get(routes::fleet::pressure))
        .route("/api/v1/webhook-secret", get(routes::fleet::webhook_secret))
        .route("/api/v1/templates", get(routes::templates::list))
        .route("/api/v1/templates/{name}/jobs", post(routes::templates::submit))
        .route("/api/v1/drain", post(routes::fleet::drain))
        .route("/api/v1/undrain", post(routes::fleet::undrain))
        .route("/api/v1/workers/{id}/recycle", post(routes::fleet::recycle))
        .route("/api/v1/workers", get(routes::fleet::workers))
        .route("/api/v1/sign-in-links", post(routes::dashboard::link))
        .method_not_allowed_fallback(wrong_method)
        .with_state(WithFleet { fleet, shared: shared.clone() })
}

/// What people see of the fleet; empty where there is none.
fn dashboard(shared: &Shared) -> Router<Shared> {
    if shared.fleet.is_none() {
        return Router::new();
    }
    Router::new()
        .route("/", get(routes::dashboard::front_door))
        .route("/dashboard", get(routes::dashboard::page))
        .route("/dashboard/{*below}", get(routes::dashboard::page))
        .route("/dashboard/assets/{file}", get(routes::dashboard::asset))
}

/// axum adds the `Allow` header.
async fn wrong_method(State(shared): State<Shared>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    shared.refuse(request, Failure::WrongMethod { method, path, allowed: None }).await
}
