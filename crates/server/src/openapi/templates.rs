//! The templates of a fleet as operations.

use aiobpy_wire::TemplateDescription;
use percent_encoding::utf8_percent_encode;
use serde_json::{Map, Value, json};

use super::methods::ENCODED;

/// What asking for a job may come to, beside its result.
const PROBLEMS: [u16; 13] = [400, 403, 404, 408, 409, 410, 413, 415, 422, 429, 500, 503, 504];

/// What the query may say of a job.
const QUERY: [&str; 8] =
    ["Width", "Height", "Samples", "Frame", "Format", "Priority", "TimeoutSeconds", "Cache"];

/// The parts of the document that are about templates, in their order.
pub(super) fn described(templates: &[TemplateDescription]) -> Value {
    let mut paths = Map::new();
    for template in templates.iter().filter(|template| template.broken.is_none()) {
        let name = utf8_percent_encode(&template.name, ENCODED);
        let path = format!("/api/v1/templates/{name}/jobs");
        paths.insert(path, json!({ "post": operation(template) }));
    }
    let tag = json!({ "name": "templates", "description": "A job of each template." });
    json!({ "paths": paths, "tags": [tag] })
}

fn operation(template: &TemplateDescription) -> Value {
    let required = template.params_schema.get("required").and_then(Value::as_array);
    let summary = template.description.lines().next().unwrap_or_default();
    let mut parameters = vec![json!({ "$ref": "#/components/parameters/Prefer" })];
    parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    for name in QUERY {
        parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
    }
    json!({
        "operationId": format!("template.{}", template.name),
        "tags": ["templates"],
        "summary": if summary.is_empty() { &template.name } else { summary },
        "parameters": parameters,
        "requestBody": {
            "required": required.is_some_and(|required| !required.is_empty()),
            "content": { "application/json": { "schema": template.params_schema } },
        },
        "responses": {
            "200": { "$ref": "#/components/responses/Made" },
            "202": { "$ref": "#/components/responses/TakenOn" },
        },
        "x-problems": PROBLEMS,
        "x-scope": "control",
    })
}
