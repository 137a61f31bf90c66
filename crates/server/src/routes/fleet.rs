//! What the fleet has: workers, and room.

use aiobpy_fleet::Fleet;
use aiobpy_wire::WorkerState;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use http::header::{self, HeaderMap};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::prefer;
use crate::principal::Principal;
use crate::shared::WithFleet;

/// `GET /api/v1/workers`
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn workers(State(state): State<WithFleet>) -> Json<Value> {
    Json(json!({ "workers": Fleet::workers(&state.fleet) }))
}

/// Whether there is room for another job.
#[derive(Debug, Serialize)]
struct Pressure {
    available: bool,
    /// Why not.
    reason: Option<&'static str>,
    queued: u64,
    running: u64,
    most_waiting: usize,
    /// Workers that are warm or busy.
    workers: usize,
    /// Jobs that were sent away within the last minute.
    recently_rejected: u64,
    /// After so many seconds one of the jobs that wait has probably begun.
    seconds_to_a_place: u64,
}

/// `GET /api/v1/pressure`: whether there is room for another job; with `Accept: text/plain`, for what
/// balances loads, by the status alone: 200 or 503.
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn pressure(State(state): State<WithFleet>, headers: HeaderMap) -> Response {
    let pressure = pressure_of(&state);
    let wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if !wanted.is_some_and(|wanted| wanted.trim_start().starts_with("text/plain")) {
        return Json(pressure).into_response();
    }
    match pressure.reason {
        None => "ok\n".into_response(),
        Some(reason) => {
            let retry = [(header::RETRY_AFTER, pressure.seconds_to_a_place.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, retry, format!("{reason}\n")).into_response()
        }
    }
}

fn pressure_of(state: &WithFleet) -> Pressure {
    let fleet = &state.fleet;
    let at_hand = |worker: &aiobpy_wire::WorkerDescription| {
        matches!(worker.state, WorkerState::Warm | WorkerState::Busy)
    };
    let workers = Fleet::workers(fleet).iter().filter(|worker| at_hand(worker)).count();
    let (queued, running) = state.shared.metrics.tally.as_ref().map_or((0, 0), |tally| {
        let count = |gauge: i64| u64::try_from(gauge).unwrap_or_default();
        (count(tally.queued.get()), count(tally.running.get()))
    });
    let most_waiting = fleet.most_waiting();
    let of_fleet = fleet.pressure();
    let reason = if fleet.is_draining() {
        Some("draining")
    } else if workers == 0 {
        Some("no-worker")
    } else if queued >= most_waiting as u64 {
        Some("queue-full")
    } else {
        None
    };
    Pressure {
        available: reason.is_none(),
        reason,
        queued,
        running,
        most_waiting,
        workers,
        recently_rejected: of_fleet.recently_rejected,
        seconds_to_a_place: of_fleet.seconds_to_a_place,
    }
}

/// `GET /api/v1/webhook-secret`: what receivers check signatures with; each tenant's is another.
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn webhook_secret(
    State(state): State<WithFleet>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let webhooks = state.shared.webhooks.as_ref().ok_or(Failure::NoWebhooks)?;
    let secret = webhooks.secret_of(principal.tenant_name().as_deref());
    Ok(Json(json!({ "secret": secret })).into_response())
}

/// `POST /api/v1/drain`: begins nothing more; with `Prefer: wait=…` it waits for what is under way.
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn drain(State(state): State<WithFleet>, headers: HeaderMap) -> Json<Value> {
    let WithFleet { fleet, shared } = state;
    let wait = prefer::wait(&headers, shared.limits.longest_wait).unwrap_or_default();
    // It is asked at once to drain, however long anybody waits for that.
    let drained = tokio::time::timeout(wait, fleet.drain()).await.is_ok();
    Json(json!({ "draining": true, "drained": drained }))
}

/// `POST /api/v1/undrain`: begins jobs again.
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn undrain(State(state): State<WithFleet>) -> Json<Value> {
    state.fleet.undrain();
    Json(json!({ "draining": false, "drained": false }))
}

/// `POST /api/v1/workers/{id}/recycle`: a fresh one takes its place, once it has done what it is at.
#[tracing::instrument(name = "routes/fleet", skip_all)]
pub(crate) async fn recycle(
    State(state): State<WithFleet>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let Path(id) = id.map_err(|rejection| Failure::BadPath { detail: rejection.body_text() })?;
    state.fleet.recycle(&id)?;
    Ok(StatusCode::ACCEPTED)
}
