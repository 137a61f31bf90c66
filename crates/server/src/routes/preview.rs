//! The newest picture of a job, while it goes on.

use std::sync::Arc;

use aiobpy_fleet::Preview;
use aiobpy_wire::{Job, JobState};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::Method;
use http::header::{self, HeaderMap, HeaderValue};

use crate::error::Failure;
use crate::files;
use crate::routes::jobs::result_of;
use crate::routes::named::Named;
use crate::shared::WithFleet;

/// What is kept of it has to be asked for again: there may be a newer one at any time.
const CACHED: HeaderValue = HeaderValue::from_static("private, no-cache");

/// `GET /api/v1/jobs/{id}/preview`: a small picture of how far it is; what it has made, once it has.
#[tracing::instrument(name = "routes/preview", skip_all)]
pub(crate) async fn show(
    State(WithFleet { fleet, .. }): State<WithFleet>,
    Named(job): Named<Job>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut response = match job.state {
        // Its first picture may be told of before the queue's disk has heard that it has begun.
        JobState::Queued | JobState::Running => {
            let preview = fleet.preview(&job).await?;
            let none_yet = Failure::NoPreviewYet { id: job.id, state: job.state };
            of_preview(&preview.ok_or(none_yet)?, &headers)?
        }
        JobState::Finished | JobState::Failed | JobState::Cancelled => {
            result_of(&fleet, &job, &headers, false).await?
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, CACHED);
    Ok(response)
}

fn of_preview(preview: &Arc<Preview>, headers: &HeaderMap) -> Result<Response, Failure> {
    let bytes = Bytes::copy_from_slice(&preview.bytes);
    let file = files::in_memory(bytes, preview.content_type.clone(), &preview.tag);
    // axum takes the body from the answer to a HEAD.
    files::respond(file, &Method::GET, headers)
}
