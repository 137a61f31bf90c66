//! `aiobpy submit`: one picture from a running server, with its progress.

use std::path::PathBuf;

use aiobpy_server::discovery::{self, Discovery};
use aiobpy_wire::{Event, EventRecord, Job, JobRequest, OutputFormat, OutputRequest, Problem};
use bytes::Bytes;
use clap::Args;
use http::Method;
use serde_json::{Map, Value};

use crate::client::{Client, Events, read};
use crate::failure::Failure;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The template's name.
    #[arg(long)]
    template: String,
    /// A parameter of the template, as JSON or as plain text; may be given more than once.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_param)]
    params: Vec<(String, Value)>,
    /// Pixels.
    #[arg(long)]
    width: Option<u32>,
    /// Pixels.
    #[arg(long)]
    height: Option<u32>,
    /// Samples per pixel.
    #[arg(long)]
    samples: Option<u32>,
    /// As in `png`, `mp4` or `glb`; told by the ending of `--out` if left out.
    #[arg(long, value_parser = parse_format)]
    format: Option<OutputFormat>,
    /// Jobs of higher priority come first; -100 to 100.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i8).range(-100..=100))]
    priority: i8,
    /// Where the picture goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The server; the one that this user started last if left out.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    url: Option<String>,
    /// What the server at `--url` wants to see.
    #[arg(long, env = "AIOBPY_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(submit(arguments, terminal))
}

async fn submit(arguments: &Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let request = job_request(arguments)?;
    let mut client = client(arguments)?;
    let body = serde_json::to_vec(&request).map_err(Failure::new)?;
    let submitted = client.send(Method::POST, "/api/v1/jobs", Bytes::from(body)).await?;
    let job: Job = serde_json::from_slice(&read(submitted).await?).map_err(Failure::new)?;
    let path = format!("/api/v1/jobs/{}", job.id);
    let events = client.send(Method::GET, &format!("{path}/events"), Bytes::new()).await?;
    watch(Events::of(events), terminal).await?;
    let result = client.send(Method::GET, &format!("{path}/result"), Bytes::new()).await?;
    let picture = read(result).await?;
    std::fs::write(&arguments.out, &picture).map_err(|error| {
        Failure::new(format!("could not write `{}`: {error}", arguments.out.display()))
    })?;
    terminal.say(&format!("{} ({} KiB)", arguments.out.display(), picture.len().div_ceil(1024)));
    Ok(())
}

/// Shows what happens to the job until it has ended.
async fn watch(mut events: Events, terminal: &mut Terminal) -> Result<(), Failure> {
    while let Some(data) = events.next().await? {
        let record: EventRecord = serde_json::from_str(&data).map_err(Failure::new)?;
        match record.event {
            Event::JobQueued { .. } => terminal.show_progress(0.0, "queued"),
            Event::JobStarted { worker, .. } => {
                terminal.show_progress(0.0, &format!("started by worker {worker}"));
            }
            Event::JobProgressed { progress, message, .. } => {
                terminal.show_progress(progress, &message);
            }
            Event::JobRequeued { problem, .. } => {
                terminal.show_progress(0.0, &format!("once more: {}", problem.detail));
            }
            Event::JobFinished { .. } => {
                terminal.show_progress(1.0, "finished");
                return Ok(());
            }
            Event::JobFailed { problem, .. } => return Err(failed(problem)),
            Event::JobCancelled { id } => {
                return Err(Failure::new(format!("somebody cancelled the job {id}")));
            }
            Event::WorkerReady { .. }
            | Event::WorkerRecycled { .. }
            | Event::WorkerLost { .. }
            | Event::Message { .. } => {}
        }
    }
    Err(Failure::new("the server ended before the job did")
        .with_hint("start it again: the job is kept, and goes on"))
}

fn failed(mut problem: Problem) -> Failure {
    match problem.crash_text.take() {
        Some(text) => Failure::new(format!("{problem}\nthe worker's last lines:\n{text}")),
        None => problem.into(),
    }
}

fn job_request(arguments: &Arguments) -> Result<JobRequest, Failure> {
    let suffix = arguments.out.extension().and_then(|end| end.to_str());
    let format = arguments.format.or_else(|| OutputFormat::of_suffix(suffix?));
    if format.is_none() {
        let out = arguments.out.display();
        return Err(Failure::new(format!("the ending of `{out}` says no format"))
            .with_hint("end it in .png, .jpg, .mp4 or .glb, or say `--format png`"));
    }
    Ok(JobRequest {
        params: arguments.params.iter().cloned().collect::<Map<_, _>>(),
        output: OutputRequest {
            width: arguments.width,
            height: arguments.height,
            samples: arguments.samples,
            format,
            ..OutputRequest::default()
        },
        priority: arguments.priority,
        ..JobRequest::new(arguments.template.clone())
    })
}

fn client(arguments: &Arguments) -> Result<Client, Failure> {
    if let (Some(url), Some(token)) = (&arguments.url, &arguments.token) {
        return Client::new(url, token.clone());
    }
    let found = discovery::user_folder().map(|folder| Discovery::read_all(&folder));
    let mut takes_jobs = found.into_iter().flatten().filter(|server| server.takes_jobs);
    let newest = takes_jobs.next().ok_or_else(|| {
        Failure::new("no server of this user that takes jobs is running")
            .with_hint("start one with `aiobpy serve --templates PATH`, or name one with `--url`")
    })?;
    Client::new(&newest.address, newest.token)
}

fn parse_format(name: &str) -> Result<OutputFormat, String> {
    OutputFormat::of_suffix(name).ok_or_else(|| {
        let known = OutputFormat::RENDERED.map(OutputFormat::name).join(", ");
        format!("it is one of {known}, json, glb, usdz, usdc and fbx")
    })
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
}
