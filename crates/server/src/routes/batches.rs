//! Batches: many jobs by one request, looked at, followed and cancelled together, and their results.

use std::collections::HashSet;

use aiobpy_fleet::Fleet;
use aiobpy_wire::{Batch, BatchId, BatchRequest, JobId, JobState};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::stream::{self, Stream, StreamExt};
use http::header::{self, HeaderMap};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::error::Failure;
use crate::events::{EventLog, Interest, Start};
use crate::files::conditions::{Validators, Verdict, verdict};
use crate::principal::Principal;
use crate::routes::events::{last_event_id, streamed};
use crate::routes::jobs::{Page, asker_of, check_webhook, says_no_cache};
use crate::routes::named::Named;
use crate::shared::WithFleet;
use crate::{body, naming, zip};

/// `POST /api/v1/batches`: 202 with the batch; all of its jobs are taken on, or none.
#[tracing::instrument(name = "routes/batches", skip_all)]
pub(crate) async fn submit(
    State(WithFleet { fleet, shared }): State<WithFleet>,
    request: Request,
) -> Result<Response, Failure> {
    let asker = asker_of(&request, "batch")?;
    let cache = !says_no_cache(request.headers());
    let mut wanted: BatchRequest = body::read_json(request, &shared.limits).await?;
    wanted.job.cache &= cache;
    check_webhook(&shared, wanted.webhook.as_ref(), "/webhook/url")?;
    check_webhook(&shared, wanted.job.webhook.as_ref(), "/job/webhook/url")?;
    let batch = fleet.submit_batch(wanted, asker).await;
    let batch = batch.inspect_err(|problem| shared.metrics.refused(problem))?;
    let location = format!("/api/v1/batches/{}", batch.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(batch)).into_response())
}

/// `GET /api/v1/batches?limit=50`: the newest, newest first.
#[tracing::instrument(name = "routes/batches", skip_all)]
pub(crate) async fn list(
    State(WithFleet { fleet, .. }): State<WithFleet>,
    Extension(principal): Extension<Principal>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let batches = fleet.batches(principal.tenant_name(), Page::limit(page)?).await;
    Ok(Json(json!({ "batches": batches })))
}

/// `GET /api/v1/batches/{id}`
#[tracing::instrument(name = "routes/batches", skip_all)]
pub(crate) async fn show(Named(batch): Named<Batch>) -> Json<Batch> {
    Json(batch)
}

/// `DELETE /api/v1/batches/{id}`: cancels what has not ended.
#[tracing::instrument(name = "routes/batches", skip_all)]
pub(crate) async fn cancel(
    State(state): State<WithFleet>,
    Named(batch): Named<Batch>,
) -> Result<Json<Batch>, Failure> {
    Ok(Json(state.fleet.cancel_batch(batch.id).await?))
}

/// `GET /api/v1/batches/{id}/jobs`: all of them, in the order in which they were asked for.
#[tracing::instrument(name = "routes/batches", skip_all)]
pub(crate) async fn jobs(
    State(state): State<WithFleet>,
    Named(batch): Named<Batch>,
) -> Json<Value> {
    Json(json!({ "jobs": state.fleet.jobs_of_batch(batch.id).await }))
}

/// `GET /api/v1/batches/{id}/events`: all that happens to its jobs, until the last of them has ended.
#[tracing::instrument(name = "routes/batches", skip_all)]
pub(crate) async fn follow(
    State(state): State<WithFleet>,
    Named(batch): Named<Batch>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let last_seen = last_event_id(&headers)?;
    let WithFleet { fleet, shared } = state;
    let jobs: Vec<JobId> =
        fleet.jobs_of_batch(batch.id).await.into_iter().map(|job| job.id).collect();
    let start = match (last_seen, jobs.first()) {
        (Some(seen), _) => seen,
        (None, Some(first)) => before(&fleet, *first).await,
        (None, None) => 0,
    };
    let end = last_event_of(&fleet, &batch, &jobs).await;
    if end.is_some_and(|end| last_seen.is_some_and(|seen| seen >= end)) {
        // Tells a browser's EventSource that it need not come back.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let jobs = Some(jobs.into_iter().collect::<HashSet<_>>());
    let interest = Interest { jobs, ..Interest::default() };
    let records = EventLog::Fleet(fleet.clone()).watch(
        Start::After(start),
        interest,
        shared.stopping.clone(),
    );
    Ok(streamed(to_the_end(records, fleet, batch.id), &shared.limits))
}

/// `GET /api/v1/batches/{id}/results`: a zip of what has been finished so far.
#[tracing::instrument(name = "routes/batches", skip_all)]
pub(crate) async fn results(
    State(state): State<WithFleet>,
    Named(batch): Named<Batch>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let jobs = state.fleet.jobs_of_batch(batch.id).await;
    let mut tag = blake3::Hasher::new();
    let mut entries = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        let Some(artefact) = job.artefact.as_ref().filter(|_| job.state == JobState::Finished)
        else {
            continue;
        };
        let name = naming::of_batch(number + 1, job, artefact);
        tag.update(name.as_bytes()).update(artefact.hash.as_bytes());
        let path = state.fleet.artefact_path(artefact);
        entries.push(zip::Entry { name, path, bytes: artefact.bytes });
    }
    if entries.is_empty() {
        return Err(Failure::NothingFinishedYet { id: batch.id });
    }
    let validators =
        Validators { tag: format!("\"{}\"", &tag.finalize().to_hex()[..32]), modified: None };
    let known = [
        (header::ETAG, validators.tag.clone()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    match verdict(&headers, &validators) {
        Verdict::Go => {}
        Verdict::NotModified => return Ok((StatusCode::NOT_MODIFIED, known).into_response()),
        Verdict::Failed => return Err(Failure::PreconditionFailed),
    }
    let about = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_LENGTH, zip::length(&entries).to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.zip\"", batch.id)),
    ];
    // axum would take the body from the answer to a HEAD; this way no file is read for it.
    if method == Method::HEAD {
        return Ok((known, about).into_response());
    }
    Ok((known, about, zip::body(entries)).into_response())
}

/// The number before that of a job's first event.
async fn before(fleet: &Fleet, job: JobId) -> u64 {
    let first = fleet.events_since(0, Some(job), 1).await;
    first.first().map_or(0, |record| record.sequence.saturating_sub(1))
}

/// The number after which nothing more happens; `None` while something may.
async fn last_event_of(fleet: &Fleet, batch: &Batch, jobs: &[JobId]) -> Option<u64> {
    if !batch.state.is_final() {
        return None;
    }
    let mut last = 0;
    for job in jobs {
        let events = fleet.events_since(0, Some(*job), usize::MAX).await;
        last = last.max(events.last().map_or(0, |record| record.sequence));
    }
    Some(last)
}

/// The records up to the one after which no job of the batch waits or runs.
fn to_the_end(
    records: impl Stream<Item = aiobpy_wire::EventRecord> + Send + 'static,
    fleet: Fleet,
    batch: BatchId,
) -> impl Stream<Item = aiobpy_wire::EventRecord> + Send + 'static {
    let begin = (Box::pin(records), fleet, false);
    stream::unfold(begin, move |(mut records, fleet, mut is_over)| async move {
        if is_over {
            return None;
        }
        let record = records.next().await?;
        if record.event.is_final() {
            // Those that ended before the first that is told here are known to the fleet alone.
            let now = fleet.batch(batch).await;
            let still = |batch: &Batch| !batch.state.is_final();
            is_over =
                !now.as_ref().is_some_and(still) && is_last(&fleet, batch, record.sequence).await;
        }
        Some((record, (records, fleet, is_over)))
    })
}

/// Whether no job of the batch has an event after a number.
async fn is_last(fleet: &Fleet, batch: BatchId, sequence: u64) -> bool {
    for job in fleet.jobs_of_batch(batch).await {
        if !fleet.events_since(sequence, Some(job.id), 1).await.is_empty() {
            return false;
        }
    }
    true
}
