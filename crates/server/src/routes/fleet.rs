//! What the fleet has: templates and workers.

use aiobpy_fleet::Fleet;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::shared::WithFleet;

/// `GET /api/v1/templates`: what jobs may ask for, each with a JSON Schema of its parameters.
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn templates(State(state): State<WithFleet>) -> Json<Value> {
    Json(json!({ "templates": Fleet::templates(&state.fleet) }))
}

/// `GET /api/v1/workers`
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn workers(State(state): State<WithFleet>) -> Json<Value> {
    Json(json!({ "workers": Fleet::workers(&state.fleet) }))
}
