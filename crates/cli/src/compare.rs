//! `aiobpy compare`: the same jobs on several Blenders, and where the pictures differ.

mod builds;
mod difference;
mod report;
mod similarity;

use std::path::{Path, PathBuf};

use aiobpy_wire::OutputRequest;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Surroundings;
use crate::failure::Failure;
use crate::sys::Interruptions;
use crate::terminal::Terminal;
use builds::{Build, Rendered};
use report::{Comparison, Report, Verdict};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A Blender, 4.2 or newer, or a Python that has `aiobpy` and `bpy`; two or more, the first is what the
    /// others are held against.
    #[arg(long, value_name = "PATH", required = true)]
    blender: Vec<PathBuf>,
    /// A Python file with one template.
    #[arg(value_name = "TEMPLATE")]
    template: PathBuf,
    /// A JSON list of jobs, as in `[{"name": "red", "params": {"colour": "#ff0000"}, "output": {"width": 256}}]`;
    /// one with the template's defaults if left out.
    #[arg(long, value_name = "FILE")]
    jobs: Option<PathBuf>,
    /// The folder of the report: `index.html`, which needs no other file, and `report.json`.
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Pictures that are less like each other fail: structural similarity, 1 for the same.
    #[arg(long, value_name = "SSIM", default_value_t = 0.98)]
    least_similarity: f64,
    /// Pictures whose values differ more on average fail, of 255.
    #[arg(long, value_name = "VALUE", default_value_t = 2.0)]
    most_difference: f64,
    /// Seconds that one job may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    time_limit: u32,
    /// The folder that holds the Python package `aiobpy`, for Blenders.
    #[arg(long, value_name = "DIR", env = "AIOBPY_PACKAGE_DIR")]
    package_dir: Option<PathBuf>,
}

/// One job, as the file of jobs has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: Option<String>,
    #[serde(default)]
    params: Map<String, Value>,
    #[serde(default)]
    output: OutputRequest,
}

pub(crate) fn run(
    arguments: &Arguments,
    surroundings: Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    if arguments.blender.len() < 2 {
        return Err(Failure::new("there is nothing to compare one Blender with")
            .with_hint("give `--blender PATH` twice"));
    }
    let jobs = read_jobs(arguments.jobs.as_deref())?;
    let interruptions = Interruptions::watch().map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::new)?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = compare(arguments, surroundings, &jobs, terminal) => report,
            _interrupted_or_deaf = interruptions.next() => Err(Failure::new("interrupted")),
        }
    })?;
    report.write(&arguments.out)?;
    for line in report.lines() {
        terminal.say(&line);
    }
    terminal.say(&format!("{}", arguments.out.join("index.html").display()));
    match report.failures() {
        0 => Ok(()),
        1 => Err(Failure::new("a picture differs")),
        many => Err(Failure::new(format!("{many} pictures differ"))),
    }
}

async fn compare(
    arguments: &Arguments,
    surroundings: Surroundings,
    jobs: &[Wanted],
    terminal: &mut Terminal,
) -> Result<Report, Failure> {
    let package = arguments.package_dir.clone().or(surroundings.package_dir);
    let mut builds = Vec::new();
    for path in &arguments.blender {
        terminal.say(&format!("{}: {} jobs", path.display(), jobs.len()));
        let build = Build::render_all(path, package.as_deref(), arguments, jobs).await?;
        builds.push(build);
    }
    let verdict = Verdict {
        least_similarity: arguments.least_similarity,
        most_difference: arguments.most_difference,
    };
    let comparisons =
        (1..builds.len()).flat_map(|other| (0..jobs.len()).map(move |job| (other, job)));
    let comparisons = comparisons
        .map(|(other, job)| Comparison {
            other,
            job,
            found: compare_one(&builds[0].rendered[job], &builds[other].rendered[job]),
        })
        .collect();
    let names = jobs.iter().enumerate().map(|(index, job)| name_of(job, index)).collect();
    Ok(Report { template: arguments.template.clone(), names, builds, comparisons, verdict })
}

/// The difference of two pictures, or why there is none to be seen.
fn compare_one(one: &Rendered, other: &Rendered) -> Result<difference::Difference, String> {
    match (&one.picture, &other.picture) {
        (Ok(one), Ok(other)) => difference::Difference::of(one, other),
        (Err(reason), Ok(_)) => Err(format!("the first failed: {reason}")),
        (Ok(_), Err(reason)) => Err(format!("the second failed: {reason}")),
        (Err(one), Err(other)) => Err(format!("both failed: {one}; {other}")),
    }
}

fn read_jobs(file: Option<&Path>) -> Result<Vec<Wanted>, Failure> {
    let Some(file) = file else { return Ok(vec![Wanted::default()]) };
    let text = std::fs::read(file)
        .map_err(|error| Failure::new(format!("could not read `{}`: {error}", file.display())))?;
    let jobs: Vec<Wanted> = serde_json::from_slice(&text).map_err(|error| {
        Failure::new(format!("`{}` is no list of jobs: {error}", file.display())).with_hint(
            "write it as in `[{\"name\": \"red\", \"params\": {\"colour\": \"#ff0000\"}}]`",
        )
    })?;
    if jobs.is_empty() {
        return Err(Failure::new(format!("`{}` has no jobs", file.display())));
    }
    Ok(jobs)
}

fn name_of(job: &Wanted, index: usize) -> String {
    match &job.name {
        Some(name) => name.clone(),
        None if job.params.is_empty() => format!("{}: defaults", index + 1),
        None => {
            let params = job.params.iter().map(|(name, value)| format!("{name}={value}"));
            format!("{}: {}", index + 1, params.collect::<Vec<_>>().join(" "))
        }
    }
}
