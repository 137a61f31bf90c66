//! The methods of add-ons as operations.

use aiobpy_wire::MethodDescription;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::offers::Table;

/// All but what RFC 3986 leaves unreserved.
pub(super) const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What calling a method may come to, beside its result.
const PROBLEMS: [u16; 12] = [400, 404, 408, 409, 413, 415, 422, 500, 502, 503, 504, 403];

/// The parts of the document that are about methods, in the order of their names.
pub(super) fn described(table: &Table) -> Value {
    let mut paths = Map::new();
    for method in table.methods.values() {
        let name = utf8_percent_encode(&method.name, ENCODED);
        paths.insert(format!("/api/v1/rpc/{name}"), json!({ "post": operation(method) }));
    }
    let mut owners: Vec<&str> = table.methods.values().map(|method| owner(method)).collect();
    owners.sort_unstable();
    owners.dedup();
    let tags: Vec<Value> = owners.into_iter().map(|owner| json!({ "name": owner })).collect();
    json!({ "paths": paths, "tags": tags })
}

fn operation(method: &MethodDescription) -> Value {
    let required = method.params.get("required").and_then(Value::as_array);
    let result = method.result.clone().unwrap_or_else(|| json!({}));
    let mut responses = json!({
        "200": {
            "description": "What the method returned.",
            "headers": { "Server-Timing": { "$ref": "#/components/headers/Server-Timing" } },
            "content": { "application/json": { "schema": result } },
        },
        "202": {
            "description": "It goes on, as an operation.",
            "headers": { "Location": {
                "description": "Where the operation is.", "schema": { "type": "string" },
            } },
            "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Operation" },
            } },
        },
    });
    let unused = if method.is_long { "200" } else { "202" };
    responses.as_object_mut().map(|responses| responses.remove(unused));
    let mut operation = json!({
        "operationId": format!("rpc.{}", method.name),
        "tags": [owner(method)],
        "summary": method.summary,
        "description": method.description,
        "requestBody": {
            "required": required.is_some_and(|required| !required.is_empty()),
            "content": { "application/json": { "schema": method.params } },
        },
        "responses": responses,
        "x-problems": PROBLEMS,
        "x-scope": method.scope,
    });
    for text in ["summary", "description"] {
        if operation[text] == "" {
            operation.as_object_mut().map(|operation| operation.remove(text));
        }
    }
    operation
}

fn owner(method: &MethodDescription) -> &str {
    if method.owner.is_empty() { "scripts" } else { &method.owner }
}
