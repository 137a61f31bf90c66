//! What sites answer, as tools: a call becomes a request to the site, within the server.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::lists::is_name_of_tool;
use super::{Asked, Outcome, Refusal};
use crate::routes::sites;
use crate::sender::Sender;
use crate::sites::{Operation, Site};

/// Bytes of an answer that a model is shown.
const LARGEST: usize = 8 << 20;
/// The tool's argument that is the request's body.
const BODY: &str = "body";

/// The tools that sites have for the client.
pub(super) fn tools(asked: &Asked) -> Vec<Value> {
    let sites = asked.caller.shared.sites.current();
    let operations = sites.values().flat_map(|site| &site.operations);
    operations
        .filter(|operation| is_tool(operation) && is_name_of_tool(&operation.name))
        .filter(|operation| asked.caller.principal.has(operation.scope))
        .map(|operation| {
            let text = |key: &str| operation.said[key].as_str().unwrap_or_default();
            let description =
                if text("description").is_empty() { text("summary") } else { text("description") };
            json!({
                "name": operation.name,
                "description": description,
                "inputSchema": schema_of(&operation.said),
                "annotations": { "readOnlyHint": operation.method == "get" },
            })
        })
        .collect()
}

/// A call of a site's tool; `None` if no site has it.
pub(super) fn call(asked: &Asked) -> Option<Request<Body>> {
    let name = asked.params.get("name")?.as_str()?;
    let sites = asked.caller.shared.sites.current();
    let operation = sites
        .values()
        .flat_map(|site: &Arc<Site>| &site.operations)
        .find(|operation| operation.name == name && is_tool(operation))?;
    let none = Map::new();
    let arguments = asked.params.get("arguments").and_then(Value::as_object).unwrap_or(&none);
    let mut path = operation.path.clone();
    let mut query = Vec::new();
    for parameter in operation.said["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let Some(value) = arguments.get(name) else { continue };
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), &encoded(value));
        } else {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            query.extend(
                values.iter().map(|it| format!("{}={}", encoded(&name.into()), encoded(it))),
            );
        }
    }
    let uri = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    let mut request =
        Request::builder().method(operation.method.to_ascii_uppercase().as_str()).uri(uri);
    let body = match arguments.get(BODY) {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    request.body(body).ok()
}

/// Has the site answer, and makes a tool's result of that.
pub(super) async fn answer(asked: &Asked, request: Request<Body>) -> Outcome {
    let principal = Some(asked.caller.principal.clone());
    let sender = Sender { connection: None, principal, trace: None };
    let response = sites::answer(&asked.caller.shared, request, sender).await;
    let result = result_of(response).await;
    Outcome::Result(asked.finished(result))
}

async fn result_of(response: Response) -> Result<Value, Refusal> {
    let is_error = !response.status().is_success();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let body = to_bytes(response.into_body(), LARGEST).await;
    let body = body.map_err(|_| Refusal::invalid_params("the answer is too long for a tool"))?;
    let mut result = json!({ "content": content(&kind, &body) });
    if is_error {
        result["isError"] = true.into();
    } else if let Ok(value @ Value::Object(_)) = serde_json::from_slice(&body)
        && kind == "application/json"
    {
        result["structuredContent"] = value;
    }
    Ok(result)
}

fn content(kind: &str, body: &Bytes) -> Value {
    if body.is_empty() {
        return json!([]);
    }
    match kind.split('/').next() {
        Some(media @ ("image" | "audio")) => {
            json!([{ "type": media, "data": STANDARD.encode(body), "mimeType": kind }])
        }
        _ => json!([{ "type": "text", "text": String::from_utf8_lossy(body) }]),
    }
}

/// Whether arguments of JSON are enough to ask for it.
fn is_tool(operation: &Operation) -> bool {
    let body = operation.said.get("requestBody");
    let is_json = body.is_none_or(|body| body["content"].get("application/json").is_some());
    operation.said["x-tool"] == true && is_json
}

/// The parameters, and the body as one of them.
fn schema_of(said: &Value) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in said["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let mut schema = parameter["schema"].clone();
        if let (Some(description), Some(schema)) =
            (parameter.get("description"), schema.as_object_mut())
        {
            schema.insert("description".to_owned(), description.clone());
        }
        properties.insert(name.to_owned(), schema);
        if parameter["required"] == true {
            required.push(name.to_owned());
        }
    }
    if let Some(schema) = said["requestBody"]["content"]["application/json"].get("schema") {
        properties.insert(BODY.to_owned(), schema.clone());
        if said["requestBody"]["required"] == true {
            required.push(BODY.to_owned());
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn encoded(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
}
