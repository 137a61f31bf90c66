//! The devices that were paired.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::shared::Shared;

/// `GET /api/v1/devices`: the one that was paired last stands first.
#[tracing::instrument(name = "routes/devices", skip_all)]
pub(crate) async fn list(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({ "devices": shared.keys.devices.list() }))
}

/// `DELETE /api/v1/devices/{id}`: lets it in no more, and cuts what it has open.
#[tracing::instrument(name = "routes/devices", skip_all)]
pub(crate) async fn revoke(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let Path(id) = id.map_err(|rejection| Failure::BadPath { detail: rejection.body_text() })?;
    match shared.keys.devices.revoke(&id)? {
        Some(_device) => Ok(StatusCode::NO_CONTENT),
        None => Err(Failure::UnknownDevice { id }),
    }
}
