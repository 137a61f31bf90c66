//! Is it there, and how is it? Known without asking Python.

use aiobpy_fleet::Fleet;
use aiobpy_wire::Status;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{self, HeaderValue};

use crate::main_thread::Door;
use crate::shared::Shared;

pub(crate) const HEALTH: &str = "/healthz";

/// `GET /healthz`: needs no token, and so tells nothing.
pub(crate) async fn is_healthy() -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let mut response = Response::new(Body::from(r#"{"ok":true}"#));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// `GET /api/v1/status`
#[tracing::instrument(name = "routes/status", skip_all)]
pub(crate) async fn show(State(shared): State<Shared>) -> Json<Status> {
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        address: format!("http://{}", shared.address),
        uptime_seconds: shared.running.elapsed().as_secs_f64(),
        connections: shared.connections(),
        main_thread: shared.main_thread.as_ref().map(Door::status),
        workers: shared.fleet.as_ref().map(Fleet::workers),
    })
}
