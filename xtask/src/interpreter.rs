//! The Pythons of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::run::{Run, find_on_path};
use crate::system;

/// Find the Python that `.venv` is made with.
pub(crate) fn find_for_venv() -> Outcome<PathBuf> {
    let mut without_venv = None;
    for python in those_of("3.11") {
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

/// Find a Python of this version, as in `3.13`, that can make virtual environments.
pub(crate) fn find(version: &str) -> Option<PathBuf> {
    those_of(version).find(|python| can_create_venvs(python))
}

/// As in `3.11`; `None` where there is no Python that runs.
pub(crate) fn version_of(python: &Path) -> Option<String> {
    let print = "import sys; print('%d.%d' % sys.version_info[:2])";
    let output = Run::new(python).args(["-c", print]).output().ok()?;
    Some(output.trim().to_owned())
}

/// Pythons of a version, in order of preference.
fn those_of(version: &str) -> impl Iterator<Item = PathBuf> {
    let named = std::env::var_os("AIOBPY_PYTHON").map(PathBuf::from);
    let exact = format!("python{version}");
    let on_path = [exact.as_str(), "python3"].into_iter().filter_map(find_on_path);
    let debian = Path::new("/usr/bin").join(&exact);
    let all = named.into_iter().chain(of_pyenv(version)).chain(on_path).chain([debian]);
    let all: Vec<_> = all.collect();
    all.into_iter().filter(move |python| version_of(python).is_some_and(|it| it == version))
}

fn of_pyenv(version: &str) -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    let Some(versions) = root.and_then(|root| fs::read_dir(root.join("versions")).ok()) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let is_wanted = |folder: &PathBuf| {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.starts_with(&format!("{version}.")))
    };
    folders.into_iter().filter(is_wanted).map(|folder| folder.join("bin/python")).collect()
}

fn can_create_venvs(python: &Path) -> bool {
    Run::new(python).args(["-c", "import ensurepip, venv"]).output().is_ok()
}
