//! Formats, lints, types and doors.

use crate::failure::{Failure, Outcome};
use crate::run::Run;
use crate::step::Checks;
use crate::{doors, setup, web, wheel, workspace};

pub(crate) fn run() -> Outcome {
    setup::prepare_to_test()?;
    let mut checks = Checks::default();
    check(&mut checks);
    checks.outcome()
}

/// All checks, on a set-up that is done.
pub(crate) fn check(checks: &mut Checks) {
    checks.run("rustfmt", || {
        Run::new("cargo")
            .args(["fmt", "--all", "--check"])
            .check()
            .map_err(|failure| failure.hint("`cargo fmt --all` puts it right"))
    });
    checks.run("clippy", || {
        Run::new("cargo")
            .args(["clippy", "--workspace", "--all-targets", "--locked"])
            .args(["--features", "aiobpy-native/nats", "--", "-D", "warnings"])
            .check()
    });
    checks.run("clippy: without the engine of several nodes", || {
        Run::new("cargo")
            .args(["clippy", "-p", "aiobpy-cli", "-p", "aiobpy-fleet", "--all-targets"])
            .args(["--locked", "--", "-D", "warnings"])
            .check()
    });
    checks.run("doors: what the sources may not contain", doors::check);
    checks.run("ruff", || {
        let ruff = || Run::new(workspace::venv_program("ruff"));
        ruff().args(["check", "."]).check()?;
        ruff()
            .args(["format", "--check", "."])
            .check()
            .map_err(|failure| failure.hint("`.venv/bin/ruff format .` puts it right"))
    });
    checks.run("mypy", || Run::new(workspace::venv_program("mypy")).check());
    checks.run("stubtest", stubtest);
    web::check(checks);
}

/// Compare `_native.pyi` with the module that is installed.
fn stubtest() -> Outcome {
    if !wheel::site_packages()?.join("aiobpy/_native.abi3.so").is_file() {
        return Err(Failure::new("the wheel is not installed").hint("cargo xtask setup"));
    }
    Run::new(workspace::venv_program("python"))
        .args(["-m", "mypy.stubtest", "--mypy-config-file", "pyproject.toml"])
        .args(["--allowlist", ".config/stubtest-allowlist", "aiobpy._native"])
        .env("MYPYPATH", workspace::root().join("python"))
        .check()
}
