//! Where things are in the clone.

use std::path::{Path, PathBuf};

/// The clone's own folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace's folder")
        .to_path_buf()
}

/// aiobpy's version: one for all crates, the wheel and the extension.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Cargo's target folder, which the environment may put elsewhere.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(elsewhere) => root().join(elsewhere),
        None => root().join("target"),
    }
}

pub(crate) fn venv() -> PathBuf {
    root().join(".venv")
}

/// Like `.venv`, with another Blender, as in `.venv-4.5`.
pub(crate) fn blender_module_venv(version: &str) -> PathBuf {
    root().join(format!(".venv-{version}"))
}

/// What a judge is installed into, as in `.venv-judges/http`.
pub(crate) fn judge_venv(name: &str) -> PathBuf {
    root().join(".venv-judges").join(name)
}

/// A program of the virtual environment, as in `pytest`.
pub(crate) fn venv_program(name: &str) -> PathBuf {
    venv().join("bin").join(name)
}
