//! What clients have asked, and what was counted of it.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::metrics::OPEN_METRICS;
use crate::shared::Shared;

/// So many are told if nothing is said.
const USUAL: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    limit: Option<usize>,
}

/// `GET /api/v1/requests?limit=100`: the newest requests, newest first.
#[tracing::instrument(name = "routes/journal", skip_all)]
pub(crate) async fn requests(
    State(shared): State<Shared>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "requests": shared.journal.requests(limit(page)?) })))
}

/// `GET /api/v1/audit?limit=100`: the newest that changed something or were refused, newest first.
#[tracing::instrument(name = "routes/journal", skip_all)]
pub(crate) async fn audit(
    State(shared): State<Shared>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "requests": shared.journal.audit(limit(page)?) })))
}

/// `GET /metrics`: for Prometheus.
#[tracing::instrument(name = "routes/journal", skip_all)]
pub(crate) async fn metrics(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], shared.metrics.text(&shared)).into_response()
}

fn limit(page: Result<Query<Page>, QueryRejection>) -> Result<usize, Failure> {
    let Query(page) =
        page.map_err(|rejection| Failure::BadQuery { detail: rejection.body_text() })?;
    Ok(page.limit.unwrap_or(USUAL))
}
