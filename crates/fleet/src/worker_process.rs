//! Starts worker processes, keeps what they print last, and ends them.
//!
//! **Invariant:** the only place that starts processes. A worker leads its own process group, and the
//! group is ended whole.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, setpriority_process,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::unix::pipe;

use crate::config::WorkerLaunch;
use crate::last_lines::LastLines;

/// Below the server, so that it answers while Blender renders on every core.
const NICENESS: i32 = 5;
/// How long the output of a process that has ended may stay open: a process that left the group may hold it.
const OUTPUT_LIMIT: Duration = Duration::from_secs(1);

/// The only door to a worker's process: its group can be killed as long as it has not been reaped.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    pid: Pid,
}

/// A process and its output, to be waited for with [`Running::ended`].
#[derive(Debug)]
pub(crate) struct Running {
    child: Reaped,
    output: pipe::Receiver,
}

/// A child that is neither left running nor left a zombie.
#[derive(Debug)]
struct Reaped {
    child: Child,
    pid: Pid,
}

/// How a process ended, and the last lines that it printed.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) how: String,
    pub(crate) last_lines: String,
}

impl WorkerProcess {
    /// Starts a worker with `link` as its standard input and `folder` for its temporary files.
    pub(crate) fn start(
        launch: &WorkerLaunch,
        link: OwnedFd,
        folder: &Path,
    ) -> io::Result<(Self, Running)> {
        let (reading, writing) = io::pipe()?;
        let child = command(launch)
            .env("PYTHONUNBUFFERED", "1")
            .env("TMPDIR", folder)
            .stdin(Stdio::from(link))
            .stdout(Stdio::from(writing.try_clone()?))
            .stderr(Stdio::from(writing))
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        // A server that answers a little later is no reason not to render.
        if let Err(error) = setpriority_process(Some(pid), NICENESS) {
            tracing::debug!(%error, "could not lower the worker's priority");
        }
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reading))?;
        Ok((Self { pid }, Running { child: Reaped { child, pid }, output }))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Kills the worker and all that it started.
    pub(crate) fn kill(&self) {
        kill_group(self.pid);
    }
}

impl Running {
    /// Waits for the process to end, reading all that it prints; nothing of its group is left then.
    pub(crate) async fn ended(mut self) -> Ended {
        let mut last_lines = LastLines::default();
        let status = {
            let mut reading = pin!(read_all(self.output, &mut last_lines));
            let mut all_read = false;
            let status = loop {
                tokio::select! {
                    status = self.child.wait() => break status,
                    () = &mut reading, if !all_read => all_read = true,
                }
            };
            kill_group(self.child.pid);
            if !all_read && tokio::time::timeout(OUTPUT_LIMIT, reading).await.is_err() {
                tracing::warn!("a process that a worker started outlived it");
            }
            status
        };
        let how = status.map_or_else(|error| error.to_string(), describe);
        Ended { how, last_lines: last_lines.text() }
    }
}

impl Reaped {
    /// Waits without a thread: the descriptor of a process can be read once it has ended.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let process = watch(pidfd_open(self.pid, PidfdFlags::NONBLOCK)?)?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            process.readable().await?.clear_ready();
        }
    }
}

#[expect(unsafe_code, reason = "tokio cannot know of every `AsRawFd` that it keeps its descriptor")]
fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` returns the same open descriptor from `as_raw_fd` until it is dropped,
    // and nothing takes it out of the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

impl Drop for Reaped {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            kill_group(self.pid);
            // It was killed: this takes no time.
            if let Err(error) = self.child.wait() {
                tracing::warn!(%error, "could not wait for a worker that was killed");
            }
        }
    }
}

async fn read_all(mut output: pipe::Receiver, last_lines: &mut LastLines) {
    let mut buffer = vec![0; 8192];
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        last_lines.take(&buffer[..length]);
    }
    last_lines.end();
}

fn command(launch: &WorkerLaunch) -> Command {
    match launch {
        WorkerLaunch::BpyModule { python } => {
            let mut command = new_command(python);
            command.args(["-m", "aiobpy.worker"]);
            command
        }
        WorkerLaunch::Blender { path, package_dir } => {
            let mut command = new_command(path);
            // Scripts inside a .blend never run by themselves.
            command.args(["--background", "--factory-startup", "--disable-autoexec"]);
            command.args(["--python-exit-code", "1", "--python"]);
            command.arg(package_dir.join("aiobpy/worker/__main__.py"));
            command
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn new_command(program: &Path) -> Command {
    Command::new(program)
}

fn kill_group(group: Pid) {
    if let Err(error) = kill_process_group(group, Signal::KILL)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, group = group.as_raw_nonzero(), "could not kill a worker");
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the worker ended with exit code {code}"),
        (None, Some(signal)) => format!("the worker was ended by signal {signal}{}", named(signal)),
        (None, None) => format!("the worker ended: {status}"),
    }
}

fn named(signal: i32) -> &'static str {
    match signal {
        4 => " (illegal instruction)",
        6 => " (abort)",
        7 => " (bus error)",
        9 => " (killed; out of memory, perhaps)",
        11 => " (segmentation fault)",
        15 => " (asked to end)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A worker that is `program`, whatever the arguments that it is given.
    async fn ended(script: &str) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("blender");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let launch = WorkerLaunch::Blender { path: program, package_dir: PathBuf::from("/") };
        let (_link, _halves, workers_end) = crate::worker_link::WorkerLink::open().unwrap();
        let (process, running) = WorkerProcess::start(&launch, workers_end, folder.path()).unwrap();
        assert!(process.pid() > 0);
        running.ended().await
    }

    #[tokio::test]
    async fn both_outputs_are_kept_in_the_order_in_which_they_came() {
        let ended = ended("echo one; echo two >&2; echo three; exit 3").await;
        assert_eq!(ended.how, "the worker ended with exit code 3");
        assert_eq!(ended.last_lines, "one\ntwo\nthree");
    }

    #[tokio::test]
    async fn a_signal_is_told_by_number_and_name() {
        let ended = ended("echo rendering; kill -SEGV $$").await;
        assert_eq!(ended.how, "the worker was ended by signal 11 (segmentation fault)");
        assert_eq!(ended.last_lines, "rendering");
    }

    #[tokio::test]
    async fn what_a_worker_started_ends_with_it() {
        // The child holds the output open: this comes back at once only if it was killed.
        let ended = ended("sleep 1000 & echo $!").await;
        let child: i32 = ended.last_lines.parse().unwrap();
        let child = Pid::from_raw(child).unwrap();
        // It may be a zombie of process 1 for a moment, which cannot hold a file open.
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
        assert!(state.is_err() || state.unwrap().contains(") Z "));
    }

    #[tokio::test]
    async fn temporary_files_go_to_the_worker_s_own_folder() {
        let ended = ended("test -d \"$TMPDIR\" && echo there").await;
        assert_eq!(ended.last_lines, "there");
    }
}
