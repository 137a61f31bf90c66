//! Asks a Blender whether it could be a kernel, by starting it as Jupyter will.

use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::failure::Failure;

/// Begins the line with the answer, among what Blender itself prints.
const MARK: &str = "aiobpy-jupyter: ";
/// How many of the last lines are shown when there is no answer.
const LAST_LINES: usize = 8;

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
#[expect(clippy::disallowed_methods, reason = "the one program that this command runs to its end")]
pub(crate) fn ask(command: &[String]) -> Result<Found, Failure> {
    let shown = command.join(" ");
    let output = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("could not start `{shown}`: {error}")))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let answer = printed.lines().rev().find_map(|line| line.strip_prefix(MARK));
    match answer.and_then(|json| serde_json::from_str(json).ok()) {
        Some(Answer::Found(found)) => Ok(found),
        Some(Answer::Problem { error, hint }) => Err(Failure::new(error).with_hint(hint)),
        None => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(Failure::new(format!(
                "`{shown}` did not say what it is ({}); its last lines:\n{}",
                output.status,
                last_lines(&format!("{printed}{errors}"))
            ))
            .with_hint("run it by hand; it must be a Blender, or a Python with `aiobpy` and `bpy`"))
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
