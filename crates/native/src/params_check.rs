//! Checks the parameters of an RPC method against their schema.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::Value;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ParamsCheck>()
}

/// A JSON Schema (draft 2020-12) that is ready to check.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct ParamsCheck {
    validator: Validator,
}

#[pymethods]
impl ParamsCheck {
    /// Raises `ValueError` if `schema` is not the text of a JSON Schema.
    #[new]
    fn new(schema: &str) -> PyResult<Self> {
        let schema = parse(schema)?;
        let validator = jsonschema::draft202012::new(&schema)
            .map_err(|error| PyValueError::new_err(format!("not a JSON Schema: {error}")))?;
        Ok(Self { validator })
    }

    /// What is wrong with `params`, the text of a JSON object: pointers into it, and why.
    ///
    /// Members that the schema does not know are left to the caller.
    fn wrong(&self, params: &str) -> PyResult<Vec<(String, String)>> {
        let params = parse(params)?;
        Ok(self.validator.iter_errors(&params).filter_map(|error| explained(&error)).collect())
    }
}

fn parse(json: &str) -> PyResult<Value> {
    serde_json::from_str(json).map_err(|error| PyValueError::new_err(format!("not JSON: {error}")))
}

fn explained(error: &ValidationError<'_>) -> Option<(String, String)> {
    let place = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { .. } if place.is_empty() => None,
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let name = name.replace('~', "~0").replace('/', "~1");
            Some((format!("{place}/{name}"), "is missing".to_owned()))
        }
        _ => Some((place, error.to_string())),
    }
}
