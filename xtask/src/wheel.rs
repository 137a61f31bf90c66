//! The wheel: built once, for the virtual environment and for the extension alike.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::python::pip;
use crate::run::Run;
use crate::stamp::{Inputs, Stamp};
use crate::step::{already_done, step};
use crate::{files, web, workspace};

/// The name that Blender's extension platform understands: any Python from 3.11 on, glibc 2.28.
pub(crate) fn file_name() -> String {
    format!("aiobpy-{}-cp311-abi3-manylinux_2_28_x86_64.whl", workspace::VERSION)
}

const SOURCES: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates",
    "pyproject.toml",
    "python",
    "requirements/build.txt",
];

/// Build the wheel and return where it is.
pub(crate) fn build() -> Outcome<PathBuf> {
    web::build()?;
    let folder = workspace::target_dir().join("wheels");
    let wheel = folder.join(file_name());
    let inputs = Inputs::of_paths(&workspace::root(), SOURCES)?.and("release");
    let stamp = Stamp::at(folder.join("built"));
    let name = "wheel";
    if stamp.matches(&inputs) && wheel.is_file() {
        already_done(name);
        return Ok(wheel);
    }
    step(name, || {
        maturin()
            .args(["build", "--release", "--zig", "--compatibility", "manylinux_2_28", "--out"])
            .arg(&folder)
            .check()?;
        if !wheel.is_file() {
            return Err(Failure::new(format!("maturin did not build `{}`", wheel.display()))
                .hint("look at the name that it printed above; `wheel.rs` expects another"));
        }
        stamp.set(&inputs)
    })?;
    Ok(wheel)
}

/// Build the wheel and install it into the virtual environment.
pub(crate) fn install() -> Outcome<PathBuf> {
    let wheel = build()?;
    let stamp = Stamp::at(workspace::venv().join("installed-wheel"));
    let inputs = Inputs::of_paths(Path::new("/"), &[&wheel.to_string_lossy()])?;
    let name = "install the wheel";
    // A build in place leaves no module in site-packages: then the wheel is installed again.
    if stamp.matches(&inputs) && site_packages()?.join("aiobpy/_native.abi3.so").is_file() {
        already_done(name);
        return Ok(wheel);
    }
    step(name, || {
        pip()
            .args(["install", "--quiet", "--force-reinstall", "--no-deps", "--no-index"])
            .arg(&wheel)
            .check()?;
        stamp.set(&inputs)
    })?;
    Ok(wheel)
}

/// Build in place without optimisation, for work on the code: changes to Python files show at once.
pub(crate) fn develop() -> Outcome {
    web::build()?;
    step("build in place", || {
        files::remove(&workspace::venv().join("installed-wheel"))?;
        maturin().arg("develop").check()
    })
}

/// maturin of the virtual environment, with that environment's ziglang in reach.
fn maturin() -> Run {
    let bin = workspace::venv().join("bin");
    let mut path = OsString::from(&bin);
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    Run::new(bin.join("maturin"))
        .env("PATH", path)
        .env("VIRTUAL_ENV", workspace::venv())
        // Their places in the home folder are not always writable.
        .env("CARGO_ZIGBUILD_CACHE_DIR", workspace::target_dir().join("zigbuild"))
        .env("ZIG_GLOBAL_CACHE_DIR", workspace::target_dir().join("zig"))
}

pub(crate) fn site_packages() -> Outcome<PathBuf> {
    let print = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let output = Run::new(workspace::venv_program("python")).args(["-c", print]).output()?;
    Ok(PathBuf::from(output.trim()))
}
