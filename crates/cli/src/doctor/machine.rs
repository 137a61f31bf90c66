//! What there is besides Blender: folders, ports, servers, what was left behind.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use aiobpy_server::discovery::{self, Discovery};

use super::finding::Finding;
use crate::{program, sys, target};

const GIB: u64 = 1 << 30;
/// Below, a day of pictures may fill the disk.
const LITTLE: u64 = 2 * GIB;

pub(super) fn ffmpeg() -> Finding {
    let command = ["ffmpeg".to_owned(), "-version".to_owned()];
    match program::run(&command, Duration::from_secs(20)) {
        Ok(finished) if finished.status.is_some_and(|status| status.success()) => {
            let line = finished.printed.lines().next().unwrap_or_default();
            let version = line.split_whitespace().nth(2).unwrap_or(line);
            Finding::ok("ffmpeg", version)
        }
        Ok(_) => {
            Finding::note("ffmpeg", "it does not run", "install it anew: `apt install ffmpeg`")
        }
        Err(error) => {
            let fix = "videos need it: `apt install ffmpeg`";
            Finding::note("ffmpeg", format!("not found: {error}"), fix)
        }
    }
}

pub(super) fn data_folder(folder: &Path) -> Finding {
    const WHAT: &str = "data folder";
    let shown = folder.display();
    if let Err(reason) = try_to_write(folder) {
        return Finding::missing(WHAT, reason, "name another: `aiobpy serve --data DIR`");
    }
    match sys::free_bytes(folder) {
        Some(free) if free < LITTLE => {
            let found = format!("{shown}, with {} MiB free", free >> 20);
            Finding::note(WHAT, found, "make room, or keep jobs for fewer days: `--keep-days`")
        }
        Some(free) => Finding::ok(WHAT, format!("{shown}, with {} GiB free", free / GIB)),
        None => Finding::ok(WHAT, shown.to_string()),
    }
}

/// Where servers say how they are found, which only their user may read.
pub(super) fn discovery_folder() -> Finding {
    const WHAT: &str = "discovery files";
    let Some(folder) = discovery::user_folder() else {
        let fix = "set HOME, or give clients `--url` and `--token`";
        return Finding::missing(WHAT, "there is no home folder to keep them in", fix);
    };
    if !folder.exists() {
        // The first server makes it, for its user alone.
        return Finding::ok(WHAT, format!("none yet; in {}", folder.display()));
    }
    match try_to_write(&folder) {
        Ok(()) => Finding::ok(WHAT, folder.display().to_string()),
        Err(reason) => Finding::missing(WHAT, reason, "make it yours, or set XDG_CONFIG_HOME"),
    }
}

/// Makes a folder, if it is not there, and a file in it; says why that cannot be.
fn try_to_write(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).map_err(|error| format!("{shown} cannot be made: {error}"))?;
    let probe = folder.join(format!(".aiobpy-doctor-{}", std::process::id()));
    std::fs::write(&probe, b"aiobpy")
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|error| format!("{shown} cannot be written: {error}"))
}

pub(super) fn port(wanted: Option<u16>) -> Finding {
    match (TcpListener::bind((Ipv4Addr::LOCALHOST, wanted.unwrap_or(0))), wanted) {
        (Ok(_), None) => Finding::ok("port", "any free one of 127.0.0.1"),
        (Ok(_), Some(port)) => Finding::ok("port", format!("{port} of 127.0.0.1 is free")),
        (Err(error), _) => {
            let port = wanted.map_or_else(|| "any port".to_owned(), |port| format!("port {port}"));
            let found = format!("{port} of 127.0.0.1 cannot be listened at: {error}");
            Finding::missing("port", found, "choose another: `aiobpy serve --port N`")
        }
    }
}

/// The servers that say in their discovery files that they run.
pub(super) fn servers() -> Vec<Finding> {
    const WHAT: &str = "server";
    let running = target::running();
    if running.is_empty() {
        let fix = "start one: `aiobpy serve --templates PATH`";
        return vec![Finding::note(WHAT, "none of this user is running", fix)];
    }
    let of_server = |server: &Discovery| {
        let kind = if server.takes_jobs { "takes jobs" } else { "of a Blender" };
        let found = format!(
            "{} ({kind}), process {}, aiobpy {}",
            server.address, server.pid, server.version
        );
        if server.version == env!("CARGO_PKG_VERSION") {
            Finding::ok(WHAT, found)
        } else {
            Finding::note(WHAT, found, "it is of another version: start it again")
        }
    };
    running.iter().map(of_server).collect()
}

/// Workers whose server has gone; they end by themselves, so that one that is there is a fault.
pub(super) fn leftover_workers() -> Option<Finding> {
    let orphans = sys::orphans(&["-m aiobpy.worker", "aiobpy/worker/__main__.py"]);
    if orphans.is_empty() {
        return None;
    }
    let pids = orphans.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let found = format!("without a server: process {pids}");
    Some(Finding::note("workers", found, format!("end them: `kill -9 {pids}`")))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_told() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = taken.local_addr().unwrap().port();
        assert_eq!(port(Some(number)).state, State::Missing);
        assert_eq!(port(None).state, State::Ok);
    }

    #[test]
    fn a_folder_that_cannot_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let found = data_folder(&folder.path().join("file/data"));
        assert_eq!(found.state, State::Missing);
        assert_ne!(data_folder(&folder.path().join("data")).state, State::Missing);
        assert_eq!(std::fs::read_dir(folder.path().join("data")).unwrap().count(), 0);
    }
}
