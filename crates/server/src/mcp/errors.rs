//! Why a client of the protocol gets no result.

use aiobpy_wire::Problem;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::error::Failure;
use crate::json_rpc::{self, Id};

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
/// The codes of revision 2026-07-28.
const HEADER_MISMATCH: i64 = -32020;
const MISSING_CAPABILITY: i64 = -32021;
const UNSUPPORTED_VERSION: i64 = -32022;

/// An error of the protocol.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// Of the response, if it is all that the response has.
    pub(crate) status: StatusCode,
    code: i64,
    message: String,
    data: Option<Value>,
}

impl Refusal {
    pub(crate) fn unknown_method(method: &str) -> Self {
        let message = format!("there is no method {method:?} in this revision of the protocol");
        Self { status: StatusCode::NOT_FOUND, ..Self::new(METHOD_NOT_FOUND, message) }
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    pub(crate) fn header_mismatch(message: impl Into<String>) -> Self {
        Self::new(HEADER_MISMATCH, message)
    }

    pub(crate) fn unsupported_version(requested: &str, supported: &[&str]) -> Self {
        let message = format!("the protocol version {requested:?} is not spoken here");
        let data = json!({ "requested": requested, "supported": supported });
        Self { data: Some(data), ..Self::new(UNSUPPORTED_VERSION, message) }
    }

    /// What a failure, or a problem of Python's, is in the protocol's words.
    pub(crate) fn of(failure: &Failure) -> Self {
        let problem = failure.problem();
        let is_missing_capability = problem.kind == "missing-capability";
        let (code, data) = if is_missing_capability {
            (MISSING_CAPABILITY, required_capabilities(&problem))
        } else {
            let is_invalid =
                problem.kind.starts_with("unknown-") || problem.kind == "invalid-state";
            let code = if is_invalid { INVALID_PARAMS } else { json_rpc::code_of(&problem) };
            (code, json!(problem))
        };
        let status = if is_missing_capability { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        Self { status, code, message: problem.detail, data: Some(data) }
    }

    /// Says, beside the rest, what was asked for.
    pub(crate) fn with(mut self, name: &str, value: Option<&Value>) -> Self {
        if let (Some(data), Some(value)) = (self.data.as_mut(), value) {
            data[name] = value.clone();
        }
        self
    }

    pub(crate) fn response(&self, id: &Id) -> String {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, id.json())
    }

    fn new(code: i64, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into(), data: None }
    }
}

/// Python names the capabilities where other problems name parameters.
fn required_capabilities(problem: &Problem) -> Value {
    let names = problem.errors.iter().map(|error| error.pointer.trim_start_matches('/').to_owned());
    let required: Map<String, Value> = names.map(|name| (name, json!({}))).collect();
    json!({ "requiredCapabilities": required })
}
