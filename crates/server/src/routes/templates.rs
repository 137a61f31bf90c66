//! Templates: what jobs may ask for, and an address of each.

use aiobpy_fleet::Fleet;
use aiobpy_wire::{JobRequest, OutputFormat, OutputRequest};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body;
use crate::error::Failure;
use crate::routes::jobs::Wishes;
use crate::shared::WithFleet;

/// `GET /api/v1/templates`: what jobs may ask for, each with a JSON Schema of its parameters.
#[tracing::instrument(name = "routes/templates", skip_all)]
pub(crate) async fn list(State(state): State<WithFleet>) -> Json<Value> {
    Json(json!({ "templates": Fleet::templates(&state.fleet) }))
}

/// What a job of a template is to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    width: Option<u32>,
    height: Option<u32>,
    samples: Option<u32>,
    frame: Option<i32>,
    format: Option<OutputFormat>,
    quality: Option<u8>,
    #[serde(default)]
    priority: i8,
    timeout_seconds: Option<u32>,
    #[serde(default = "yes")]
    cache: bool,
}

fn yes() -> bool {
    true
}

/// `POST /api/v1/templates/{name}/jobs?width=800`: as `POST /api/v1/jobs`, the body being the
/// template's own parameters.
#[tracing::instrument(name = "routes/templates", skip_all)]
pub(crate) async fn submit(
    State(state): State<WithFleet>,
    name: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let Path(name) =
        name.map_err(|rejection| Failure::BadPath { detail: rejection.body_text() })?;
    let Query(wanted) =
        wanted.map_err(|rejection| Failure::BadQuery { detail: rejection.body_text() })?;
    let wishes = Wishes::of(&state.shared, &request)?;
    let text = body::read_json_object(request, &state.shared.limits).await?;
    let params = serde_json::from_str(&text)
        .map_err(|error| Failure::NotJson { detail: error.to_string() })?;
    let Wanted { width, height, samples, frame, format, quality, .. } = wanted;
    let Wanted { priority, timeout_seconds, cache, .. } = wanted;
    let known = OutputRequest::default();
    let output = OutputRequest { width, height, samples, frame, format, quality, ..known };
    let known = JobRequest::new(name);
    let asked = JobRequest { params, output, priority, timeout_seconds, cache, ..known };
    wishes.submit(&state, asked).await
}
