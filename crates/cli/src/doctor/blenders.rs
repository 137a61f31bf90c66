//! Blenders and Pythons: each is asked what it is, by starting it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::finding::Finding;
use crate::program;

/// How long a Blender may take to say what it is.
const LIMIT: Duration = Duration::from_mins(2);
const MARK: &str = "aiobpy-examination: ";
const OLDEST_BLENDER: [u32; 2] = [4, 2];
const OLDEST_PYTHON: [u32; 2] = [3, 11];

#[derive(Debug, Deserialize)]
struct Examination {
    python: String,
    executable: Option<String>,
    aiobpy: Package,
    blender: Blender,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Package {
    There { version: String },
    Missing { error: String },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Blender {
    There { version: [u32; 3], devices: Vec<String>, ffmpeg: bool, fonts: bool },
    Missing { error: String },
}

/// Looks at a Python, at the Blender in `PATH`, and at those that are named.
pub(super) fn examine(
    python: Option<PathBuf>,
    package: Option<&Path>,
    named: &[PathBuf],
) -> Vec<Finding> {
    let Some(package) = package else {
        let fix = "start the command with `python -m aiobpy doctor`, or give `--package-dir DIR`";
        return vec![Finding::missing("Python package", "where it is, is not known", fix)];
    };
    let script = package.join("aiobpy/worker/examine.py").display().to_string();
    let python = python.unwrap_or_else(|| PathBuf::from("python3"));
    let command = [python.display().to_string(), script.clone()];
    let (mut findings, mut can_render) = of_python(&python, ask(&command));
    let in_path = in_path("blender");
    for blender in in_path.iter().chain(named) {
        let name = blender.display().to_string();
        let options = ["--background", "--factory-startup", "--disable-autoexec", "--python"];
        let mut command = vec![name.clone()];
        command.extend(options.map(str::to_owned));
        command.push(script.clone());
        let is_named = named.contains(blender);
        let (found, is_fit) = of_blender(&name, ask(&command), is_named);
        findings.extend(found);
        can_render |= is_fit;
    }
    if !can_render {
        findings.push(Finding::missing(
            "a Blender to work",
            "neither has this Python a `bpy` that fits, nor is there a Blender that does",
            "`pip install bpy` into this Python, or install Blender 4.2 or newer and give `--blender PATH`",
        ));
    }
    findings
}

/// What was found, and whether it can render.
fn of_python(path: &Path, asked: Result<Examination, String>) -> (Vec<Finding>, bool) {
    let found = match asked {
        Ok(found) => found,
        Err(reason) => {
            let fix = "give `--python PATH`, 3.11 or newer, with `aiobpy` installed";
            let found = format!("{} does not work: {reason}", path.display());
            return (vec![Finding::missing("Python", found, fix)], false);
        }
    };
    let place = found.executable.clone().unwrap_or_else(|| path.display().to_string());
    let told = format!("{} at {place}", found.python);
    let is_old = version(&found.python) < OLDEST_PYTHON;
    let mut findings = vec![if is_old {
        Finding::missing("Python", told, "aiobpy needs Python 3.11 or newer")
    } else {
        Finding::ok("Python", told)
    }];
    findings.extend(mismatch("Python package", &found.aiobpy));
    match &found.blender {
        Blender::Missing { error } => {
            let fix = "`pip install bpy` into this Python, unless a Blender is to do the work";
            findings.push(Finding::note("bpy module", error.clone(), fix));
            (findings, false)
        }
        there @ Blender::There { .. } => {
            let (found, is_fit) = of_build("bpy module", "", there);
            findings.extend(found);
            (findings, is_fit)
        }
    }
}

fn of_blender(
    path: &str,
    asked: Result<Examination, String>,
    is_named: bool,
) -> (Vec<Finding>, bool) {
    let unusable = |found: String| {
        let fix = "give `--blender` the path of Blender 4.2 or newer";
        if is_named {
            Finding::missing("Blender", found, fix)
        } else {
            Finding::note("Blender", found, fix)
        }
    };
    match asked {
        Err(reason) => (vec![unusable(format!("{path} does not work: {reason}"))], false),
        Ok(Examination { blender: Blender::Missing { error }, .. }) => {
            (vec![unusable(format!("{path} is no Blender: {error}"))], false)
        }
        Ok(Examination { blender: Blender::There { version, .. }, .. })
            if version[..2] < OLDEST_BLENDER[..] =>
        {
            (vec![unusable(format!("{} at {path} is too old", text_of(version)))], false)
        }
        Ok(found) => {
            let (mut findings, is_fit) = of_build("Blender", path, &found.blender);
            let mismatch = mismatch("aiobpy in Blender", &found.aiobpy);
            let fits = is_fit && mismatch.is_none();
            findings.extend(mismatch);
            (findings, fits)
        }
    }
}

fn of_build(what: &str, path: &str, blender: &Blender) -> (Vec<Finding>, bool) {
    let Blender::There { version, devices, ffmpeg, fonts } = blender else {
        return (Vec::new(), false);
    };
    let place = if path.is_empty() { String::new() } else { format!(" at {path}") };
    let told = format!("{}{place}", text_of(*version));
    if version[..2] < OLDEST_BLENDER[..] {
        let fix = "`pip install --upgrade bpy`: aiobpy needs 4.2 or newer";
        return (vec![Finding::note(what, format!("{told} is too old"), fix)], false);
    }
    let mut findings = vec![Finding::ok(what, told)];
    findings.push(if devices.is_empty() {
        let fix = "for a graphics card, install its driver; in a container, hand the card over";
        Finding::note("graphics cards", "Blender sees none, and renders on the processor", fix)
    } else {
        Finding::ok("graphics cards", devices.join(", "))
    });
    if !ffmpeg {
        let fix = "videos need a Blender that is built with FFmpeg, as those of blender.org are";
        findings.push(Finding::note("Blender's FFmpeg", "built without", fix));
    }
    if !fonts {
        let fix =
            "install the fonts of this Blender (`datafiles/fonts`): text shows as boxes without";
        findings.push(Finding::note("Blender's fonts", "there are none", fix));
    }
    (findings, true)
}

fn mismatch(what: &str, package: &Package) -> Option<Finding> {
    let ours = env!("CARGO_PKG_VERSION");
    match package {
        Package::There { version } if version == ours => None,
        Package::There { version } => Some(Finding::missing(
            what,
            format!("{version}, and this command is {ours}"),
            "install one version: `pip install --upgrade aiobpy`, and the extension of the same",
        )),
        Package::Missing { error } => Some(Finding::missing(
            what,
            error.clone(),
            "install the wheel that is made for this platform: `pip install aiobpy`",
        )),
    }
}

/// Runs a command and reads the line by which it says what it is.
fn ask(command: &[String]) -> Result<Examination, String> {
    let finished = program::run(command, LIMIT).map_err(|error| error.to_string())?;
    let line = finished.printed.lines().rev().find_map(|line| line.strip_prefix(MARK));
    if let Some(found) = line.and_then(|line| serde_json::from_str(line).ok()) {
        return Ok(found);
    }
    let last = finished.printed.lines().rev().find(|line| !line.trim().is_empty());
    let how = finished.status.map_or_else(|| "it hung".to_owned(), |status| status.to_string());
    Err(last.map_or(how.clone(), |line| format!("{how}: {}", line.trim())))
}

fn in_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn text_of(version: [u32; 3]) -> String {
    version.map(|part| part.to_string()).join(".")
}

/// The first two numbers of `3.11.2`.
fn version(text: &str) -> [u32; 2] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    [parts.next().unwrap_or(0), parts.next().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    fn examination(blender: &str) -> Examination {
        let ours = env!("CARGO_PKG_VERSION");
        let text = format!(
            r#"{{"python": "3.11.2", "executable": "/p", "aiobpy": {{"version": "{ours}"}}, "blender": {blender}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    const GOOD: &str =
        r#"{"version": [5, 0, 1], "path": "", "devices": [], "ffmpeg": true, "fonts": true}"#;

    #[test]
    fn a_python_with_bpy_can_render() {
        let (findings, can_render) = of_python(Path::new("/p"), Ok(examination(GOOD)));
        assert!(can_render);
        assert!(findings.iter().all(|finding| finding.state != State::Missing));
        assert_eq!(findings[1].found, "5.0.1");
    }

    #[test]
    fn a_python_without_bpy_is_worth_a_note() {
        let missing = r#"{"error": "ModuleNotFoundError: No module named 'bpy'"}"#;
        let (findings, can_render) = of_python(Path::new("/p"), Ok(examination(missing)));
        assert!(!can_render);
        assert_eq!(findings[1].state, State::Note);
        assert!(findings[1].fix.as_ref().unwrap().contains("pip install bpy"));
    }

    #[test]
    fn a_blender_that_is_named_and_too_old_is_a_fault() {
        let old = GOOD.replace("5, 0, 1", "3, 4, 1");
        let state =
            |is_named| of_blender("/usr/bin/blender", Ok(examination(&old)), is_named).0[0].state;
        assert_eq!([state(true), state(false)], [State::Missing, State::Note]);
    }

    #[test]
    fn another_version_of_the_package_is_told() {
        let found = mismatch("aiobpy", &Package::There { version: "9.9".to_owned() }).unwrap();
        assert!(found.found.starts_with("9.9, and this command is"));
    }
}
