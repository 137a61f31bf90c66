//! The crates, type-checked for the systems that nobody here runs; their tests for Windows, run under
//! wine.
//!
//! rustup's mirrors are not reached everywhere, and they are not needed: Debian's `rustc-web` comes with the
//! standard library's source, which `-Zbuild-std` compiles for any target. Build scripts compile C too,
//! and ziglang, which links the wheels, has the headers of every target.

mod c_compiler;
mod table;
mod wine;

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::run::Run;
use crate::step::Checks;
use crate::{python, system, workspace};
use table::Table;

/// What is checked if nothing is named.
const DEFAULT: &[&str] = &[
    "x86_64-pc-windows-gnu",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "aarch64-unknown-linux-gnu",
];

/// Python's names of the systems that `cargo xtask lint` does not check.
const PLATFORMS: &[&str] = &["win32", "darwin"];

const RUST: &[&str] = &["cargo-web", "rust-web-src", "rustc-web"];

/// What a chore for other targets is to do.
pub(crate) struct Options {
    targets: Vec<String>,
    wine: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Outcome<Self> {
        let (flags, named): (Vec<_>, Vec<_>) =
            arguments.iter().cloned().partition(|argument| argument.starts_with('-'));
        if let Some(flag) = flags.iter().find(|flag| *flag != "--wine") {
            return Err(Failure::new(format!("`check-targets` does not understand `{flag}`"))
                .hint("cargo xtask check-targets [--wine] [TARGET…]"));
        }
        let targets = if named.is_empty() {
            DEFAULT.iter().map(ToString::to_string).collect()
        } else {
            named
        };
        // Before anything is installed.
        targets.iter().try_for_each(|target| c_compiler::name_for_zig(target).map(drop))?;
        Ok(Self { targets, wine: !flags.is_empty() })
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    system::install("other targets", RUST)?;
    python::prepare(python::TO_CHECK)?;
    let mut checks = Checks::default();
    let mut table = Table::default();
    for target in &options.targets {
        checks.run(&format!("cargo check for {target}"), || check(target, &mut table));
    }
    for platform in PLATFORMS {
        checks.run(&format!("mypy for {platform}"), || {
            Run::new(workspace::venv_program("mypy"))
                .args(["--platform", platform, "python", "extension"])
                .check()
        });
    }
    if options.wine {
        wine::install()?;
        checks.run("tests for Windows, under wine", wine::test);
    }
    println!("\n{table}");
    checks.outcome()
}

fn check(target: &str, table: &mut Table) -> Outcome {
    let mut row = table::Row::new(target);
    let result = cargo("check", target)?
        .args(["--workspace", "--keep-going", "--message-format", "json-render-diagnostics"])
        .check_lines(|line| {
            if !row.takes(line) {
                println!("{line}");
            }
        });
    table.add(row);
    result
}

/// Debian's cargo on the workspace, with the standard library from its source.
fn cargo(command: &str, target: &str) -> Outcome<Run> {
    let tools = c_compiler::write(target)?;
    let variable = target.replace('-', "_");
    Ok(Run::new("/usr/bin/cargo")
        // What rustup's cargo tells the programs that it starts is about its own toolchain.
        .without_env("LD_LIBRARY_PATH")
        .env("PATH", "/usr/bin:/bin")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", folder())
        .env("PYO3_NO_PYTHON", "1")
        .env(&format!("CC_{variable}"), tools.compiler)
        .env(&format!("AR_{variable}"), tools.archiver)
        .env("ZIG_GLOBAL_CACHE_DIR", workspace::target_dir().join("zig"))
        .arg(command)
        .args(["-Zbuild-std=std,panic_unwind", "--locked", "--target", target])
        // A warning in code that only another system compiles is seen here or by nobody.
        .args(["--config", "build.warnings='deny'"]))
}

fn folder() -> PathBuf {
    workspace::target_dir().join("targets")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Outcome<Options> {
        Options::parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn targets_are_named_or_all_are_meant() {
        assert_eq!(parse(&[]).unwrap().targets, DEFAULT);
        let options = parse(&["--wine", "x86_64-pc-windows-msvc"]).unwrap();
        assert_eq!(options.targets, ["x86_64-pc-windows-msvc"]);
        assert!(options.wine);
    }

    #[test]
    fn what_cannot_be_checked_is_refused_before_anything_is_installed() {
        for wrong in ["--vine", "wasm32-unknown-unknown", "linux"] {
            assert!(parse(&[wrong]).is_err_and(|failure| failure.to_string().contains(wrong)));
        }
    }
}
