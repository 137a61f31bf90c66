//! Downloads the pinned wheels into the cache, and shows how far it is.

use std::fs;
use std::path::Path;

use crate::failure::{Doing, Failure, Outcome};
use crate::python::pip;
use crate::{files, workspace};

/// From this version on pip can print its progress as plain lines.
const PIP: &str = "pip==26.3";

/// Have a wheel for every pin of the requirement files in `folder`; `target` is pip's options for
/// a Python that is not its own.
pub(crate) fn wheels(requirements: &[&str], target: &[&str], folder: &Path) -> Outcome {
    let download = ["download", "--no-deps", "--only-binary", ":all:", "--progress-bar", "raw"];
    fetch(requirements, &[&download[..], target, &["--dest"]].concat(), folder)
}

/// As [`wheels`], and what has none is built: of packages that are Python alone.
pub(crate) fn wheels_or_sources(requirements: &[&str], folder: &Path) -> Outcome {
    let build = ["wheel", "--no-deps", "--progress-bar", "raw", "--wheel-dir"];
    fetch(requirements, &build, folder)
}

/// Have pip put what is missing into the folder, which `command` names last.
fn fetch(requirements: &[&str], command: &[&str], folder: &Path) -> Outcome {
    files::create_folder(folder)?;
    let missing = missing_pins(requirements, folder)?;
    if missing.is_empty() {
        println!("  all wheels are in {}", folder.display());
        return Ok(());
    }
    println!("  {} of the wheels are missing in {}", missing.len(), folder.display());
    pip().args(["install", "--quiet", PIP]).check().map_err(offline)?;
    let mut progress = Progress::default();
    pip()
        .args(command)
        .arg(folder)
        .args(&missing)
        .check_lines(|line| progress.show(line))
        .map_err(offline)
}

fn offline(failure: Failure) -> Failure {
    failure.hint(
        "pip could not download; look at its message above, check the network, and run this again: \
         what has arrived is kept",
    )
}

fn missing_pins(requirements: &[&str], folder: &Path) -> Outcome<Vec<String>> {
    let entries =
        fs::read_dir(folder).doing(|| format!("could not list `{}`", folder.display()))?;
    let present: Vec<String> =
        entries.flatten().map(|entry| normalised(&entry.file_name().to_string_lossy())).collect();
    let mut missing = Vec::new();
    for file in requirements {
        let path = workspace::root().join(file);
        let text = fs::read_to_string(&path)
            .doing(|| format!("could not read the requirements `{}`", path.display()))?;
        missing.extend(pins(&text).filter(|pin| !is_present(pin, &present)).map(str::to_owned));
    }
    Ok(missing)
}

/// The lines of a requirement file that pin a package, as in `bpy==5.0.1`.
fn pins(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn is_present(pin: &str, present: &[String]) -> bool {
    let prefix = format!("{}-", normalised(&pin.replace("==", "-")));
    present.iter().any(|file| file.starts_with(&prefix) && file.contains(".whl"))
}

/// Wheels write `_` where names have `-` or `.`; the dashes between the parts stay.
fn normalised(name: &str) -> String {
    let (name, rest) = match name.split_once(|letter: char| letter.is_ascii_digit()) {
        Some((start, _)) => name.split_at(start.trim_end_matches('-').len()),
        None => (name, ""),
    };
    format!("{}{rest}", name.replace(['-', '.'], "_").to_lowercase())
}

/// Turns pip's `Progress 1048576 of 393216000` into a line at each tenth of a large file.
#[derive(Default)]
struct Progress {
    tenths: u64,
}

impl Progress {
    const WORTH_SHOWING: u64 = 8 << 20;

    fn show(&mut self, line: &str) {
        if let Some(shown) = self.digest(line) {
            println!("  {shown}");
        }
    }

    fn digest(&mut self, line: &str) -> Option<String> {
        let Some((done, total)) = parse_progress(line) else {
            self.tenths = 0;
            let text = line.trim();
            return (text.starts_with("Downloading") || text.starts_with("ERROR"))
                .then(|| text.to_owned());
        };
        let tenths = done * 10 / total.max(1);
        if total < Self::WORTH_SHOWING || tenths <= self.tenths {
            return None;
        }
        self.tenths = tenths;
        Some(format!("  {} % of {} MB", tenths * 10, total / 1_000_000))
    }
}

fn parse_progress(line: &str) -> Option<(u64, u64)> {
    let (done, total) = line.trim().strip_prefix("Progress ")?.split_once(" of ")?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_found_under_its_normalised_name() {
        let present = [
            "charset_normalizer-3.5.2-cp311-cp311-manylinux.whl",
            "Cython-3.3.1-py3-none-any.whl",
            "bpy-5.0.11-cp311-cp311-manylinux_2_28_x86_64.whl",
        ]
        .map(normalised);
        assert!(is_present("charset-normalizer==3.5.2", &present));
        assert!(is_present("Cython==3.3.1", &present));
        assert!(!is_present("bpy==5.0.1", &present));
    }

    #[test]
    fn comments_and_empty_lines_pin_nothing() {
        assert_eq!(pins("# why\n\nbpy==5.0.1\n").collect::<Vec<_>>(), ["bpy==5.0.1"]);
    }

    #[test]
    fn progress_is_shown_at_each_tenth_of_a_large_file() {
        let mut progress = Progress::default();
        let lines = [
            "Downloading bpy-5.0.1.whl (400 MB)",
            "Progress 1 of 400000000",
            "Progress 40000000 of 400000000",
            "Progress 41000000 of 400000000",
            "Progress 400000000 of 400000000",
            "Downloading small.whl",
            "Progress 1000 of 1000",
        ];
        let shown: Vec<String> = lines.iter().filter_map(|line| progress.digest(line)).collect();
        assert_eq!(
            shown,
            [
                "Downloading bpy-5.0.1.whl (400 MB)",
                "  10 % of 400 MB",
                "  100 % of 400 MB",
                "Downloading small.whl"
            ]
        );
    }
}
