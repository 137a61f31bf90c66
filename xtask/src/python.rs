//! The virtual environment `.venv`: Python 3.11 with the pinned requirements.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Failure, Outcome};
use crate::run::Run;
use crate::stamp::{Inputs, Stamp};
use crate::step::{already_done, step};
use crate::{cache, download, files, interpreter, workspace};

/// What a chore needs in `.venv`.
pub(crate) const TO_RUN: &[&str] = &["requirements/build.txt", "requirements/worker.txt"];
pub(crate) const TO_CHECK: &[&str] = &["requirements/build.txt", "requirements/test.txt"];
pub(crate) const TO_TEST: &[&str] = &[
    "requirements/build.txt",
    "requirements/worker.txt",
    "requirements/jupyter.txt",
    "requirements/libraries.txt",
    "requirements/test.txt",
    "requirements/web.txt",
];
/// What is had for the Python of each Blender with windows, by the folder in `.venv` that has it.
const FOR_BLENDERS: &[(&str, &[&str])] = &[
    ("blender-libraries", &["requirements/libraries.txt", "requirements/web.txt"]),
    ("blender-jupyter", &["requirements/jupyter.txt"]),
];
pub(crate) const TO_BENCH: &[&str] = &[
    "requirements/build.txt",
    "requirements/worker.txt",
    "requirements/libraries.txt",
    "requirements/test.txt",
    "requirements/bench.txt",
];

/// Make `.venv` hold what the requirement files pin.
pub(crate) fn prepare(requirements: &[&str]) -> Outcome {
    create_venv()?;
    install(requirements)
}

/// Make `.venv`, with nothing in it.
pub(crate) fn create_venv() -> Outcome {
    let name = "virtual environment";
    if interpreter::version_of(&workspace::venv_program("python")).is_some_and(|it| it == "3.11") {
        already_done(name);
        return Ok(());
    }
    step(name, || {
        let python = interpreter::find_for_venv()?;
        println!("  with {}", python.display());
        Run::new(python).args(["-m", "venv", "--clear"]).arg(workspace::venv()).check()
    })
}

fn install(requirements: &[&str]) -> Outcome {
    let inputs = Inputs::of_paths(&workspace::root(), requirements)?;
    // One stamp per set of files: a demo must not undo what the tests installed.
    let names = requirements.concat().replace(['/', '.'], "-");
    let stamp = Stamp::at(workspace::venv().join(format!("installed-{names}")));
    let name = "Python packages";
    if stamp.matches(&inputs) {
        already_done(name);
        return Ok(());
    }
    step(name, || {
        let wheels = download_wheels("wheels", requirements, &[])?;
        install_wheels(requirements, &wheels).check()?;
        stamp.set(&inputs)
    })
}

/// Make an environment for a judge, with what its requirement file pins and nothing of ours, and
/// return the folder of its programs.
pub(crate) fn prepare_judge(name: &str) -> Outcome<PathBuf> {
    let venv = workspace::judge_venv(name);
    prepare_apart(
        &format!("virtual environment of the judge `{name}`"),
        &venv,
        &format!("requirements/judge-{name}.txt"),
    )?;
    Ok(venv.join("bin"))
}

/// Make an environment with what one requirement file pins and nothing of ours.
pub(crate) fn prepare_apart(step_name: &str, venv: &Path, file: &str) -> Outcome {
    let requirements = &[file][..];
    let inputs = Inputs::of_paths(&workspace::root(), requirements)?.and(&venv.to_string_lossy());
    let stamp = Stamp::at(venv.join("installed"));
    if stamp.matches(&inputs) {
        already_done(step_name);
        return Ok(());
    }
    step(step_name, || {
        let wheels = cache::folder().join("wheels-judges");
        let _lock = cache::lock("wheels-judges")?;
        download::wheels_or_sources(requirements, &wheels)?;
        Run::new(workspace::venv_program("python"))
            .args(["-m", "venv", "--clear", "--without-pip"])
            .arg(venv)
            .check()?;
        install_into(venv, file, &wheels)?;
        stamp.set(&inputs)
    })
}

/// Install what a requirement file pins into an environment that has no pip.
pub(crate) fn install_into(venv: &Path, file: &str, wheels: &Path) -> Outcome {
    pip()
        .arg("--python")
        .arg(venv.join("bin/python"))
        .args(["install", "--quiet", "--no-index", "--no-deps", "--find-links"])
        .arg(wheels)
        .args(["-r", file])
        .check()
}

/// Have packages for the Python of each Debian tree, as in `.venv/blender-libraries/3.13`.
pub(crate) fn prepare_blender_packages(trees: &[PathBuf]) -> Outcome {
    for tree in trees {
        let version = version_in_tree(tree)?;
        for (folder, requirements) in FOR_BLENDERS {
            prepare_packages(folder, requirements, &version)?;
        }
    }
    Ok(())
}

fn prepare_packages(folder: &str, requirements: &[&str], version: &str) -> Outcome {
    let name = format!("{folder} for Blenders with Python {version}");
    let folder = workspace::venv().join(folder).join(version);
    let inputs = Inputs::of_paths(&workspace::root(), requirements)?;
    let stamp = Stamp::at(folder.with_extension(format!("{version}-installed")));
    if stamp.matches(&inputs) {
        already_done(&name);
        return Ok(());
    }
    step(&name, || {
        let target = target_of(version);
        let wheels = download_wheels(&format!("wheels-{version}"), requirements, &target)?;
        files::remove(&folder)?;
        install_wheels(requirements, &wheels)
            .args(target)
            .args(["--no-deps", "--only-binary", ":all:", "--target"])
            .arg(&folder)
            .check()?;
        stamp.set(&inputs)
    })
}

/// Pip's options for a Python that is not its own, as in `3.13`.
pub(crate) fn target_of(version: &str) -> [&str; 6] {
    let [older, newer] = PLATFORMS;
    ["--python-version", version, "--platform", older, "--platform", newer]
}

/// What wheels for Linux are named that Debian's Pythons take.
const PLATFORMS: [&str; 2] = ["manylinux2014_x86_64", "manylinux_2_28_x86_64"];

/// As in `3.13`, by what `python3` is a link to.
fn version_in_tree(tree: &Path) -> Outcome<String> {
    let link = tree.join("usr/bin/python3");
    let target =
        fs::read_link(&link).doing(|| format!("could not read the link `{}`", link.display()))?;
    let version = target.to_string_lossy().strip_prefix("python").map(str::to_owned);
    version.ok_or_else(|| {
        Failure::new(format!("`{}` leads to `{}`", link.display(), target.display()))
            .hint("a link to `python3.x` was expected: remove the tree, and it is made anew")
    })
}

/// Have the wheels in a folder of the cache, and return the folder.
pub(crate) fn download_wheels(
    folder: &str,
    requirements: &[&str],
    target: &[&str],
) -> Outcome<PathBuf> {
    let wheels = cache::folder().join(folder);
    let _lock = cache::lock(folder)?;
    download::wheels(requirements, target, &wheels)?;
    Ok(wheels)
}

fn install_wheels(requirements: &[&str], wheels: &Path) -> Run {
    pip()
        .args(["install", "--quiet", "--no-index", "--find-links"])
        .arg(wheels)
        .args(requirements.iter().flat_map(|file| ["-r", file]))
}

/// pip of the virtual environment.
pub(crate) fn pip() -> Run {
    Run::new(workspace::venv_program("python"))
        .args(["-m", "pip", "--disable-pip-version-check"])
        .env("PIP_ROOT_USER_ACTION", "ignore")
}
