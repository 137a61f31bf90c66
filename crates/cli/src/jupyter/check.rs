//! Asks a Blender whether it could be a kernel, by starting it as Jupyter will.

use std::time::Duration;

use serde::Deserialize;

use crate::failure::Failure;
use crate::program;

/// Begins the line with the answer, among what Blender itself prints.
const MARK: &str = "aiobpy-jupyter: ";
/// How many of the last lines are shown when there is no answer.
const LAST_LINES: usize = 8;
/// How long a Blender may take to start.
const LIMIT: Duration = Duration::from_mins(2);

/// What it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    pub(crate) blender: String,
    pub(crate) python: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Problem { error: String, hint: String },
    Found(Found),
}

/// Runs the command and returns what it is.
pub(crate) fn ask(command: &[String]) -> Result<Found, Failure> {
    let shown = command.join(" ");
    let finished = program::run(command, LIMIT)
        .map_err(|error| Failure::new(format!("could not start `{shown}`: {error}")))?;
    let answer = finished.printed.lines().rev().find_map(|line| line.strip_prefix(MARK));
    match answer.and_then(|json| serde_json::from_str(json).ok()) {
        Some(Answer::Found(found)) => Ok(found),
        Some(Answer::Problem { error, hint }) => Err(Failure::new(error).with_hint(hint)),
        None => {
            let how = finished.status.map_or_else(|| "it hung".to_owned(), |end| end.to_string());
            Err(Failure::new(format!(
                "`{shown}` did not say what it is ({how}); its last lines:\n{}",
                last_lines(&finished.printed)
            ))
            .with_hint("run it by hand; it must be a Blender, or a Python with `aiobpy` and `bpy`"))
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
