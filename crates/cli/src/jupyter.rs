//! `aiobpy jupyter`: tells Jupyter of a kernel that runs inside Blender.
//!
//! The kernel itself is Python (`aiobpy.jupyter`); what Jupyter reads is one file of JSON in a folder
//! that it knows.

mod check;
mod kernelspec;
mod launch;
mod place;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::Surroundings;
use crate::failure::Failure;
use crate::terminal::Terminal;
use kernelspec::Kernelspec;
use launch::Launch;
use place::Place;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the kernelspec, after a look whether the kernel can run.
    Install(Install),
    /// Remove a kernelspec that `install` has written.
    Uninstall(Uninstall),
    /// Show the kernelspecs that `install` has written.
    List(List),
}

#[derive(Debug, Args)]
struct Install {
    /// How Jupyter knows the kernel.
    #[arg(long, default_value = "blender", value_parser = kernelspec::parse_name)]
    name: String,
    /// How people know the kernel; Blender's version if left out.
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    place: Place,
    /// A Blender to run the kernel, 4.2 or newer, or a command that starts one; the `bpy` module if
    /// left out.
    #[arg(long, value_name = "PATH_OR_COMMAND")]
    blender: Option<String>,
    /// Open a window: the notebook and the person share one Blender.
    #[arg(long, requires = "blender")]
    gui: bool,
    /// A folder with `ipykernel` for the Python inside Blender.
    #[arg(long, value_name = "DIR")]
    packages: Option<PathBuf>,
    /// A Python that has `aiobpy` and `bpy`; the one that runs this command if left out.
    #[arg(long, value_name = "PATH", env = "AIOBPY_PYTHON", conflicts_with = "blender")]
    python: Option<PathBuf>,
    /// The folder that holds the Python package `aiobpy`, for `--blender`.
    #[arg(long, value_name = "DIR", env = "AIOBPY_PACKAGE_DIR", requires = "blender")]
    package_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Uninstall {
    /// How Jupyter knows the kernel.
    #[arg(long, default_value = "blender", value_parser = kernelspec::parse_name)]
    name: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(
    arguments: Arguments,
    surroundings: Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    match arguments.command {
        Command::Install(arguments) => install(arguments, surroundings, terminal),
        Command::Uninstall(arguments) => uninstall(&arguments, &surroundings, terminal),
        Command::List(arguments) => list(&arguments, &surroundings, terminal),
    }
}

fn install(
    arguments: Install,
    surroundings: Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let kernels = arguments.place.kernels(&surroundings)?;
    let launch = match &arguments.blender {
        Some(command) => Launch::blender(
            command,
            &arguments.package_dir.or(surroundings.package_dir).ok_or_else(|| {
                Failure::new("where the Python package `aiobpy` is, is not known")
                    .with_hint("name the folder that holds it: `--package-dir DIR`")
            })?,
            arguments.packages,
            arguments.gui,
        )?,
        None => Launch::bpy_module(
            arguments.python.or(surroundings.python).unwrap_or_else(|| PathBuf::from("python3")),
            arguments.packages,
        )?,
    };
    let found = check::ask(&launch.check())?;
    let window = if arguments.gui { " with a window" } else { "" };
    let display_name =
        arguments.display_name.unwrap_or_else(|| format!("Blender {}{window}", found.blender));
    let folder = kernels.join(&arguments.name);
    Kernelspec::new(&launch.kernel(), &display_name).write(&folder)?;
    terminal.say(&format!("{}: {display_name}, Python {}", folder.display(), found.python));
    Ok(())
}

fn uninstall(
    arguments: &Uninstall,
    surroundings: &Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let folder = arguments.place.kernels(surroundings)?.join(&arguments.name);
    kernelspec::remove(&folder)?;
    terminal.say(&format!("removed {}", folder.display()));
    Ok(())
}

fn list(
    arguments: &List,
    surroundings: &Surroundings,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    for kernels in arguments.place.all_kernels(surroundings)? {
        found.extend(kernelspec::all_of_ours(&kernels)?);
    }
    if found.is_empty() {
        terminal.say("none; `aiobpy jupyter install` installs one");
    }
    for (folder, kernelspec) in found {
        terminal.say(&format!("{}: {}", folder.display(), kernelspec.display_name()));
    }
    Ok(())
}
