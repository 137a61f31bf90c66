//! What a job may ask for, checked before it is taken on.

use std::collections::HashMap;

use aiobpy_wire::{FieldProblem, JobRequest, OutputRequest, Problem, TemplateDescription};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::problems;

const PIXELS: std::ops::RangeInclusive<u32> = 4..=16384;
const SAMPLES: std::ops::RangeInclusive<u32> = 1..=65536;

/// The templates that a worker has loaded, ready to check requests.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    descriptions: Vec<TemplateDescription>,
    validators: HashMap<String, Validator>,
}

impl Templates {
    /// A template whose schema is no schema is kept as a broken one.
    pub(crate) fn new(mut descriptions: Vec<TemplateDescription>) -> Self {
        let mut validators = HashMap::new();
        for description in &mut descriptions {
            match jsonschema::draft202012::new(&description.params_schema) {
                Ok(validator) => drop(validators.insert(description.name.clone(), validator)),
                Err(error) if description.broken.is_none() => {
                    description.broken = Some(format!("its schema is not valid: {error}"));
                }
                Err(_) => {}
            }
        }
        Self { descriptions, validators }
    }

    pub(crate) fn descriptions(&self) -> &[TemplateDescription] {
        &self.descriptions
    }

    /// Whether the fleet can do what is asked; the problem names every field that is wrong.
    pub(crate) fn check(&self, request: &JobRequest) -> Result<(), Problem> {
        let template = self.find(&request.template)?;
        let mut errors = self.wrong_params(template, &request.params.clone().into());
        errors.extend(wrong_output(&request.output));
        if errors.is_empty() { Ok(()) } else { Err(problems::invalid_request(errors)) }
    }

    fn find(&self, name: &str) -> Result<&TemplateDescription, Problem> {
        let known = || self.descriptions.iter().map(|template| template.name.as_str());
        let Some(template) = self.descriptions.iter().find(|template| template.name == name) else {
            return Err(problems::unknown_template(name, known()));
        };
        match &template.broken {
            Some(reason) => Err(problems::broken_template(name, reason)),
            None => Ok(template),
        }
    }

    fn wrong_params(&self, template: &TemplateDescription, params: &Value) -> Vec<FieldProblem> {
        let Some(validator) = self.validators.get(&template.name) else { return Vec::new() };
        validator
            .iter_errors(params)
            .flat_map(|error| field_problems(&error, &template.params_schema))
            .collect()
    }
}

fn wrong_output(output: &OutputRequest) -> Vec<FieldProblem> {
    let fields = [
        ("width", output.width, PIXELS, "pixels"),
        ("height", output.height, PIXELS, "pixels"),
        ("samples", output.samples, SAMPLES, "samples per pixel"),
    ];
    let wrong = fields.into_iter().filter_map(|(name, value, range, unit)| {
        let value = value.filter(|value| !range.contains(value))?;
        let (least, most) = (range.start(), range.end());
        Some(FieldProblem {
            pointer: format!("/output/{name}"),
            detail: format!("{value} is not between {least} and {most} {unit}"),
        })
    });
    wrong.collect()
}

fn field_problems(error: &ValidationError<'_>, schema: &Value) -> Vec<FieldProblem> {
    let place = format!("/params{}", error.instance_path());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| FieldProblem {
                pointer: format!("{place}/{}", escaped(name)),
                detail: unknown_parameter(name, schema),
            })
            .collect(),
        _ => vec![FieldProblem { pointer: place, detail: error.to_string() }],
    }
}

fn unknown_parameter(name: &str, schema: &Value) -> String {
    let properties = schema.get("properties").and_then(Value::as_object);
    let known = properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    format!("the template has no parameter `{name}`; {}", problems::did_you_mean(name, known))
}

/// As RFC 6901 has it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn templates() -> Templates {
        let mug = TemplateDescription {
            name: "mug".into(),
            description: "A mug.".into(),
            params_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "colour": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
                    "size": {"type": "number", "minimum": 0.5, "maximum": 2.0},
                },
            }),
            broken: None,
        };
        let lamp = TemplateDescription {
            name: "lamp".into(),
            description: String::new(),
            params_schema: json!({}),
            broken: Some("lamp.py, line 3: NameError: name 'btightness' is not defined".into()),
        };
        Templates::new(vec![mug, lamp])
    }

    fn check(request: &Value) -> Result<(), Problem> {
        templates().check(&serde_json::from_value(request.clone()).unwrap())
    }

    fn wrong_fields(request: &Value) -> Vec<(String, String)> {
        let problem = check(request).unwrap_err();
        assert_eq!((problem.status, problem.kind.as_str()), (422, "invalid-request"));
        problem.errors.into_iter().map(|error| (error.pointer, error.detail)).collect()
    }

    #[test]
    fn a_request_that_fits_is_taken() {
        let params = json!({"colour": "#d13b2a", "size": 1});
        assert_eq!(check(&json!({"template": "mug", "params": params})), Ok(()));
    }

    #[test]
    fn an_unknown_template_is_named_with_the_nearest_one() {
        let problem = check(&json!({"template": "mugg"})).unwrap_err();
        assert_eq!((problem.status, problem.kind.as_str()), (422, "unknown-template"));
        assert_eq!(problem.detail, "there is no template `mugg`");
        assert_eq!(problem.hint.unwrap(), "did you mean `mug`?");
    }

    #[test]
    fn a_broken_template_says_why() {
        let problem = check(&json!({"template": "lamp"})).unwrap_err();
        assert_eq!(problem.kind, "broken-template");
        assert!(problem.detail.contains("NameError: name 'btightness'"), "{}", problem.detail);
    }

    #[test]
    fn every_wrong_parameter_is_pointed_at() {
        let params = json!({"color": "red", "size": "big", "colour": "red"});
        let wrong = wrong_fields(&json!({"template": "mug", "params": params}));
        let pointers: Vec<_> = wrong.iter().map(|(pointer, _)| pointer.as_str()).collect();
        for pointer in ["/params/color", "/params/size", "/params/colour"] {
            assert!(pointers.contains(&pointer), "{pointer} is not among {wrong:?}");
        }
        let (_, unknown) = wrong.iter().find(|(pointer, _)| pointer == "/params/color").unwrap();
        assert_eq!(unknown, "the template has no parameter `color`; did you mean `colour`?");
    }

    #[test]
    fn sizes_out_of_range_are_pointed_at() {
        let output = json!({"width": 3, "height": 100_000, "samples": 0});
        let wrong = wrong_fields(&json!({"template": "mug", "output": output}));
        let expected = [
            ("/output/width", "3 is not between 4 and 16384 pixels"),
            ("/output/height", "100000 is not between 4 and 16384 pixels"),
            ("/output/samples", "0 is not between 1 and 65536 samples per pixel"),
        ];
        assert_eq!(wrong, expected.map(|(pointer, detail)| (pointer.into(), detail.into())));
    }

    #[test]
    fn a_template_with_a_senseless_schema_is_broken() {
        let nonsense = TemplateDescription {
            name: "nonsense".into(),
            description: String::new(),
            params_schema: json!({"type": 7}),
            broken: None,
        };
        let templates = Templates::new(vec![nonsense]);
        let broken = templates.descriptions()[0].broken.as_ref().unwrap();
        assert!(broken.starts_with("its schema is not valid"), "{broken}");
    }
}
