//! A template as its parameters are documented.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One template: a Python file with one typed function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateDescription {
    pub name: String,
    /// The function's docstring.
    pub description: String,
    /// A JSON Schema (draft 2020-12) of type `object`, with `additionalProperties: false`.
    pub params_schema: Value,
    /// Why the file cannot be used, if it cannot: its jobs are refused with this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}
