//! What is wrong, as JSON-RPC says it: a code, and our problem as its data.

use aiobpy_wire::Problem;
use serde_json::{Value, json};

use crate::error::Failure;

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;
/// The first of those that the specification leaves to servers: the method, or the server, refused.
const REFUSED: i64 = -32000;

/// The code that says most of a problem.
pub(crate) fn code_of(problem: &Problem) -> i64 {
    match (problem.kind.as_str(), problem.status) {
        ("malformed-json", _) => PARSE_ERROR,
        ("invalid-request", _) => INVALID_REQUEST,
        ("unknown-method", _) => METHOD_NOT_FOUND,
        ("invalid-params" | "invalid-body", _) => INVALID_PARAMS,
        (_, 500) => INTERNAL_ERROR,
        _ => REFUSED,
    }
}

/// The `error` member of a response.
pub(super) fn error_object(failure: &Failure) -> Value {
    let problem = failure.problem();
    json!({ "code": code_of(&problem), "message": problem.detail, "data": problem })
}
