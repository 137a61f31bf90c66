//! `cargo xtask`: every chore of the repository, from a bare machine on.
//!
//! **Invariant:** a step says its name as it runs and is skipped when its inputs have not changed.
//! Nothing that ships depends on this crate; that is why it may start processes and print.
#![expect(clippy::disallowed_methods, reason = "xtask starts processes and measures its steps")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "xtask talks to a person")]

mod bench;
mod blender_modules;
mod blender_tree;
mod cache;
mod demo;
mod doors;
mod download;
mod extension;
mod failure;
mod files;
mod fuzz;
mod interpreter;
mod judge;
mod lint;
mod node;
mod python;
mod run;
mod setup;
mod stamp;
mod step;
mod system;
mod targets;
mod test;
mod web;
mod wheel;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Outcome};

const USAGE: &str = "\
cargo xtask demo [--once] [--out FILE]  render a configured product over REST; sets up what it needs
cargo xtask test                        every check and every test, real Blenders included
cargo xtask lint                        the checks alone: formats, lints, types, doors
cargo xtask bench [NAMES…] [--keep]     the fleet: warm against cold, overhead, scaling, memory; tables and JSON
cargo xtask bench gui [--rounds N]        a Blender with windows: frame rate, idle cost, latency
cargo xtask bench loop [--quick]        the event loop against its rivals; the tables of docs/benchmarks.md
cargo xtask soak [--cpu-minutes N]      thousands of connections that misbehave, for a long time
cargo xtask chaos [--engine nats] [--jobs N] [--only WORD] [--report PAGE]
                                        a fleet that is attacked while jobs flow; nothing may be lost
cargo xtask loom                        every interleaving of the threads at the ready queue
cargo xtask fuzz [TARGET…] [--seconds N]
                                        what parses, on bytes that libFuzzer makes up; 180 s a target
cargo xtask judge [NAME…]               the web server before judges that others wrote
cargo xtask check-targets [--wine] [TARGET…]
                                        type-checks for Windows, macOS and ARM; --wine runs what it can
cargo xtask extension                   dist/aiobpy-<version>.zip, for `Install from Disk` in Blender
cargo xtask web                         the dashboard of `aiobpy serve`; cargo builds it in
cargo xtask setup [--debug]             the set-up of all of these; --debug builds in place, quickly

AIOBPY_CACHE   where downloads and Blenders are kept (default: ~/.cache/aiobpy)
AIOBPY_PYTHON  the Python 3.11 to use (default: found)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "demo" => demo::run(&demo::Options::parse(rest)?),
        "test" => no_arguments(command, rest).and_then(|()| test::run()),
        "lint" => no_arguments(command, rest).and_then(|()| lint::run()),
        "bench" => bench::run(rest),
        "soak" => bench::soak(rest),
        "chaos" => bench::chaos(rest),
        "loom" => no_arguments(command, rest).and_then(|()| test::loom()),
        "fuzz" => fuzz::run(&fuzz::Options::parse(rest)?),
        "judge" => judge::run(rest),
        "check-targets" => targets::run(&targets::Options::parse(rest)?),
        "extension" => no_arguments(command, rest).and_then(|()| extension::run()),
        "web" => no_arguments(command, rest).and_then(|()| web::build()),
        "setup" => setup::run(&setup::Options::parse(rest)?),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        unknown => Err(Failure::new(format!("there is no chore named `{unknown}`")).hint(USAGE)),
    }
}

fn no_arguments(command: &str, rest: &[String]) -> Outcome {
    match rest.first() {
        None => Ok(()),
        Some(argument) => {
            Err(Failure::new(format!("`{command}` does not understand `{argument}`")).hint(USAGE))
        }
    }
}
