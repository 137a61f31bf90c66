//! The virtual environment `.venv`: Python 3.11 with the pinned requirements; and `.venv-4.2` and
//! `.venv-4.5`: the same with an older Blender.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Failure, Outcome};
use crate::run::{Run, find_on_path};
use crate::stamp::{Inputs, Stamp};
use crate::step::{already_done, step};
use crate::{cache, download, files, system, wheel, workspace};

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
/// The other Blenders that have Python 3.11, which `.venv-4.2` and `.venv-4.5` are named after.
const OLDER_BLENDERS: &[&str] = &["4.2", "4.5"];
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
    if version_of(&workspace::venv_program("python")).is_some_and(|version| version == "3.11") {
        already_done(name);
        return Ok(());
    }
    step(name, || {
        let python = find_python()?;
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

/// Make environments that see the packages of `.venv`, but for Blender, which is older there.
pub(crate) fn prepare_older_blenders() -> Outcome {
    OLDER_BLENDERS.iter().try_for_each(|version| prepare_older_blender(version))
}

fn prepare_older_blender(version: &str) -> Outcome {
    let name = format!("virtual environment with Blender {version}");
    let requirements = format!("requirements/blender-{version}.txt");
    let requirements = &[requirements.as_str()][..];
    let venv = workspace::older_blender_venv(version);
    let site_packages = wheel::site_packages()?;
    let inputs = Inputs::of_paths(&workspace::root(), requirements)?
        .and(&workspace::venv().to_string_lossy());
    let stamp = Stamp::at(venv.join("installed"));
    if stamp.matches(&inputs) {
        already_done(&name);
        return Ok(());
    }
    step(&name, || {
        let wheels = download_wheels("wheels", requirements, &[])?;
        Run::new(workspace::venv_program("python"))
            .args(["-m", "venv", "--clear", "--without-pip"])
            .arg(&venv)
            .check()?;
        let own = venv.join("lib/python3.11/site-packages");
        install_wheels(requirements, &wheels).args(["--no-deps", "--target"]).arg(&own).check()?;
        let line = format!("import site; site.addsitedir({:?})\n", site_packages.to_string_lossy());
        let file = own.join("packages-of-venv.pth");
        fs::write(&file, line).doing(|| format!("could not write `{}`", file.display()))?;
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
        let python = venv.join("bin/python");
        pip()
            .arg("--python")
            .arg(python)
            .args(["install", "--quiet", "--no-index", "--no-deps", "--find-links"])
            .arg(wheels)
            .args(["-r", file])
            .check()?;
        stamp.set(&inputs)
    })
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
        let target = ["--python-version", version, "--platform", PLATFORMS[0]];
        let target = [&target[..], &["--platform", PLATFORMS[1]]].concat();
        let wheels = download_wheels(&format!("wheels-{version}"), requirements, &target)?;
        files::remove(&folder)?;
        install_wheels(requirements, &wheels)
            .args(&target)
            .args(["--no-deps", "--only-binary", ":all:", "--target"])
            .arg(&folder)
            .check()?;
        stamp.set(&inputs)
    })
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
fn download_wheels(folder: &str, requirements: &[&str], target: &[&str]) -> Outcome<PathBuf> {
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

fn find_python() -> Outcome<PathBuf> {
    let mut without_venv = None;
    for python in candidates() {
        if version_of(&python).is_none_or(|version| version != "3.11") {
            continue;
        }
        if can_create_venvs(&python) {
            return Ok(python);
        }
        without_venv = Some(python);
    }
    let Some(python) = without_venv else {
        return Err(Failure::new("no Python 3.11 was found").hint(
            "install it (Debian 12: `apt-get install python3 python3-venv`; anywhere: `pyenv \
             install 3.11`) or name one in AIOBPY_PYTHON",
        ));
    };
    system::install("virtual environments", &["python3-venv"])?;
    Ok(python)
}

/// Pythons in order of preference; not all exist, and not all are 3.11.
fn candidates() -> Vec<PathBuf> {
    let named = std::env::var_os("AIOBPY_PYTHON").map(PathBuf::from);
    let on_path = ["python3.11", "python3"].into_iter().filter_map(find_on_path);
    let debian = [PathBuf::from("/usr/bin/python3.11")];
    named.into_iter().chain(pyenv_versions()).chain(on_path).chain(debian).collect()
}

fn pyenv_versions() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    let Some(versions) = root.and_then(|root| fs::read_dir(root.join("versions")).ok()) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
        .into_iter()
        .filter(|folder| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("3.11."))
        })
        .map(|folder| folder.join("bin/python"))
        .collect()
}

/// As in `3.11`; `None` where there is no Python that runs.
fn version_of(python: &Path) -> Option<String> {
    let print = "import sys; print('%d.%d' % sys.version_info[:2])";
    let output = Run::new(python).args(["-c", print]).output().ok()?;
    Some(output.trim().to_owned())
}

fn can_create_venvs(python: &Path) -> bool {
    Run::new(python).args(["-c", "import ensurepip, venv"]).output().is_ok()
}
