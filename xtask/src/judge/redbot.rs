//! REDbot, which asks a resource everything that HTTP allows and says what is wrong with the answers.

use serde_json::Value;

use crate::failure::{Doing, Failure, Outcome};
use crate::judge::Thoroughness;
use crate::judge::judged::Judged;
use crate::run::Run;
use crate::{python, workspace};

const NAME: &str = "http";
const RESOURCES: &[&str] = &[
    "/a/judged/files/",
    "/a/judged/files/data.json",
    "/a/judged/files/large.bin",
    "/a/judged/hello",
    "/a/judged/absent",
    "/api/v1/status",
    "/healthz",
];

pub(super) fn prepare() -> Outcome {
    python::prepare_judge(NAME).map(|_| ())
}

pub(super) fn judge(_thoroughness: Thoroughness) -> Outcome {
    let judged = Judged::start()?;
    let mut wrong = Vec::new();
    for resource in RESOURCES {
        let report = Run::new(workspace::judge_venv(NAME).join("bin/redbot"))
            .args(["-o", "har"])
            .arg(format!("{}{resource}", judged.relay()))
            .output()?;
        let notes = notes_in(&report)?;
        println!("  {resource}: {} notes", notes.len());
        wrong.extend(
            notes.iter().filter(|note| note.is_bad()).map(|note| format!("{resource}: {note}")),
        );
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("REDbot finds wrong:\n  {}", wrong.join("\n  "))))
}

/// What REDbot has to say.
struct Note {
    level: String,
    summary: String,
}

impl Note {
    fn is_bad(&self) -> bool {
        !["GOOD", "INFO"].contains(&self.level.as_str())
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.level, self.summary)
    }
}

/// Its notes, of a report in its dialect of HAR.
fn notes_in(report: &str) -> Outcome<Vec<Note>> {
    let report: Value =
        serde_json::from_str(report).doing(|| "could not read REDbot's report".to_owned())?;
    let entries = report["log"]["entries"].as_array().cloned().unwrap_or_default();
    let notes = entries.iter().filter_map(|entry| entry["_red_messages"].as_array()).flatten();
    let text = |note: &Value, key: &str| note[key].as_str().unwrap_or("?").to_owned();
    let notes: Vec<Note> = notes
        .map(|note| Note { level: text(note, "level"), summary: text(note, "summary") })
        .collect();
    if notes.is_empty() {
        return Err(Failure::new("REDbot says nothing, which it never does of an answer"));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bad_is_told_apart_and_silence_is_no_praise() {
        let report = r#"{"log": {"entries": [{"_red_messages": [
            {"level": "GOOD", "summary": "fine"}, {"level": "BAD", "summary": "no"},
            {"level": "WARN", "summary": "hm"}]}]}}"#;
        let bad = notes_in(report).unwrap().iter().filter(|note| note.is_bad()).count();
        assert_eq!(bad, 2);
        assert!(notes_in(r#"{"log": {"entries": []}}"#).is_err());
    }
}
