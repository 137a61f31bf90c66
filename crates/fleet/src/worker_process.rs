//! Starts worker processes, keeps what they print last, and ends them.
//!
//! **Invariant:** the only place that starts processes. A worker leads its own process group, and the
//! group is ended whole.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::config::WorkerLaunch;
use crate::last_lines::{AtJob, LastLines};
use crate::pool::{Berth, Device};
use crate::sys::{Group, Output, Process, TEMPORARY_FOLDER, WorkersEnd, signal_of, spawn};

/// How long the output of a process that has ended may stay open: a process that left the group may hold it.
const OUTPUT_LIMIT: Duration = Duration::from_secs(1);

/// The only door to a worker's process.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    group: Group,
}

/// A process and its output, to be waited for with [`Running::ended`].
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    group: Group,
    output: Output,
    at: AtJob,
}

/// How a process ended, and the last lines that it printed.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) how: String,
    /// Whether something outside killed it, and not what it was at.
    pub(crate) was_killed: bool,
    pub(crate) last_lines: String,
}

impl WorkerProcess {
    /// Starts a worker with its end of the link and with `folder` for its temporary files. It sees no
    /// graphics card of the kind of its own but that one.
    pub(crate) fn start(
        berth: &Berth,
        link: WorkersEnd,
        folder: &Path,
        at: AtJob,
    ) -> io::Result<(Self, Running)> {
        let (reading, writing) = io::pipe()?;
        let mut command = command(&berth.launch);
        command.envs(berth.device.iter().flat_map(Device::environment));
        command.env("PYTHONUNBUFFERED", "1");
        command.envs(TEMPORARY_FOLDER.iter().map(|name| (name, folder)));
        command.stdout(writing.try_clone()?).stderr(writing);
        link.give_to(&mut command);
        let (group, process) = spawn(command)?;
        let output = Output::new(reading)?;
        Ok((Self { group: group.clone() }, Running { process, group, output, at }))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.group.pid()
    }

    /// Kills the worker and all that it started.
    pub(crate) fn kill(&self) {
        self.group.kill();
    }
}

impl Running {
    /// Waits for the process to end, reading all that it prints; nothing of its group is left then.
    pub(crate) async fn ended(mut self) -> Ended {
        let mut last_lines = LastLines::of(self.at);
        let status = {
            let mut reading = pin!(read_all(self.output, &mut last_lines));
            let mut all_read = false;
            let status = loop {
                tokio::select! {
                    status = self.process.wait() => break status,
                    () = &mut reading, if !all_read => all_read = true,
                }
            };
            self.group.kill();
            if !all_read && tokio::time::timeout(OUTPUT_LIMIT, reading).await.is_err() {
                tracing::warn!("a process that a worker started outlived it");
            }
            status
        };
        let was_killed = status.as_ref().is_ok_and(|status| was_killed(*status));
        let how = status.map_or_else(|error| error.to_string(), describe);
        Ended { how, was_killed, last_lines: last_lines.text() }
    }
}

async fn read_all(mut output: Output, last_lines: &mut LastLines) {
    while let Some(bytes) = output.next().await {
        last_lines.take(bytes);
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

/// By SIGKILL or SIGTERM: an operator, or a system that is out of memory.
fn was_killed(status: ExitStatus) -> bool {
    matches!(signal_of(status), Some(9 | 15))
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), signal_of(status)) {
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

#[cfg(all(test, unix))]
mod tests {
    use std::path::PathBuf;

    use super::*;

    async fn ended(script: &str) -> Ended {
        ended_on(script, None).await
    }

    /// A worker that is `program`, whatever the arguments that it is given.
    async fn ended_on(script: &str, device: Option<Device>) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("blender");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let launch = WorkerLaunch::Blender { path: program, package_dir: PathBuf::from("/") };
        let (_link, _halves, workers_end) = crate::worker_link::WorkerLink::open().unwrap();
        let berth = Berth { pool: None, launch, device };
        let (process, running) =
            WorkerProcess::start(&berth, workers_end, folder.path(), AtJob::default()).unwrap();
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
        let child: u32 = ended.last_lines.parse().unwrap();
        // It may be a zombie of process 1 for a moment, which cannot hold a file open.
        let state = std::fs::read_to_string(format!("/proc/{child}/stat"));
        assert!(state.is_err() || state.unwrap().contains(") Z "));
    }

    #[tokio::test]
    async fn a_worker_sees_its_own_graphics_card_before_blender_starts() {
        let ended = ended_on("echo $CUDA_VISIBLE_DEVICES", Some("cuda:1".parse().unwrap())).await;
        assert_eq!(ended.last_lines, "1");
    }

    #[tokio::test]
    async fn temporary_files_go_to_the_worker_s_own_folder() {
        let ended = ended("test -d \"$TMPDIR\" && echo there").await;
        assert_eq!(ended.last_lines, "there");
    }
}
