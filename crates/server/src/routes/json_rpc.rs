//! JSON-RPC 2.0 over HTTP.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::body;
use crate::caller::Caller;
use crate::error::Failure;
use crate::json_rpc::{self, Answering, Reply};

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// `POST /rpc`: one request or a batch of them. 200 with the responses, 202 if there are only
/// notifications, 400 with the response to what is no request.
#[tracing::instrument(name = "routes/rpc", skip_all)]
pub(crate) async fn answer(caller: Caller, request: Request) -> Result<Response, Failure> {
    let shared = caller.shared.clone();
    let text = body::read_text(request, &shared.limits).await?;
    let reply = json_rpc::answer(&text, &shared.tasks, &calling(caller)).await;
    Ok(match reply {
        Reply::Nothing => StatusCode::ACCEPTED.into_response(),
        Reply::Text(text) => (JSON, text).into_response(),
        Reply::Refusal(text) => (StatusCode::BAD_REQUEST, JSON, text).into_response(),
    })
}

/// What calls the methods that somebody asks for. What takes long is answered with an operation.
pub(crate) fn calling(caller: Caller) -> Answering {
    Arc::new(move |request| {
        let caller = caller.clone();
        Box::pin(async move {
            let params = request.params().to_owned();
            if caller.takes_long(&request.method) {
                let operations = &caller.shared.operations;
                let operation = operations.start(&caller, &request.method, params).await?;
                return Ok(serde_json::to_string(&operation).unwrap_or_default());
            }
            Ok(caller.call(request.method, params).await?.json)
        })
    })
}
