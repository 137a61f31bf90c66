//! A template as its parameters are documented.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::OutputFormat;

/// One template: a Python file with one typed function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateDescription {
    pub name: String,
    /// The function's docstring.
    pub description: String,
    /// A JSON Schema (draft 2020-12) of type `object`, with `additionalProperties: false`.
    pub params_schema: Value,
    /// What it can make; the first is what it makes if a job asks for nothing else.
    #[serde(default = "rendered")]
    pub formats: Vec<OutputFormat>,
    /// The workers that may do its jobs; the usual ones, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The parameter that names the .blend, if it is not always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_from: Option<String>,
    /// Whether its author vouches that one tenant's job leaves nothing to another's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Why the file cannot be used, if it cannot: its jobs are refused with this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

fn rendered() -> Vec<OutputFormat> {
    OutputFormat::RENDERED.to_vec()
}
