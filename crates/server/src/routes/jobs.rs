//! Jobs: taken on, looked at, followed, cancelled, and their results.

use std::time::Duration;

use aiobpy_fleet::{Asker, Fleet};
use aiobpy_wire::{EventRecord, Job, JobRequest, JobState, Problem, Webhook};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::stream::{self, Stream, StreamExt};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::events::{EventLog, Interest, Start};
use crate::files;
use crate::principal::Principal;
use crate::routes::events::{last_event_id, streamed};
use crate::routes::named::Named;
use crate::routes::with_files;
use crate::shared::{Shared, WithFleet};
use crate::trace::Trace;
use crate::{body, naming, prefer};

/// A job has no more events than this, unless it is lost very often.
const EVENTS_OF_A_JOB: usize = 10_000;

/// `POST /api/v1/jobs`, as JSON or as a form that has the files as well: 202 with the job; with `Prefer: wait=…` what it made, if it is done by then.
#[tracing::instrument(name = "routes/jobs", skip_all)]
pub(crate) async fn submit(
    State(state): State<WithFleet>,
    request: Request,
) -> Result<Response, Failure> {
    let wishes = Wishes::of(&state.shared, &request)?;
    let asked = if with_files::is_form(request.headers()) {
        with_files::read(request, &state).await?
    } else {
        body::read_json(request, &state.shared.limits).await?
    };
    wishes.submit(&state, asked).await
}

/// What a client says of a job besides what it is.
pub(crate) struct Wishes {
    wait: Option<Duration>,
    /// Whether what an earlier job has made will do.
    cache: bool,
    asker: Asker,
}

impl Wishes {
    pub(crate) fn of(shared: &Shared, request: &Request) -> Result<Self, Failure> {
        let wait = prefer::wait(request.headers(), shared.limits.longest_wait);
        let cache = !says_no_cache(request.headers());
        Ok(Self { wait, cache, asker: asker_of(request, "job")? })
    }

    /// Has the job taken on, and waits for it as long as the client would.
    pub(crate) async fn submit(
        self,
        state: &WithFleet,
        mut asked: JobRequest,
    ) -> Result<Response, Failure> {
        let (WithFleet { fleet, shared }, Self { wait, cache, asker }) = (state, self);
        asked.cache &= cache;
        check_webhook(shared, asked.webhook.as_ref(), "/webhook/url")?;
        let job = fleet.submit_for(asked, asker).await;
        let job = job.inspect_err(|problem| shared.metrics.refused(problem))?;
        let mut response = match wait {
            None => accepted(&job),
            Some(wait) => waited_for(state, &job, wait).await,
        };
        let headers = response.headers_mut();
        if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/jobs/{}", job.id)) {
            headers.insert(header::LOCATION, location);
        }
        if let Some(wait) = wait
            && let Ok(applied) = HeaderValue::from_str(&format!("wait={}", wait.as_secs()))
        {
            headers.insert(prefer::PREFERENCE_APPLIED, applied);
        }
        Ok(response)
    }
}

async fn waited_for(
    WithFleet { fleet, shared }: &WithFleet,
    job: &Job,
    wait: Duration,
) -> Response {
    let ended = tokio::select! {
        biased;
        ended = fleet.wait(job.id, wait) => ended,
        () = shared.stopping.cancelled() => None,
    };
    match ended {
        Some(job) if job.state.is_final() => {
            let result = result_of(fleet, &job, &HeaderMap::new(), false).await;
            match result {
                Ok(result) => ([cache_status(&job)], result).into_response(),
                Err(failure) => failure.into_response(),
            }
        }
        other => accepted(other.as_ref().unwrap_or(job)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// At most so many; 1 to 1000.
    limit: Option<usize>,
}

impl Page {
    /// How many are to be listed.
    pub(crate) fn limit(page: Result<Query<Self>, QueryRejection>) -> Result<usize, Failure> {
        const USUAL: usize = 50;
        const MOST: usize = 1000;
        let Query(page) =
            page.map_err(|rejection| Failure::BadQuery { detail: rejection.body_text() })?;
        let limit = page.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            let detail = format!("`limit` is {limit}, and not from 1 to {MOST}");
            return Err(Failure::BadQuery { detail });
        }
        Ok(limit)
    }
}

/// `GET /api/v1/jobs?limit=50`: the newest, newest first.
#[tracing::instrument(name = "routes/jobs", skip_all)]
pub(crate) async fn list(
    State(WithFleet { fleet, .. }): State<WithFleet>,
    Extension(principal): Extension<Principal>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let jobs = fleet.jobs_of(principal.tenant_name(), Page::limit(page)?).await;
    Ok(Json(json!({ "jobs": jobs })))
}

/// `GET /api/v1/jobs/{id}`
#[tracing::instrument(name = "routes/jobs", skip_all)]
pub(crate) async fn show(Named(job): Named<Job>) -> Json<Job> {
    Json(job)
}

/// `DELETE /api/v1/jobs/{id}`: cancels it.
#[tracing::instrument(name = "routes/jobs", skip_all)]
pub(crate) async fn cancel(
    State(state): State<WithFleet>,
    Named(job): Named<Job>,
) -> Result<Json<Job>, Failure> {
    Ok(Json(state.fleet.cancel(job.id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saving {
    /// Whether a browser is to save it rather than to show it.
    #[serde(default)]
    download: bool,
}

/// `GET /api/v1/jobs/{id}/result?download=true`: what it has made.
#[tracing::instrument(name = "routes/jobs", skip_all)]
pub(crate) async fn result(
    State(state): State<WithFleet>,
    Named(job): Named<Job>,
    saving: Result<Query<Saving>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(saving) =
        saving.map_err(|rejection| Failure::BadQuery { detail: rejection.body_text() })?;
    result_of(&state.fleet, &job, &headers, saving.download).await
}

/// `GET /api/v1/jobs/{id}/events`: all that has happened to the job and all that will, to its end.
#[tracing::instrument(name = "routes/jobs", skip_all)]
pub(crate) async fn follow(
    State(WithFleet { fleet, shared }): State<WithFleet>,
    Named(job): Named<Job>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let last_seen = last_event_id(&headers)?;
    if !job.state.is_final() {
        let start = Start::After(last_seen.unwrap_or(0));
        let interest = Interest { job: Some(job.id), ..Interest::default() };
        let records = EventLog::Fleet(fleet).watch(start, interest, shared.stopping.clone());
        return Ok(streamed(to_the_end(records), &shared.limits));
    }
    let records = fleet.events_since(last_seen.unwrap_or(0), Some(job.id), EVENTS_OF_A_JOB).await;
    if last_seen.is_some() && records.is_empty() {
        // Tells a browser's EventSource that it need not come back.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(streamed(stream::iter(records), &shared.limits))
}

/// On whose behalf something is asked for, and under which name.
pub(crate) fn asker_of(request: &Request, what: &str) -> Result<Asker, Failure> {
    let principal = request.extensions().get::<Principal>();
    let tenant = principal.and_then(|principal| principal.tenant.as_deref().cloned());
    let traceparent = request.extensions().get::<Trace>().map(Trace::parent);
    Ok(Asker { key: request_key(request, what)?, tenant, traceparent })
}

/// # Errors
/// There is nobody to tell webhooks, or this one is not to be told.
pub(crate) fn check_webhook(
    shared: &Shared,
    webhook: Option<&Webhook>,
    pointer: &str,
) -> Result<(), Failure> {
    let Some(webhook) = webhook else { return Ok(()) };
    shared.webhooks.as_ref().ok_or(Failure::NoWebhooks)?.check(&webhook.url, pointer)
}

/// What the client calls its request, so that it can send it again: another client's key is another.
fn request_key(request: &Request, what: &str) -> Result<Option<String>, Failure> {
    const LONGEST: usize = 255;
    let Some(key) = request.headers().get("idempotency-key") else { return Ok(None) };
    // No device's name has a line break, and no key.
    let whose = request.extensions().get::<Principal>().map(|principal| match &principal.tenant {
        Some(tenant) => format!("tenant\n{}", tenant.name),
        None => principal.name.to_string(),
    });
    match key.to_str() {
        Ok(key) if (1..=LONGEST).contains(&key.len()) => {
            Ok(Some(format!("{what}\n{}\n{key}", whose.unwrap_or_default())))
        }
        _ => Err(Problem::new(
            400,
            "malformed-idempotency-key",
            "Not a key",
            format!("Idempotency-Key is not 1 to {LONGEST} characters of plain ASCII"),
        )
        .with_hint("make a new one for each request, as a UUID")
        .into()),
    }
}

fn accepted(job: &Job) -> Response {
    (StatusCode::ACCEPTED, [cache_status(job)], Json(job)).into_response()
}

/// Whether it was made before, as RFC 9211 has it.
fn cache_status(job: &Job) -> (HeaderName, &'static str) {
    const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
    let status = match job {
        Job { cached_from: Some(_), .. } => "aiobpy; hit",
        Job { request, .. } if !request.cache => "aiobpy; fwd=request",
        _ => "aiobpy; fwd=miss",
    };
    (CACHE_STATUS, status)
}

/// Whether the client wants nothing that was made before (RFC 9111).
pub(crate) fn says_no_cache(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).into_iter();
    let mut words = values.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    words.any(|word| word.trim().eq_ignore_ascii_case("no-cache"))
}

pub(super) async fn result_of(
    fleet: &Fleet,
    job: &Job,
    request_headers: &HeaderMap,
    is_to_be_saved: bool,
) -> Result<Response, Failure> {
    let id = job.id;
    let lost = |detail: String| Failure::LostResult { id, detail };
    match job.state {
        JobState::Queued | JobState::Running => Err(Failure::NoResultYet { id, state: job.state }),
        JobState::Cancelled => Err(Failure::Cancelled { id }),
        JobState::Failed => Err(match &job.problem {
            Some(problem) => problem.clone().into(),
            None => lost("the job failed and does not say why".to_owned()),
        }),
        JobState::Finished => {
            let Some(artefact) = &job.artefact else {
                return Err(lost("the job has none".to_owned()));
            };
            let path = match fleet.artefact_file(artefact).await {
                Ok(path) => path,
                Err(problem) if problem.status == 404 => return Err(lost(problem.detail)),
                Err(problem) => return Err(problem.into()),
            };
            let file = files::open_whole(path, artefact.content_type.clone(), &artefact.hash);
            let file = file.await.map_err(|error| lost(error.to_string()))?;
            // axum takes the body from the answer to a HEAD.
            let mut response = files::respond(file, &Method::GET, request_headers)?;
            let disposition = naming::disposition(job, artefact, is_to_be_saved);
            if let Ok(disposition) = HeaderValue::from_str(&disposition) {
                response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
            }
            Ok(response)
        }
    }
}

/// The records up to the one after which nothing more happens.
fn to_the_end(
    records: impl Stream<Item = EventRecord> + Send + 'static,
) -> impl Stream<Item = EventRecord> + Send + 'static {
    stream::unfold((Box::pin(records), false), |(mut records, has_ended)| async move {
        if has_ended {
            return None;
        }
        let record = records.next().await?;
        let has_ended = record.event.is_final();
        Some((record, (records, has_ended)))
    })
}
