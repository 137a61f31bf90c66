//! Fuzzing, with coverage to guide it: libFuzzer on what is in `fuzz/`.
//!
//! cargo-fuzz does the same and wants a nightly compiler. What it asks of one is here: a stable compiler
//! instruments as well, and has the address sanitizer, too.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Doing, Failure, Outcome};
use crate::run::Run;
use crate::step::{Checks, step};
use crate::{files, system, workspace};

/// What libFuzzer is compiled with.
const COMPILER: &[&str] = &["g++"];

const USAGE: &str = "cargo xtask fuzz [TARGET…] [--seconds N]";

/// As cargo-fuzz has them.
const INSTRUMENTED: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Zsanitizer=address",
];

pub(crate) struct Options {
    targets: Vec<String>,
    seconds: u32,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut options = Self { targets: Vec::new(), seconds: 180 };
        let mut rest = arguments.iter();
        let known = targets()?;
        while let Some(argument) = rest.next() {
            if argument == "--seconds" {
                let seconds = rest.next().and_then(|seconds| seconds.parse().ok());
                options.seconds = seconds.filter(|seconds| *seconds > 0).ok_or_else(|| {
                    Failure::new("`--seconds` wants a number above 0").hint(USAGE)
                })?;
            } else if known.contains(argument) {
                options.targets.push(argument.clone());
            } else {
                return Err(Failure::new(format!("there is no fuzz target `{argument}`"))
                    .hint(format!("{USAGE}, where TARGET is one of {}", known.join(", "))));
            }
        }
        if options.targets.is_empty() {
            options.targets = known;
        }
        Ok(options)
    }
}

/// Build the targets and run one after the other; say at the end how far each came.
pub(crate) fn run(options: &Options) -> Outcome {
    system::install("fuzzing", COMPILER)?;
    let host = host()?;
    step("the fuzz targets", || build(&host, &options.targets))?;
    let mut checks = Checks::default();
    let mut said = Vec::new();
    for target in &options.targets {
        checks.run(&format!("fuzz {target}"), || {
            let result = fuzz(&host, target, options.seconds, |line| said.push(line));
            result.map_err(|failure| {
                failure.hint(format!(
                    "what it was given is above, and kept in `{}`; put it into `{}`, where a test \
                     replays it, and mend what it found",
                    artefacts(target).display(),
                    seeds(target).display(),
                ))
            })
        });
    }
    println!();
    for line in said {
        println!("{line}");
    }
    checks.outcome()
}

/// Each has a file of its own.
fn targets() -> Outcome<Vec<String>> {
    let folder = workspace::root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).doing(|| format!("could not read `{}`", folder.display()));
    let names = entries?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

/// As in `x86_64-unknown-linux-gnu`.
fn host() -> Outcome<String> {
    let version = Run::new("rustc").arg("-vV").output()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("`rustc -vV` does not name its host"))
}

fn build(host: &str, targets: &[String]) -> Outcome {
    // The crates that are fuzzed are those that ship.
    let lock = workspace::root().join("fuzz/Cargo.lock");
    fs::copy(workspace::root().join("Cargo.lock"), &lock)
        .doing(|| format!("could not write `{}`", lock.display()))?;
    Run::new("cargo")
        .args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        // Named, so that what runs while it builds is not instrumented.
        .args(["--target", host])
        .args(targets.iter().flat_map(|target| ["--bin", target]))
        .env("CARGO_TARGET_DIR", folder())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", INSTRUMENTED.join(" "))
        .check()
}

fn fuzz(host: &str, target: &str, seconds: u32, mut say: impl FnMut(String) + Send) -> Outcome {
    let (found, artefacts) = (folder().join("corpus").join(target), artefacts(target));
    files::create_folder(&found)?;
    files::create_folder(&artefacts)?;
    let mut coverage = String::new();
    Run::new(folder().join(host).join("release").join(target))
        // What it finds goes to the first; it only reads the second.
        .args([&found, &seeds(target)])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artefacts.display()))
        .args(["-timeout=10", "-print_final_stats=1"])
        // As cargo-fuzz has it: what is compiled with one unit for each crate shares names.
        .env("ASAN_OPTIONS", "detect_odr_violation=0")
        .check_lines(|line| {
            println!("{line}");
            // As in `#2097152 DONE   cov: 512 ft: 1034 corp: 120/8192b …`.
            if let Some((_, counts)) = line.split_once("DONE ") {
                counts.trim().clone_into(&mut coverage);
            }
            if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
                say(format!("{target}: {} runs; {coverage}", count.trim()));
            }
        })
}

fn seeds(target: &str) -> PathBuf {
    workspace::root().join("fuzz/corpus").join(target)
}

fn artefacts(target: &str) -> PathBuf {
    folder().join("artefacts").join(target)
}

fn folder() -> PathBuf {
    workspace::target_dir().join("fuzz")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Outcome<Options> {
        Options::parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn targets_are_named_or_all_are_meant() {
        assert_eq!(parse(&[]).unwrap().targets, targets().unwrap());
        let options = parse(&["wire_messages", "--seconds", "5"]).unwrap();
        assert_eq!((options.targets, options.seconds), (vec!["wire_messages".to_owned()], 5));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for wrong in [&["wire"][..], &["--seconds"], &["--seconds", "0"], &["--second", "5"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn each_target_is_built_and_has_a_corpus() {
        let manifest = fs::read_to_string(workspace::root().join("fuzz/Cargo.toml")).unwrap();
        for target in targets().unwrap() {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            assert!(seeds(&target).read_dir().unwrap().next().is_some(), "{target}");
        }
    }
}
