//! One Blender, and what it makes of the jobs.

use std::path::Path;
use std::time::Duration;

use aiobpy_fleet::{Fleet, FleetConfig, WorkerLaunch};
use aiobpy_wire::{Job, JobRequest, JobState, OutputFormat, OutputRequest, Problem};

use super::{Arguments, Wanted};
use crate::failure::Failure;
use crate::serve::{from_fleet, unknown_package};

/// Beyond a job's own limit, for what comes before and after.
const PATIENCE: Duration = Duration::from_mins(2);

/// A Blender, and its pictures in the order of the jobs.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) path: String,
    pub(super) version: String,
    pub(super) rendered: Vec<Rendered>,
}

#[derive(Debug)]
pub(super) struct Rendered {
    /// A PNG file, or why there is none.
    pub(super) picture: Result<Vec<u8>, String>,
    /// From the start of the job to its end.
    pub(super) seconds: f64,
}

impl Build {
    /// Starts one warm Blender, and has it render the jobs one after another.
    pub(super) async fn render_all(
        path: &Path,
        package: Option<&Path>,
        arguments: &Arguments,
        jobs: &[Wanted],
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(Failure::new)?;
        let config = FleetConfig {
            attempts: 1,
            builtins: false,
            // What takes how long is of interest, and that nothing is as it was by chance.
            cache: false,
            ..FleetConfig::new(
                folder.path().to_owned(),
                vec![arguments.template.clone()],
                launch(path, package)?,
            )
        };
        let fleet = Fleet::start(config).await.map_err(from_fleet)?;
        let rendered = render_on(&fleet, arguments, jobs).await;
        let version = fleet.workers().into_iter().find_map(|worker| worker.blender_version);
        fleet.stop().await;
        Ok(Self {
            path: path.display().to_string(),
            version: version.unwrap_or_else(|| "unknown".to_owned()),
            rendered: rendered?,
        })
    }
}

async fn render_on(
    fleet: &Fleet,
    arguments: &Arguments,
    jobs: &[Wanted],
) -> Result<Vec<Rendered>, Failure> {
    let template = template_of(fleet, &arguments.template).await?;
    let mut rendered = Vec::new();
    for wanted in jobs {
        let request = JobRequest {
            params: wanted.params.clone(),
            output: OutputRequest { format: Some(OutputFormat::Png), ..wanted.output.clone() },
            timeout_seconds: Some(arguments.time_limit),
            ..JobRequest::new(template.clone())
        };
        rendered.push(match fleet.submit(request).await {
            Ok(job) => {
                let limit = Duration::from_secs(arguments.time_limit.into()) + PATIENCE;
                outcome(fleet, fleet.wait(job.id, limit).await)
            }
            Err(problem) => Rendered { picture: Err(said(&problem)), seconds: 0.0 },
        });
    }
    Ok(rendered)
}

/// The name of the template that the file declares.
async fn template_of(fleet: &Fleet, file: &Path) -> Result<String, Failure> {
    let templates = fleet.templates_when_ready().await?;
    let [template] = templates.as_slice() else {
        return Err(Failure::new(format!("`{}` declares no template", file.display()))
            .with_hint("put `@aiobpy.template(scene=…)` above one typed function"));
    };
    match &template.broken {
        None => Ok(template.name.clone()),
        Some(reason) => Err(Failure::new(reason.clone())),
    }
}

fn outcome(fleet: &Fleet, job: Option<Job>) -> Rendered {
    let Some(job) = job else {
        return Rendered { picture: Err("the job is lost".to_owned()), seconds: 0.0 };
    };
    let seconds = match (job.started_at, job.ended_at) {
        (Some(started), Some(ended)) => ended.duration_since(started).as_secs_f64(),
        _ => 0.0,
    };
    let picture = match (&job.state, &job.artefact, &job.problem) {
        (JobState::Finished, Some(artefact), _) => {
            std::fs::read(fleet.artefact_path(artefact)).map_err(|error| error.to_string())
        }
        (_, _, Some(problem)) => Err(said(problem)),
        _ => Err("it did not end in time".to_owned()),
    };
    Rendered { picture, seconds }
}

fn said(problem: &Problem) -> String {
    format!("{}: {}", problem.title, problem.detail)
}

/// A program whose name begins with `python` is one; anything else is a Blender.
fn launch(path: &Path, package: Option<&Path>) -> Result<WorkerLaunch, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with("python") {
        return Ok(WorkerLaunch::BpyModule { python: path.to_owned() });
    }
    let package_dir = package.map(Path::to_owned).ok_or_else(unknown_package)?;
    Ok(WorkerLaunch::Blender { path: path.to_owned(), package_dir })
}
