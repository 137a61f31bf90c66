//! The problems that an address may answer with: a response for each status, with what we really
//! say as its examples.

use std::time::Duration;

use aiobpy_wire::{Problem, Scope};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{merge, operations};
use crate::error::Failure;

/// What every address may answer with that wants a token.
const OF_ALL: [u16; 5] = [401, 403, 405, 421, 429];

/// Replaces each list `x-problems` by the responses that it stands for.
pub(super) fn add(document: &mut Value) {
    let mut used: Vec<u16> = Vec::new();
    for (_path, operation) in operations(document) {
        let named = operation.remove("x-problems");
        let named = named.as_ref().and_then(Value::as_array).into_iter().flatten();
        let mut statuses: Vec<u16> =
            named.filter_map(Value::as_u64).filter_map(|status| status.try_into().ok()).collect();
        let is_open = operation.get("security").is_some();
        statuses.extend(if is_open { &[403, 405, 421][..] } else { &OF_ALL[..] });
        statuses.sort_unstable();
        statuses.dedup();
        let responses = operation.entry("responses").or_insert_with(|| json!({}));
        for status in statuses {
            let response = json!({ "$ref": format!("#/components/responses/Problem{status}") });
            if let Some(responses) = responses.as_object_mut() {
                responses.entry(status.to_string()).or_insert(response);
            }
            used.push(status);
        }
    }
    used.sort_unstable();
    used.dedup();
    let responses: Map<String, Value> =
        used.into_iter().map(|status| (format!("Problem{status}"), response(status))).collect();
    let components = json!({ "components": { "responses": responses } });
    merge(document, components);
    document["components"]["headers"]["Server-Timing"] = json!({
        "description": "How long the call waited for the main thread, and how long it took there, in milliseconds.",
        "schema": { "type": "string" },
        "example": "queue;dur=3.2, py;dur=0.4",
    });
}

fn response(status: u16) -> Value {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let examples: Map<String, Value> = examples()
        .into_iter()
        .filter(|problem| problem.status == status)
        .map(|problem| (problem.kind.clone(), json!({ "value": problem })))
        .collect();
    let mut content = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
    if !examples.is_empty() {
        content["examples"] = examples.into();
    }
    json!({
        "description": reason.unwrap_or("A problem"),
        "content": { "application/problem+json": content },
    })
}

/// What we answer with, in our own words.
fn examples() -> Vec<Problem> {
    let ours = [
        Failure::NoToken,
        Failure::WrongToken,
        Failure::TooManyWrong { wait: Duration::from_secs(2) },
        Failure::ForeignHost { host: "example.com".into(), ours: "127.0.0.1:4321".into() },
        Failure::ForeignOrigin { origin: "http://example.com".into() },
        Failure::NotAllowed { needed: Scope::Exec, given: Scope::Control },
        Failure::WrongMethod { method: Method::PUT, path: "/rpc".into(), allowed: None },
        Failure::UnknownMethod { method: "cup.fil".into() },
        Failure::BadPath { detail: "Invalid UTF-8 in `method`".into() },
        Failure::NotJson { detail: "expected value at line 1 column 1".into() },
        Failure::BodyTooSlow { limit: Duration::from_secs(15) },
        Failure::TooLarge { limit: 1 << 20 },
        Failure::WrongContentType { given: Some("text/plain".into()) },
        Failure::NotWebSocket { detail: "the version of the WebSocket protocol is not 13".into() },
        Failure::TooManyCalls,
        Failure::Closing,
        Failure::CallTooSlow { method: "cup.fill".into(), limit: Duration::from_secs(30) },
    ];
    let of_python = [
        Problem::new(
            422,
            "invalid-params",
            "The parameters do not fit the method",
            "a parameter cannot be used as given",
        )
        .with_error("/height", "is missing"),
        Problem::new(
            500,
            "method-failed",
            "The method failed",
            "the method 'cup.fill' raised ZeroDivisionError: division by zero",
        )
        .with_hint("Blender's console shows where"),
    ];
    ours.iter().map(Failure::problem).chain(of_python).collect()
}
