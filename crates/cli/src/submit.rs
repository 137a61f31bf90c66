//! `aiobpy submit`: a job for a running server, and its result, with its progress.

use std::path::{Path, PathBuf};

use aiobpy_wire::{Event, FrameRange, Job, JobRequest, OutputFormat, OutputRequest, Problem};
use bytes::Bytes;
use clap::Args;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::client::{Client, read, refused};
use crate::failure::Failure;
use crate::follow::Follow;
use crate::progress::Progress;
use crate::target::Target;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The template's name.
    #[arg(long)]
    template: String,
    /// A parameter of the template, as JSON or as plain text; may be given more than once.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_param)]
    params: Vec<(String, Value)>,
    /// A parameter that is a file, which is sent first; may be given more than once.
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = parse_input)]
    inputs: Vec<(String, PathBuf)>,
    /// Pixels.
    #[arg(long)]
    width: Option<u32>,
    /// Pixels.
    #[arg(long)]
    height: Option<u32>,
    /// Samples per pixel.
    #[arg(long)]
    samples: Option<u32>,
    /// Of a video: the first and the last, as in `1..48`, or every other one as in `1..48:2`.
    #[arg(long, value_name = "FIRST..LAST", value_parser = parse_frames, allow_hyphen_values = true)]
    frames: Option<FrameRange>,
    /// As in `png`, `mp4` or `glb`; told by the ending of `--output` if left out.
    #[arg(long, value_parser = parse_format)]
    format: Option<OutputFormat>,
    /// Jobs of higher priority come first; -100 to 100.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i8).range(-100..=100))]
    priority: i8,
    /// Have it made anew, even if an earlier job has made the same.
    #[arg(long)]
    no_cache: bool,
    /// Where the result goes; waits for it.
    #[arg(short, long, visible_alias = "out", value_name = "FILE")]
    output: Option<PathBuf>,
    /// Wait for the end of the job, also without `--output`.
    #[arg(long)]
    wait: bool,
    /// Names this request: sent again with the same key, it gets the same job.
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(submit(arguments, terminal))
}

async fn submit(arguments: &Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut request = job_request(arguments)?;
    let mut client = arguments.target.client()?;
    for (name, file) in &arguments.inputs {
        request.params.insert(name.clone(), send_input(&mut client, file).await?);
    }
    let body = serde_json::to_vec(&request).map_err(Failure::new)?;
    let submitted =
        client.exchange(Method::POST, "/api/v1/jobs", body.into(), &key(arguments)?).await?;
    if !submitted.status().is_success() {
        return Err(refused(submitted).await);
    }
    let job: Job = serde_json::from_slice(&read(submitted).await?).map_err(Failure::new)?;
    if arguments.output.is_none() && !arguments.wait {
        terminal.say(&job.id.to_string());
        return Ok(());
    }
    let mut progress = Progress::new();
    progress.add(&job);
    let ended = until_it_ends(&arguments.target, &job, &mut progress).await;
    progress.close();
    ended?;
    if let Some(output) = &arguments.output {
        return fetch(&arguments.target, &job, output, terminal).await;
    }
    terminal.say(&format!("{} finished", job.id));
    Ok(())
}

/// Sends a file for a job, and returns what the server calls it.
async fn send_input(client: &mut Client, file: &Path) -> Result<Value, Failure> {
    let content = std::fs::read(file)
        .map_err(|error| Failure::new(format!("could not read `{}`: {error}", file.display())))?;
    let answer = client.send(Method::POST, "/api/v1/inputs", content.into()).await?;
    let mut told: Value = serde_json::from_slice(&read(answer).await?).map_err(Failure::new)?;
    Ok(told["name"].take())
}

/// Shows what happens to the job until it has ended.
async fn until_it_ends(target: &Target, job: &Job, progress: &mut Progress) -> Result<(), Failure> {
    let mut follow = Follow::new(target.clone(), format!("/api/v1/jobs/{}/events", job.id));
    while let Some(record) = follow.next().await? {
        progress.take(&record);
        match record.event {
            Event::JobFinished { .. } => return Ok(()),
            Event::JobFailed { problem, .. } => return Err(failed(problem)),
            Event::JobCancelled { id } => {
                return Err(Failure::new(format!("somebody cancelled the job {id}")));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn fetch(
    target: &Target,
    job: &Job,
    output: &Path,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let path = format!("/api/v1/jobs/{}/result", job.id);
    let mut client = target.client()?;
    let result = client.send(Method::GET, &path, Bytes::new()).await?;
    let content = read(result).await?;
    std::fs::write(output, &content).map_err(|error| {
        Failure::new(format!("could not write `{}`: {error}", output.display()))
            .with_hint(format!("the job has finished: fetch {path} once there is room"))
    })?;
    terminal.say(&format!("{} ({} KiB)", output.display(), content.len().div_ceil(1024)));
    Ok(())
}

/// What the server is to call this request, so that it takes it on once.
fn key(arguments: &Arguments) -> Result<HeaderMap, Failure> {
    let Some(key) = &arguments.key else { return Ok(HeaderMap::new()) };
    let key = HeaderValue::from_str(key).map_err(|_| {
        Failure::new(format!("`{key}` is no key")).with_hint("use plain letters and digits")
    })?;
    Ok(HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), key)]))
}

fn failed(mut problem: Problem) -> Failure {
    match problem.crash_text.take() {
        Some(text) => Failure::new(format!("{problem}\nthe worker's last lines:\n{text}")),
        None => problem.into(),
    }
}

fn job_request(arguments: &Arguments) -> Result<JobRequest, Failure> {
    Ok(JobRequest {
        params: arguments.params.iter().cloned().collect::<Map<_, _>>(),
        output: OutputRequest {
            width: arguments.width,
            height: arguments.height,
            samples: arguments.samples,
            frames: arguments.frames,
            format: format(arguments)?,
            ..OutputRequest::default()
        },
        priority: arguments.priority,
        cache: !arguments.no_cache,
        ..JobRequest::new(arguments.template.clone())
    })
}

/// Nothing is told of a job whose result is not written: then the template decides.
fn format(arguments: &Arguments) -> Result<Option<OutputFormat>, Failure> {
    let Some(output) = &arguments.output else { return Ok(arguments.format) };
    let ending = output.extension().and_then(|ending| ending.to_str());
    match arguments.format.or_else(|| OutputFormat::of_suffix(ending?)) {
        Some(format) => Ok(Some(format)),
        None => Err(Failure::new(format!("the ending of `{}` says no format", output.display()))
            .with_hint("end it in .png, .jpg, .mp4 or .glb, or say `--format png`")),
    }
}

fn parse_frames(text: &str) -> Result<FrameRange, String> {
    let wrong = || format!("write them as in `1..48` or `1..48:2`, not `{text}`");
    let (range, step) = text.split_once(':').unwrap_or((text, "1"));
    let (first, last) = range.split_once("..").ok_or_else(wrong)?;
    let frames = FrameRange {
        first: first.parse().map_err(|_| wrong())?,
        last: last.parse().map_err(|_| wrong())?,
        step: step.parse().map_err(|_| wrong())?,
    };
    if frames.step == 0 || frames.count() == 0 { Err(wrong()) } else { Ok(frames) }
}

fn parse_format(name: &str) -> Result<OutputFormat, String> {
    OutputFormat::of_suffix(name).ok_or_else(|| {
        let known = OutputFormat::RENDERED.map(OutputFormat::name).join(", ");
        format!("it is one of {known}, json, glb, usdz, usdc and fbx")
    })
}

fn parse_input(argument: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = argument
        .split_once('=')
        .ok_or_else(|| format!("write it as in `label=label.png`, not `{argument}`"))?;
    Ok((name.to_owned(), PathBuf::from(file)))
}

/// `text=5` is a number, `text="5"` and `text=five` are texts.
fn parse_param(argument: &str) -> Result<(String, Value), String> {
    let (name, value) = argument
        .split_once('=')
        .ok_or_else(|| format!("write it as in `colour=#d13b2a`, not `{argument}`"))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_is_json_if_it_can_be_and_text_if_not() {
        assert_eq!(parse_param("size=1.5"), Ok(("size".to_owned(), json!(1.5))));
        assert_eq!(parse_param("text=\"5\""), Ok(("text".to_owned(), json!("5"))));
        assert_eq!(parse_param("colour=#d13b2a"), Ok(("colour".to_owned(), json!("#d13b2a"))));
        assert_eq!(parse_param("text=a=b"), Ok(("text".to_owned(), json!("a=b"))));
        assert!(parse_param("text").unwrap_err().contains("colour=#d13b2a"));
    }

    #[test]
    fn frames_are_a_first_a_last_and_a_step() {
        let frames = |first, last, step| Ok(FrameRange { first, last, step });
        assert_eq!(parse_frames("1..48"), frames(1, 48, 1));
        assert_eq!(parse_frames("-5..5:2"), frames(-5, 5, 2));
        for wrong in ["", "1", "1-48", "9..1", "1..9:0", "a..b"] {
            assert!(parse_frames(wrong).unwrap_err().contains("1..48:2"), "{wrong}");
        }
    }
}
