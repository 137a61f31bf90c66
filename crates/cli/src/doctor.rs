//! `aiobpy doctor`: what is missing on this machine, and how to put it right.

mod blenders;
mod finding;
mod machine;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::Surroundings;
use crate::failure::Failure;
use crate::serve::default_data_folder;
use crate::terminal::Terminal;
use finding::{Finding, State};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A Blender to look at, besides the one in `PATH`; may be given more than once.
    #[arg(long, value_name = "PATH")]
    blender: Vec<PathBuf>,
    /// A Python to look at; the one that runs this command if left out.
    #[arg(long, value_name = "PATH", env = "AIOBPY_PYTHON")]
    python: Option<PathBuf>,
    /// The folder that holds the Python package `aiobpy`.
    #[arg(long, value_name = "DIR", env = "AIOBPY_PACKAGE_DIR")]
    package_dir: Option<PathBuf>,
    /// Where jobs and pictures are to be kept; the user's data folder if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port that a server is to have.
    #[arg(long)]
    port: Option<u16>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    surroundings: &Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let findings = examine(arguments, surroundings);
    let missing = findings.iter().filter(|finding| finding.state == State::Missing).count();
    if arguments.json {
        let value = json!({ "ok": missing == 0, "findings": findings });
        terminal.say(&serde_json::to_string_pretty(&value).map_err(Failure::new)?);
    } else {
        for finding in &findings {
            terminal.say(&finding.to_string());
        }
    }
    match missing {
        0 => Ok(()),
        1 => Err(Failure::new("something is missing")),
        many => Err(Failure::new(format!("{many} things are missing"))),
    }
}

fn examine(arguments: &Arguments, surroundings: &Surroundings) -> Vec<Finding> {
    let python = arguments.python.clone().or_else(|| surroundings.python.clone());
    let package = arguments.package_dir.clone().or_else(|| surroundings.package_dir.clone());
    let mut findings = vec![Finding::ok("aiobpy", env!("CARGO_PKG_VERSION"))];
    findings.extend(blenders::examine(python, package.as_deref(), &arguments.blender));
    findings.push(machine::ffmpeg());
    findings.push(match arguments.data.clone().map_or_else(default_data_folder, Ok) {
        Ok(folder) => machine::data_folder(&folder),
        Err(failure) => {
            Finding::missing("data folder", failure.to_string(), "set HOME, or give `--data DIR`")
        }
    });
    findings.push(machine::port(arguments.port));
    findings.push(machine::discovery_folder());
    findings.extend(machine::servers());
    findings.extend(machine::leftover_workers());
    findings
}
