//! What results are called when they are saved.

use aiobpy_wire::{Artefact, Job};

/// Content types that a browser may show by themselves: none of them runs scripts.
const SHOWN: [&str; 3] = ["image/", "video/", "audio/"];

/// The value of `Content-Disposition`. What a browser could run is saved and not shown.
pub(crate) fn disposition(job: &Job, artefact: &Artefact, is_to_be_saved: bool) -> String {
    let kind = &artefact.content_type;
    let may_show = SHOWN.iter().any(|shown| kind.starts_with(shown)) && !kind.contains("svg");
    let how = if may_show && !is_to_be_saved { "inline" } else { "attachment" };
    let id = job.id.to_string();
    let short = id.rsplit('-').next().unwrap_or(&id);
    let template = plain(&job.request.template);
    format!("{how}; filename=\"{template}-{short}.{}\"", suffix(job, artefact))
}

/// The name of a job's result among those of its batch, in which it is the `number`th.
pub(crate) fn of_batch(number: usize, job: &Job, artefact: &Artefact) -> String {
    let (template, suffix) = (plain(&job.request.template), suffix(job, artefact));
    match job.request.output.frame {
        Some(frame) => format!("{number:04}-{template}-f{frame:04}.{suffix}"),
        None => format!("{number:04}-{template}.{suffix}"),
    }
}

/// Without what has a meaning in a header or a path.
fn plain(name: &str) -> String {
    name.chars().map(|it| if it.is_ascii_alphanumeric() || it == '_' { it } else { '-' }).collect()
}

/// Of what the job was to make; by the content type, where that is not known.
fn suffix(job: &Job, artefact: &Artefact) -> &'static str {
    if let Some(format) = job.request.output.format {
        return format.suffix();
    }
    match artefact.content_type.as_str() {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        _ => "bin",
    }
}
