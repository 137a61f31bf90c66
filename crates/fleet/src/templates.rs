//! What a job may ask for, checked before it is taken on.

use std::collections::HashMap;

use aiobpy_wire::{
    FieldProblem, JobRequest, OutputFormat, OutputRequest, Problem, TemplateDescription,
};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::problems;

const PIXELS: std::ops::RangeInclusive<u32> = 4..=16384;
const SAMPLES: std::ops::RangeInclusive<u32> = 1..=65536;
const RATES: std::ops::RangeInclusive<u32> = 1..=240;
const QUALITIES: std::ops::RangeInclusive<u32> = 1..=100;
/// The frames that Blender has.
const FRAMES: std::ops::RangeInclusive<i32> = -1_048_574..=1_048_574;

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

    /// Completes a request that the fleet can do; the problem names every field that is wrong.
    pub(crate) fn check(&self, mut request: JobRequest) -> Result<JobRequest, Problem> {
        let template = self.find(&request.template)?;
        let mut errors = self.wrong_params(template, &request.params.clone().into());
        if request.pool.is_none() {
            request.pool.clone_from(&template.pool);
        }
        errors.extend(wrong_output(&request.output));
        match format_of(&request.output, &template.formats) {
            Ok(format) => {
                errors.extend(wrong_frames(&request.output, format));
                request.output.format = Some(format);
            }
            Err(wrong) => errors.push(wrong),
        }
        if errors.is_empty() { Ok(request) } else { Err(problems::invalid_request(errors)) }
    }

    pub(crate) fn is_shared(&self, name: &str) -> bool {
        self.descriptions.iter().any(|template| template.name == name && template.shared)
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
        ("fps", output.fps, RATES, "pictures a second"),
        ("quality", output.quality.map(u32::from), QUALITIES, "per cent"),
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

/// What the job is to make, if its template makes that.
fn format_of(
    output: &OutputRequest,
    formats: &[OutputFormat],
) -> Result<OutputFormat, FieldProblem> {
    let wrong = |detail| FieldProblem { pointer: "/output/format".into(), detail };
    let Some(format) = output.format.or_else(|| formats.first().copied()) else {
        return Err(wrong("the template makes nothing".into()));
    };
    if formats.contains(&format) {
        return Ok(format);
    }
    let known: Vec<&str> = formats.iter().map(|format| format.name()).collect();
    let known = known.join("`, `");
    Err(wrong(format!("the template makes no `{}`; it makes: `{known}`", format.name())))
}

fn wrong_frames(output: &OutputRequest, format: OutputFormat) -> Vec<FieldProblem> {
    let mut wrong = Vec::new();
    let mut note = |name: &str, detail: String| {
        wrong.push(FieldProblem { pointer: format!("/output/{name}"), detail });
    };
    for (name, asked) in [("frames", output.frames.is_some()), ("fps", output.fps.is_some())] {
        if asked && !format.is_video() {
            note(name, format!("`{}` is no video; ask for `mp4` or `webm`", format.name()));
        }
    }
    if output.frame.is_some() && format.is_video() {
        note("frame", "a video has `frames`".into());
    }
    let (least, most) = (FRAMES.start(), FRAMES.end());
    let range = output.frames.iter().flat_map(|frames| [frames.first, frames.last]);
    for frame in output.frame.into_iter().chain(range).filter(|frame| !FRAMES.contains(frame)) {
        let name = if output.frame.is_some() { "frame" } else { "frames" };
        note(name, format!("{frame} is not between {least} and {most}"));
    }
    if let Some(frames) = output.frames
        && (frames.count() == 0 || frames.step == 0)
    {
        note("frames", format!("{} to {} are no frames", frames.first, frames.last));
    }
    wrong
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
            formats: vec![OutputFormat::Png, OutputFormat::Mp4],
            pool: None,
            scene_from: None,
            shared: false,
            broken: None,
        };
        let lamp = TemplateDescription {
            name: "lamp".into(),
            description: String::new(),
            params_schema: json!({}),
            formats: Vec::new(),
            pool: None,
            scene_from: None,
            shared: false,
            broken: Some("lamp.py, line 3: NameError: name 'btightness' is not defined".into()),
        };
        Templates::new(vec![mug, lamp])
    }

    fn check(request: &Value) -> Result<JobRequest, Problem> {
        templates().check(serde_json::from_value(request.clone()).unwrap())
    }

    fn wrong_fields(request: &Value) -> Vec<(String, String)> {
        let problem = check(request).unwrap_err();
        assert_eq!((problem.status, problem.kind.as_str()), (422, "invalid-request"));
        problem.errors.into_iter().map(|error| (error.pointer, error.detail)).collect()
    }

    #[test]
    fn a_request_that_fits_is_taken() {
        let params = json!({"colour": "#d13b2a", "size": 1});
        let request = check(&json!({"template": "mug", "params": params})).unwrap();
        assert_eq!(request.params["colour"], "#d13b2a");
    }

    #[test]
    fn a_request_of_no_format_gets_the_first_that_the_template_makes() {
        let request = check(&json!({"template": "mug"})).unwrap();
        assert_eq!(request.output.format, Some(OutputFormat::Png));
    }

    #[test]
    fn what_a_template_does_not_make_is_pointed_at() {
        let output = |output| wrong_fields(&json!({"template": "mug", "output": output}));
        let detail = "the template makes no `glb`; it makes: `png`, `mp4`";
        assert_eq!(output(json!({"format": "glb"})), [("/output/format".into(), detail.into())]);
        let frames = json!({"first": 1, "last": 24});
        let detail = "`png` is no video; ask for `mp4` or `webm`";
        assert_eq!(output(json!({"frames": frames})), [("/output/frames".into(), detail.into())]);
        let detail = "9 to 3 are no frames";
        let frames = json!({"format": "mp4", "frames": {"first": 9, "last": 3}});
        assert_eq!(output(frames), [("/output/frames".into(), detail.into())]);
        let detail = "2000000 is not between -1048574 and 1048574";
        assert_eq!(output(json!({"frame": 2_000_000})), [("/output/frame".into(), detail.into())]);
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
            formats: Vec::new(),
            pool: None,
            scene_from: None,
            shared: false,
            broken: None,
        };
        let templates = Templates::new(vec![nonsense]);
        let broken = templates.descriptions()[0].broken.as_ref().unwrap();
        assert!(broken.starts_with("its schema is not valid"), "{broken}");
    }
}
