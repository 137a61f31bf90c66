//! The Model Context Protocol, as it comes over HTTP: see `mcp.rs`.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::body;
use crate::caller::Caller;
use crate::error::Failure;
use crate::json_rpc::{self, Message, Wrong};
use crate::mcp::{Asked, Era, LEGACY, Outcome, Session, check, follow, is_modern, streams};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// `POST /mcp`: one message of the client's.
#[tracing::instrument(name = "routes/mcp", skip_all)]
pub(crate) async fn answer(caller: Caller, request: Request) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let text = body::read_text(request, &caller.shared.limits).await?;
    let refused = |wrong: &Wrong| {
        let text = json_rpc::error(&wrong.id, &wrong.failure);
        Ok(streams::json(StatusCode::BAD_REQUEST, text))
    };
    let (id, request) = match json_rpc::read_one(&text) {
        Ok(Message::Request(id, request)) => (id, request),
        Ok(Message::Notification(request)) => {
            if request.method == "notifications/cancelled" {
                let params: Value = serde_json::from_str(request.params()).unwrap_or_default();
                caller.shared.mcp.running.cancel(&caller, &params["requestId"]);
            }
            session_of(&caller, &headers)?;
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        Ok(Message::Response { id, answer }) => {
            let answer = answer.as_ref().map(|it| it.get()).map_err(|it| it.get());
            caller.shared.mcp.running.answered(&caller, &id, answer);
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        Err(wrong) => return refused(&wrong),
    };
    let era = if is_modern(&headers, &request) {
        if let Err(refusal) = check(&headers, &request) {
            return Ok(streams::json(refusal.status, refusal.response(&id)));
        }
        Era::Modern
    } else {
        Era::Legacy(session_of(&caller, &headers)?)
    };
    let heartbeat = caller.shared.limits.heartbeat;
    let asked = Asked::new(caller, id.clone(), &request, era);
    Ok(match asked.answer().await {
        Outcome::Result(Ok(result)) => {
            streams::json(StatusCode::OK, json_rpc::result(&id, &result.to_string()))
        }
        Outcome::Result(Err(refusal)) => streams::json(refusal.status, refusal.response(&id)),
        Outcome::Session(session, result) => {
            let text = json_rpc::result(&id, &result.to_string());
            let mut response = streams::json(StatusCode::OK, text);
            if let Ok(id) = HeaderValue::from_str(&session.id) {
                response.headers_mut().insert(SESSION_ID, id);
            }
            response
        }
        Outcome::Stream(messages) => streams::respond(messages, heartbeat).await,
    })
}

/// `GET /mcp`: the stream on which a session of an older revision hears of changes.
#[tracing::instrument(name = "routes/mcp", skip_all)]
pub(crate) async fn listen(caller: Caller, headers: HeaderMap) -> Result<Response, Failure> {
    let session = session_of(&caller, &headers)?.ok_or_else(no_session)?;
    let messages = follow(&caller.shared, session);
    Ok(streams::events(None, messages, caller.shared.limits.heartbeat))
}

/// `DELETE /mcp`: the client needs its session no more.
#[tracing::instrument(name = "routes/mcp", skip_all)]
pub(crate) async fn end(caller: Caller, headers: HeaderMap) -> Result<StatusCode, Failure> {
    let session = session_of(&caller, &headers)?.ok_or_else(no_session)?;
    caller.shared.mcp.sessions.end(&session);
    Ok(StatusCode::NO_CONTENT)
}

/// The session that a request names, if it names one.
fn session_of(caller: &Caller, headers: &HeaderMap) -> Result<Option<Arc<Session>>, Failure> {
    if let Some(version) = headers.get(VERSION).and_then(|version| version.to_str().ok())
        && !LEGACY.contains(&version.trim())
        && headers.contains_key(SESSION_ID)
    {
        let detail =
            format!("MCP-Protocol-Version is {version:?}; there are {}", LEGACY.join(", "));
        return Err(Failure::InvalidRequest { detail });
    }
    let Some(id) = headers.get(SESSION_ID) else { return Ok(None) };
    let id = String::from_utf8_lossy(id.as_bytes());
    let session = caller.shared.mcp.sessions.find(&id, &caller.principal.name);
    session.map(Some).ok_or(Failure::UnknownSession)
}

fn no_session() -> Failure {
    let detail = "the header Mcp-Session-Id is missing".to_owned();
    Failure::InvalidRequest { detail }
}
