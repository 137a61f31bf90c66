//! schemathesis, which tries what the OpenAPI document promises, and a validator of the document.

use std::fs;

use crate::failure::{Doing, Failure, Outcome};
use crate::judge::judged::Judged;
use crate::judge::{Thoroughness, report_folder};
use crate::run::Run;
use crate::{files, python, workspace};

const NAME: &str = "openapi";
/// Addresses that are no questions with one answer: WebSockets, and a protocol with a judge of its own.
const NOT_ASKED: &[&str] = &["/ws", "/api/v1/echo", "/mcp"];
/// Wrong tokens without end, which are answered with 429 after a few: `tests/attacks` tries them.
const NOT_CHECKED: &str = "ignored_auth";
/// Streams that do not end.
const ENDLESS: &str = "events$";
/// What it has to know of our addresses.
const SETTINGS: &str = "tests/judged/schemathesis.toml";
const PHASES_OF_QUICK: &str = "examples,coverage";

pub(super) fn prepare() -> Outcome {
    python::prepare_judge(NAME).map(|_| ())
}

pub(super) fn judge(thoroughness: Thoroughness) -> Outcome {
    judge_one(&Judged::start_with(&["methods"])?, "blender", thoroughness)
}

/// The same of `aiobpy serve`.
pub(super) fn judge_fleet(thoroughness: Thoroughness) -> Outcome {
    judge_one(&Judged::start_fleet()?, "fleet", thoroughness)
}

fn judge_one(judged: &Judged, what: &str, thoroughness: Thoroughness) -> Outcome {
    let address = format!("{}/openapi.json", judged.address());
    let token = format!("Authorization: Bearer {}", judged.text("token"));
    validate(&address, &token, what)?;
    let mut run = Run::new(workspace::judge_venv(NAME).join("bin/schemathesis"));
    if what == "fleet" {
        run = run.args(["--config-file", SETTINGS]);
    }
    run = run
        .args(["run", &address, "--header", &token, "--max-examples", "30", "--no-color"])
        .args([
            "--exclude-checks",
            NOT_CHECKED,
            "--request-timeout",
            "10",
            "--exclude-path-regex",
            ENDLESS,
        ])
        .args(NOT_ASKED.iter().flat_map(|path| ["--exclude-path", path]));
    if thoroughness == Thoroughness::Quick {
        run = run.args(["--phases", PHASES_OF_QUICK]);
    }
    let mut said = Vec::new();
    let result = run.check_lines(|line| said.push(line.to_owned()));
    let reports = report_folder(NAME);
    files::create_folder(&reports)?;
    let report = reports.join(format!("{what}.txt"));
    fs::write(&report, said.join("\n"))
        .doing(|| format!("could not write {}", report.display()))?;
    let summary = said.iter().rev().find(|line| line.contains(" generated")).cloned();
    println!("  {}", summary.unwrap_or_default().trim());
    result.map_err(|_status| {
        Failure::new("schemathesis found what does not hold")
            .hint(format!("its report is {}", report.display()))
    })
}

/// The document itself, against the specification's schema.
fn validate(address: &str, token: &str, what: &str) -> Outcome {
    let folder = report_folder(NAME);
    files::create_folder(&folder)?;
    let document = folder.join(format!("{what}.json"));
    Run::new("curl")
        .args(["--silent", "--show-error", "--fail", "--header", token, "--output"])
        .arg(&document)
        .arg(address)
        .check()?;
    Run::new(workspace::judge_venv(NAME).join("bin/python"))
        .args(["-m", "openapi_spec_validator"])
        .arg(&document)
        .output()
        .map(|_| ())
}
