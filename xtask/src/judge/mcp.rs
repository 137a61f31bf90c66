//! The conformance suite of the Model Context Protocol: all scenarios for servers, of both revisions.

use std::path::PathBuf;

use crate::failure::{Doing, Failure, Outcome};
use crate::judge::judged::Judged;
use crate::judge::{Thoroughness, report_folder};
use crate::stamp::{Inputs, Stamp};
use crate::step::{already_done, step};
use crate::{files, node, workspace};

const NAME: &str = "mcp";
/// Where our part of it is: what it is pinned to, and what adds the token.
const SUITE: &str = "tests/judged/mcp_suite";
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];
const PROGRAM: &str = "node_modules/@modelcontextprotocol/conformance/dist/index.js";

pub(super) fn prepare() -> Outcome {
    node::prepare()?;
    let name = "conformance suite of the Model Context Protocol";
    let folder = installed();
    let suite = workspace::root().join(SUITE);
    let inputs = Inputs::of_paths(&suite, &["package.json", "package-lock.json"])?;
    let stamp = Stamp::at(folder.join("installed"));
    if stamp.matches(&inputs) {
        already_done(name);
        return Ok(());
    }
    step(name, || {
        files::create_folder(&folder)?;
        for file in ["package.json", "package-lock.json"] {
            let (from, to) = (suite.join(file), folder.join(file));
            std::fs::copy(&from, &to).doing(|| format!("could not copy {}", from.display()))?;
        }
        node::install(&folder)?;
        stamp.set(&inputs)
    })
}

pub(super) fn judge(_thoroughness: Thoroughness) -> Outcome {
    let judged = Judged::start_with(&["mcp_tools"])?;
    REVISIONS.iter().try_for_each(|revision| judge_revision(&judged, revision))
}

/// What the revision requires; what it does not is tried, and not counted.
fn judge_revision(judged: &Judged, revision: &str) -> Outcome {
    let reports = report_folder(NAME).join(revision);
    let mut said = Vec::new();
    let result = node::node()
        .arg("--import")
        .arg(workspace::root().join(SUITE).join("token.mjs"))
        .arg(installed().join(PROGRAM))
        .args(["server", "--url", &format!("{}/mcp", judged.address())])
        .args(["--requirements", revision, "-o"])
        .arg(&reports)
        .env("AIOBPY_TOKEN", judged.text("token"))
        .check_lines(|line| said.push(line.to_owned()));
    let passed = said.iter().filter(|line| line.starts_with("✓ ")).count();
    println!("  {revision}: {passed} scenarios passed");
    // Optional extensions of the protocol are listed at the end, indented.
    let failed: Vec<&str> =
        said.iter().filter(|line| line.starts_with("✗ ")).map(String::as_str).collect();
    match result {
        Ok(()) if passed > 0 => Ok(()),
        _ => Err(Failure::new(format!(
            "of {revision}, scenarios failed:\n  {}",
            failed.join("\n  ")
        ))
        .hint(format!("the reports are in {}", reports.display()))),
    }
}

fn installed() -> PathBuf {
    workspace::judge_venv(NAME).join("suite")
}
