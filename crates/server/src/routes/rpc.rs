//! Calls of the methods that add-ons have registered.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header;

use crate::body;
use crate::error::Failure;
use crate::shared::Shared;

/// `POST /api/v1/rpc/{method}`: the body is an object with the parameters, the answer is the
/// method's.
#[tracing::instrument(name = "routes/rpc", skip_all)]
pub(crate) async fn call(
    State(shared): State<Shared>,
    method: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let Path(method) =
        method.map_err(|rejection| Failure::BadPath { detail: rejection.body_text() })?;
    let params = body::read_json_object(request, &shared.limits).await?;
    let main_thread = shared.main_thread.as_ref().ok_or(Failure::NoMainThread)?;
    let answer = main_thread.call(method, params).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}
