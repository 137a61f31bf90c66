//! Operations: looked at, followed, cancelled.

use std::convert::Infallible;

use aiobpy_wire::Operation;
use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::StatusCode;
use http::header::{self, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::error::Failure;

type Id = Result<Path<String>, PathRejection>;

/// `GET /api/v1/operations`
#[tracing::instrument(name = "routes/operations", skip_all)]
pub(crate) async fn list(caller: Caller) -> Json<Value> {
    Json(json!({ "operations": caller.shared.operations.list(&caller) }))
}

/// `GET /api/v1/operations/{id}`
#[tracing::instrument(name = "routes/operations", skip_all)]
pub(crate) async fn show(caller: Caller, id: Id) -> Result<Json<Operation>, Failure> {
    let watch = caller.shared.operations.watch(&caller, &text_of(id)?)?;
    let operation = watch.borrow().clone();
    Ok(Json(operation))
}

/// `DELETE /api/v1/operations/{id}`: cancels it, and forgets it.
#[tracing::instrument(name = "routes/operations", skip_all)]
pub(crate) async fn cancel(caller: Caller, id: Id) -> Result<Json<Operation>, Failure> {
    Ok(Json(caller.shared.operations.cancel(&caller, &text_of(id)?)?))
}

/// `GET /api/v1/operations/{id}/events`: the operation as it is now, and whenever it changes, to its
/// end. Who does not keep up gets the newest.
#[tracing::instrument(name = "routes/operations", skip_all)]
pub(crate) async fn follow(caller: Caller, id: Id) -> Result<Response, Failure> {
    let mut watch = caller.shared.operations.watch(&caller, &text_of(id)?)?;
    watch.mark_changed();
    let events = stream::unfold(Some(watch), |watch| async {
        let mut watch: watch::Receiver<Operation> = watch?;
        // The sender lives for as long as the operation is remembered.
        watch.changed().await.ok()?;
        let operation = watch.borrow_and_update().clone();
        let data = serde_json::to_string(&operation).unwrap_or_default();
        let event = Event::default().event("operation").data(data);
        Some((Ok::<_, Infallible>(event), (!operation.is_final()).then_some(watch)))
    });
    let keep_alive = KeepAlive::new().interval(caller.shared.limits.heartbeat);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

/// The answer to a call that goes on as an operation.
pub(crate) fn accepted(operation: &Operation) -> Response {
    let location = format!("/api/v1/operations/{}", operation.id);
    let mut response = (StatusCode::ACCEPTED, Json(operation)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn text_of(id: Id) -> Result<String, Failure> {
    let Path(id) = id.map_err(|rejection| Failure::BadPath { detail: rejection.body_text() })?;
    Ok(id)
}
