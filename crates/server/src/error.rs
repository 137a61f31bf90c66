//! Every failure that this crate can answer with. Nobody else chooses a status.
//!
//! `error/problem.rs` has the words of each, `error/starting.rs` those of a server that cannot start.

use std::path::PathBuf;
use std::time::Duration;

use aiobpy_wire::{BatchId, JobId, JobState, Problem, Scope};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};

mod problem;
mod starting;
#[cfg(test)]
mod tests;

use problem::named_scope;

pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong with a request.
#[derive(Debug)]
pub(crate) enum Failure {
    NoHost,
    SeveralHosts,
    ForeignHost {
        host: String,
        ours: String,
    },
    ForeignOrigin {
        origin: String,
    },
    CrossSite,
    NoToken,
    WrongToken,
    /// Too many wrong secrets from one address.
    TooManyWrong {
        wait: Duration,
    },
    EndedSession,
    /// Of what is for whoever runs the server.
    NotForTenants,
    FormWithCookie,
    ExecIsOff,
    UnknownDevice {
        id: String,
    },
    TooManyDevices {
        most: usize,
    },
    NoAuthority,
    /// The code of a link that signs in.
    WrongLink,
    LinkExpired,
    WrongCode,
    CodeExpired,
    PairingRefused,
    PairingUnanswered {
        limit: Duration,
    },
    TooManyConnections,
    UnknownRoute {
        path: String,
    },
    WrongMethod {
        method: Method,
        path: String,
        /// The value of the `Allow` header; `None` where axum adds it.
        allowed: Option<String>,
    },
    /// Not even a request.
    NotHttp,
    HeadTooLarge {
        limit: usize,
    },
    NotWebSocket {
        detail: String,
    },
    NotAllowed {
        needed: Scope,
        given: Scope,
    },
    BadPath {
        detail: String,
    },
    BadQuery {
        detail: String,
    },
    BadEventId {
        given: String,
    },
    WrongContentType {
        given: Option<String>,
    },
    TooLarge {
        limit: usize,
    },
    BodyTooSlow {
        limit: Duration,
    },
    BodyCutShort {
        detail: String,
    },
    NotJson {
        detail: String,
    },
    WrongShape {
        pointer: String,
        detail: String,
    },
    /// What came is no request of JSON-RPC.
    InvalidRequest {
        detail: String,
    },
    NoMainThread,
    UnknownMethod {
        method: String,
    },
    UnknownOperation {
        id: String,
    },
    UnknownConversation {
        id: String,
    },
    TooManyOperations {
        most: usize,
    },
    /// Of the Model Context Protocol.
    UnknownSession,
    BadIdempotencyKey {
        longest: usize,
    },
    ReusedIdempotencyKey,
    IdempotencyKeyInUse,
    TooManyCalls,
    Closing,
    CallTooSlow {
        method: String,
        limit: Duration,
    },
    /// The main thread's answer, or the fleet's.
    Problem(Box<Problem>),
    UnknownJob {
        id: String,
    },
    NoResultYet {
        id: JobId,
        state: JobState,
    },
    NoPreviewYet {
        id: JobId,
        state: JobState,
    },
    Cancelled {
        id: JobId,
    },
    LostResult {
        id: JobId,
        detail: String,
    },
    UnknownBatch {
        id: String,
    },
    /// The server has nobody to tell them.
    NoWebhooks,
    NothingFinishedYet {
        id: BatchId,
    },
    NotForm {
        given: Option<String>,
    },
    WrongParts {
        detail: String,
    },
    MalformedForm {
        detail: String,
    },
    /// A file of a form.
    CannotKeep {
        detail: String,
    },
    RangeOutside {
        bytes: u64,
    },
    PreconditionFailed,
    /// Plain HTTP where TLS is spoken.
    NotTls,
    /// A file that a handler has named, or one of a folder.
    UnreadableFile {
        path: PathBuf,
        detail: String,
    },
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut problem = self.problem();
        let status = status_of(&problem);
        problem.status = status.as_u16();
        let _span =
            tracing::info_span!("error", status = problem.status, kind = problem.kind).entered();
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))];
        let mut response = (status, content_type, body).into_response();
        if let Some((name, value)) = self.header(status) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl Failure {
    /// A header that belongs to the failure.
    fn header(&self, status: StatusCode) -> Option<(header::HeaderName, HeaderValue)> {
        let value = HeaderValue::from_static;
        match self {
            Self::NoToken => Some((header::WWW_AUTHENTICATE, value("Bearer realm=\"aiobpy\""))),
            Self::WrongToken => Some((
                header::WWW_AUTHENTICATE,
                value("Bearer realm=\"aiobpy\", error=\"invalid_token\""),
            )),
            Self::EndedSession => Some((
                header::WWW_AUTHENTICATE,
                value("Bearer realm=\"aiobpy\", error=\"invalid_token\""),
            )),
            Self::NotAllowed { needed, .. } => Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_str(&insufficient(*needed)).ok()?,
            )),
            Self::ExecIsOff => Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_str(&insufficient(Scope::Exec)).ok()?,
            )),
            Self::TooManyWrong { wait } => {
                Some((header::RETRY_AFTER, HeaderValue::from(seconds_up(*wait))))
            }
            Self::NotWebSocket { .. } => Some((header::UPGRADE, value("websocket"))),
            Self::WrongMethod { allowed: Some(allowed), .. } => {
                Some((header::ALLOW, HeaderValue::from_str(allowed).ok()?))
            }
            Self::RangeOutside { bytes } => {
                let range = HeaderValue::from_str(&format!("bytes */{bytes}")).ok()?;
                Some((header::CONTENT_RANGE, range))
            }
            Self::Problem(problem) if problem.retry_after.is_some() => {
                Some((header::RETRY_AFTER, problem.retry_after.unwrap_or_default().into()))
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                Some((header::RETRY_AFTER, value("1")))
            }
            _ => None,
        }
    }
}

/// RFC 6750, section 3.1.
fn insufficient(scope: Scope) -> String {
    let scope = named_scope(scope);
    format!("Bearer realm=\"aiobpy\", error=\"insufficient_scope\", scope=\"{scope}\"")
}

fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
