//! What a program may ask of Python, as Python describes it to the server: methods, and what else
//! clients of the Model Context Protocol know.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Scope;

/// One thing that is offered. What is described anew takes the place of what had its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Offer {
    Method(MethodDescription),
    Resource(ResourceDescription),
    Prompt(PromptDescription),
}

/// A method, under all of its faces: REST, JSON-RPC, OpenAPI and MCP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodDescription {
    /// Words with dots between them, as in `cup.fill`.
    pub name: String,
    /// The first line of the description.
    #[serde(default)]
    pub summary: String,
    #[serde(default)]
    pub description: String,
    /// A JSON Schema (draft 2020-12) of type `object`, its properties in the order of the
    /// parameters.
    pub params: Value,
    /// The JSON Schema of what it returns; `None` if that is not known.
    #[serde(default)]
    pub result: Option<Value>,
    #[serde(default)]
    pub scope: Scope,
    /// Whether it takes so long that it is answered with an operation to follow.
    #[serde(default)]
    pub is_long: bool,
    /// Whether it is offered as a tool of the Model Context Protocol.
    #[serde(default)]
    pub is_tool: bool,
    #[serde(default)]
    pub hints: ToolHints,
    /// The add-on that offers it, as a person knows it.
    #[serde(default)]
    pub owner: String,
}

/// What a tool does to the world, as far as its author says: `ToolAnnotations` of the protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase"), deny_unknown_fields)]
pub struct ToolHints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

/// Something that a client may read, by its URI or by those that fit a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceDescription {
    /// As in `blend://texts/{name}`.
    pub uri: String,
    /// Whether `uri` is a template (RFC 6570) rather than a URI.
    #[serde(default)]
    pub is_template: bool,
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub mime_type: Option<String>,
    #[serde(default)]
    pub scope: Scope,
}

/// A text for a language model, with places to fill in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptDescription {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub arguments: Vec<PromptArgument>,
    #[serde(default)]
    pub scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptArgument {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default)]
    pub required: bool,
}
