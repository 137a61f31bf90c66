//! The command `aiobpy`: `serve` keeps warm Blenders, `submit` has them render, `watch`, `workers` and
//! `dashboard` show how it goes, `doctor` says what is missing, `compare` shows what two Blenders render
//! differently, `jupyter` makes one a notebook's kernel, `mcp` lets language models call one's methods.
//!
//! **Invariant:** reads arguments, prints, and asks the rooms below. No decision about a job is made
//! here.

mod client;
mod compare;
mod dashboard;
mod doctor;
#[cfg(feature = "nats")]
mod engine;
mod failure;
mod follow;
mod jupyter;
mod mcp;
mod pools;
mod program;
mod progress;
mod serve;
mod submit;
mod sys;
mod table;
mod target;
mod terminal;
pub mod trace;
mod watch;
mod workers;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::terminal::Terminal;

/// What the command knows of the Python that started it; nothing if none did.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The interpreter, which is to run the workers.
    pub python: Option<PathBuf>,
    /// The folder that holds the package `aiobpy`, for the Python inside a real Blender.
    pub package_dir: Option<PathBuf>,
    /// Where the interpreter's environment is: its `sys.prefix`.
    pub prefix: Option<PathBuf>,
}

#[derive(Debug, Parser)]
#[command(name = "aiobpy", version, about = "asyncio for Blender: warm Blenders behind REST")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep Blenders warm and render jobs that come in over HTTP, until interrupted.
    Serve(Box<serve::Arguments>),
    /// Have a running `aiobpy serve` take on a job; with `--output`, wait for its result.
    Submit(submit::Arguments),
    /// Show how far jobs are.
    Watch(watch::Arguments),
    /// Show who works.
    Workers(workers::Arguments),
    /// Say what is missing on this machine, and how to put it right.
    Doctor(doctor::Arguments),
    /// Render the same jobs with several Blenders, and report where the pictures differ.
    Compare(compare::Arguments),
    /// Print a link that opens the page of a running `aiobpy serve`, signed in.
    Dashboard(dashboard::Arguments),
    /// Run NATS servers for a fleet of several nodes, to try it.
    #[cfg(feature = "nats")]
    Engine(engine::Arguments),
    /// Run notebooks inside Blender.
    Jupyter(jupyter::Arguments),
    /// Speak the Model Context Protocol on standard input and output, for a Blender that runs.
    Mcp(mcp::Arguments),
}

/// Runs the command and returns its exit code: 0, 1 if it failed, 2 if the arguments make no sense.
pub fn run(arguments: impl IntoIterator<Item = OsString>, surroundings: Surroundings) -> u8 {
    let mut terminal = Terminal::new();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors, and clap knows where each belongs.
            let _shown_or_closed = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    trace::start();
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(*arguments, surroundings, &mut terminal),
        Command::Submit(arguments) => submit::run(&arguments, &mut terminal),
        Command::Watch(arguments) => watch::run(arguments, &mut terminal),
        Command::Workers(arguments) => workers::run(&arguments, &mut terminal),
        Command::Doctor(arguments) => doctor::run(&arguments, &surroundings, &mut terminal),
        #[cfg(feature = "nats")]
        Command::Engine(arguments) => engine::run(arguments, &surroundings, &mut terminal),
        Command::Compare(arguments) => compare::run(&arguments, surroundings, &mut terminal),
        Command::Dashboard(arguments) => dashboard::run(&arguments, &mut terminal),
        Command::Jupyter(arguments) => jupyter::run(arguments, surroundings, &mut terminal),
        Command::Mcp(arguments) => mcp::run(arguments, &mut terminal),
    };
    match result {
        Ok(()) => 0,
        Err(failure) => {
            terminal.say_failure(&failure);
            1
        }
    }
}
