//! Calls of the methods that add-ons have registered.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};

use crate::caller::Caller;
use crate::error::Failure;
use crate::main_thread::SERVER_TIMING;
use crate::routes::operations;
use crate::{body, prefer};

/// `POST /api/v1/rpc/{method}`: the body is an object with the parameters, the answer is the
/// method's. What takes long, or what the client would not wait for (`Prefer: respond-async`), is
/// answered with an operation to follow.
#[tracing::instrument(name = "routes/rpc", skip_all)]
pub(crate) async fn call(
    caller: Caller,
    method: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let Path(method) =
        method.map_err(|rejection| Failure::BadPath { detail: rejection.body_text() })?;
    let wants_no_wait = prefer::wants_no_wait(request.headers());
    let params = body::read_json_object(request, &caller.shared.limits).await?;
    if wants_no_wait || caller.takes_long(&method) {
        let operation = caller.shared.operations.start(&caller, &method, params).await?;
        let mut response = operations::accepted(&operation);
        if wants_no_wait {
            let applied = HeaderValue::from_static("respond-async");
            response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
        }
        return Ok(response);
    }
    let answered = caller.call(method, params).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (SERVER_TIMING, answered.timing.to_string()),
    ];
    Ok((headers, answered.json).into_response())
}
