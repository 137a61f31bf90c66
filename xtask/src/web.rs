//! The dashboard: built by Vite into the folder where the server's build script looks for it.

use std::path::PathBuf;

use crate::failure::Outcome;
use crate::run::Run;
use crate::stamp::{Inputs, Stamp};
use crate::step::{Checks, already_done, step};
use crate::{files, node, python, workspace};

const SOURCES: &[&str] = &[
    "compress.ts",
    "index.html",
    "package-lock.json",
    "package.json",
    "src",
    "tsconfig.json",
    "vite.config.ts",
];

/// Build it if its sources have changed.
pub(crate) fn build() -> Outcome {
    let name = "dashboard";
    let built = workspace::root().join("crates/server/assets/dashboard");
    let inputs = Inputs::of_paths(&folder(), SOURCES)?;
    let stamp = Stamp::at(built.join(".built"));
    if stamp.matches(&inputs) && built.join("index.html").is_file() {
        already_done(name);
        return Ok(());
    }
    prepare()?;
    step(name, || {
        files::remove(&built.join("assets"))?;
        program("vite/bin/vite.js").arg("build").arg(folder()).check()?;
        stamp.set(&inputs)
    })
}

/// Types, lint, format, and the tests of what asks no browser.
pub(crate) fn check(checks: &mut Checks) {
    checks.run("tsc: the dashboard's types", || {
        prepare()?;
        program("typescript/bin/tsc").args(["--noEmit", "--project"]).arg(folder()).check()
    });
    checks.run("biome: the dashboard", || {
        prepare()?;
        program("@biomejs/biome/bin/biome")
            .within(&folder())
            .args(["check", "--error-on-warnings"])
            .check()
            .map_err(|failure| failure.hint("`npx biome check --write`, in web, puts it right"))
    });
}

/// What asks no browser.
pub(crate) fn test() -> Outcome {
    node::node().arg("--test").arg(folder().join("tests/*.test.ts")).check()
}

fn prepare() -> Outcome {
    let name = "packages of the dashboard";
    let inputs = Inputs::of_paths(&folder(), &[".npmrc", "package.json", "package-lock.json"])?;
    let stamp = Stamp::at(folder().join("node_modules/.installed"));
    if stamp.matches(&inputs) {
        return Ok(());
    }
    python::create_venv()?;
    node::prepare()?;
    step(name, || {
        node::install(&folder())?;
        stamp.set(&inputs)
    })
}

fn program(path: &str) -> Run {
    node::node().arg(folder().join("node_modules").join(path))
}

fn folder() -> PathBuf {
    workspace::root().join("web")
}
