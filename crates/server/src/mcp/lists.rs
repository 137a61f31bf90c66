//! What is offered to a client, in the order of the names.

use aiobpy_wire::{MethodDescription, PromptDescription, ResourceDescription};
use serde_json::{Map, Value, json};

use super::{Asked, Refusal, routes};

/// `tools/list`: the methods that the client may call, and behind them what sites answer.
pub(super) fn tools(asked: &Asked) -> Result<Value, Refusal> {
    check_page(asked)?;
    let table = asked.caller.shared.offers.table();
    let methods = table.methods.values();
    let mut tools: Vec<Value> = methods
        .filter(|method| method.is_tool && is_name_of_tool(&method.name))
        .filter(|method| asked.caller.principal.has(method.scope))
        .map(|method| tool(method))
        .collect();
    tools.append(&mut routes::tools(asked));
    Ok(json!({ "tools": tools }))
}

/// `resources/list`
pub(super) fn resources(asked: &Asked) -> Result<Value, Refusal> {
    let listed = resources_that_are(asked, false, "uri")?;
    Ok(json!({ "resources": listed }))
}

/// `resources/templates/list`
pub(super) fn templates(asked: &Asked) -> Result<Value, Refusal> {
    let listed = resources_that_are(asked, true, "uriTemplate")?;
    Ok(json!({ "resourceTemplates": listed }))
}

/// `prompts/list`
pub(super) fn prompts(asked: &Asked) -> Result<Value, Refusal> {
    check_page(asked)?;
    let table = asked.caller.shared.offers.table();
    let prompts = table.prompts.values();
    let prompts = prompts.filter(|prompt| asked.caller.principal.has(prompt.scope));
    let prompts: Vec<Value> = prompts.map(|prompt| described(prompt)).collect();
    Ok(json!({ "prompts": prompts }))
}

fn tool(method: &MethodDescription) -> Value {
    let mut tool = json!({
        "name": method.name,
        "description": method.description,
        "inputSchema": method.params,
    });
    if let Some(title) = &method.hints.title {
        tool["title"] = title.as_str().into();
    }
    if let Some(schema) = method.result.as_ref().and_then(output_schema) {
        tool["outputSchema"] = schema;
    }
    let hints = json!(method.hints);
    if hints.as_object().is_some_and(|hints| !hints.is_empty()) {
        tool["annotations"] = hints;
    }
    tool
}

/// The schema of `structuredContent`, which is an object: anything else becomes its member `result`.
/// Texts and nothing are no structure. Python builds the content by the same rule.
fn output_schema(result: &Value) -> Option<Value> {
    match result.get("type").and_then(Value::as_str) {
        Some("string" | "null") => None,
        Some("object") => Some(result.clone()),
        _ => Some(json!({
            "type": "object", "properties": { "result": result }, "required": ["result"],
        })),
    }
}

fn resources_that_are(asked: &Asked, is_template: bool, uri: &str) -> Result<Vec<Value>, Refusal> {
    check_page(asked)?;
    let table = asked.caller.shared.offers.table();
    let resources = table.resources.values();
    let listed = resources
        .filter(|resource| resource.is_template == is_template)
        .filter(|resource| asked.caller.principal.has(resource.scope));
    Ok(listed.map(|resource| self::resource(resource, uri)).collect())
}

fn resource(resource: &ResourceDescription, uri: &str) -> Value {
    let mut described = Map::from_iter([
        (uri.to_owned(), resource.uri.as_str().into()),
        ("name".to_owned(), resource.name.as_str().into()),
        ("description".to_owned(), resource.description.as_str().into()),
    ]);
    if let Some(mime_type) = &resource.mime_type {
        described.insert("mimeType".to_owned(), mime_type.as_str().into());
    }
    described.into()
}

fn described(prompt: &PromptDescription) -> Value {
    json!({
        "name": prompt.name, "description": prompt.description, "arguments": prompt.arguments,
    })
}

/// Lists are never so long that they would come in pages.
fn check_page(asked: &Asked) -> Result<(), Refusal> {
    match asked.params.get("cursor") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(Refusal::invalid_params("there is no such page: lists come whole")),
    }
}

/// As the revision 2025-11-25 has it; a method's name may have other letters.
pub(super) fn is_name_of_tool(name: &str) -> bool {
    name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
