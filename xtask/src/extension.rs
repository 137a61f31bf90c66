//! The Blender extension's zip, built and checked by Blender's own tool, which the `bpy` wheel brings.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Failure, Outcome};
use crate::run::Run;
use crate::stamp::{Inputs, Stamp};
use crate::step::{already_done, step};
use crate::{files, setup, wheel, workspace};

pub(crate) fn run() -> Outcome {
    setup::prepare_to_run()?;
    let zip = build()?;
    println!("\n{}", zip.display());
    Ok(())
}

/// Build and validate the zip; return where it is.
pub(crate) fn build() -> Outcome<PathBuf> {
    let wheel = wheel::build()?;
    let root = workspace::root();
    let zip = root.join("dist").join(format!("aiobpy-{}.zip", workspace::VERSION));
    let stamp = Stamp::at(workspace::target_dir().join("extension/built"));
    let inputs = Inputs::of_paths(&root, &["extension", &wheel.to_string_lossy()])?;
    let name = "extension";
    if stamp.matches(&inputs) && zip.is_file() {
        already_done(name);
        return Ok(zip);
    }
    step(name, || {
        let staged = stage(&wheel)?;
        let tool = blender_ext()?;
        let dist = root.join("dist");
        files::create_folder(&dist)?;
        files::remove(&zip)?;
        tool_run(&tool)
            .args(["build", "--source-dir"])
            .arg(&staged)
            .arg("--output-filepath")
            .arg(&zip)
            .check()?;
        tool_run(&tool).arg("validate").arg(&zip).check()?;
        stamp.set(&inputs)
    })?;
    Ok(zip)
}

/// Put the extension's files and the wheel into one folder, as the manifest describes it.
fn stage(wheel: &Path) -> Outcome<PathBuf> {
    let source = workspace::root().join("extension");
    let manifest = source.join("blender_manifest.toml");
    let text = fs::read_to_string(&manifest)
        .doing(|| format!("could not read `{}`", manifest.display()))?;
    check_manifest(&text, workspace::VERSION, &wheel::file_name())?;
    let staged = workspace::target_dir().join("extension/staged");
    files::remove(&staged)?;
    let wheels = staged.join("wheels");
    files::create_folder(&wheels)?;
    copy(&manifest, &staged)?;
    copy(&source.join("__init__.py"), &staged)?;
    copy(wheel, &wheels)?;
    Ok(staged)
}

fn copy(file: &Path, folder: &Path) -> Outcome {
    let target = folder.join(file.file_name().unwrap_or_default());
    fs::copy(file, &target)
        .map(|_| ())
        .doing(|| format!("could not copy `{}` to `{}`", file.display(), folder.display()))
}

/// The manifest names a version and a wheel; both follow the workspace.
fn check_manifest(text: &str, version: &str, wheel: &str) -> Outcome {
    for line in [format!("version = \"{version}\""), format!("wheels = [\"./wheels/{wheel}\"]")] {
        if !text.lines().any(|candidate| candidate.trim() == line) {
            return Err(Failure::new("the extension's manifest does not match what is built")
                .hint(format!("in extension/blender_manifest.toml, write: {line}")));
        }
    }
    Ok(())
}

fn tool_run(tool: &Path) -> Run {
    Run::new(workspace::venv_program("python")).arg(tool)
}

/// Blender's `blender_ext.py`, wherever this version of `bpy` keeps it.
fn blender_ext() -> Outcome<PathBuf> {
    let bpy = wheel::site_packages()?.join("bpy");
    let versions = fs::read_dir(&bpy).doing(|| format!("could not list `{}`", bpy.display()))?;
    versions
        .flatten()
        .map(|version| version.path().join("scripts/addons_core/bl_pkg/cli/blender_ext.py"))
        .find(|tool| tool.is_file())
        .ok_or_else(|| Failure::new(format!("`{}` has no blender_ext.py", bpy.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_in_the_repository_matches_what_is_built() {
        let manifest = workspace::root().join("extension/blender_manifest.toml");
        let text = fs::read_to_string(manifest).unwrap();
        check_manifest(&text, workspace::VERSION, &wheel::file_name()).unwrap();
    }

    #[test]
    fn a_manifest_that_lags_behind_is_told_which_line_to_write() {
        let failure = check_manifest("version = \"0.0.1\"\n", "0.0.2", "a.whl").unwrap_err();
        assert!(failure.to_string().contains("write: version = \"0.0.2\""));
    }
}
