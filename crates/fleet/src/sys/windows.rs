//! Job objects, and a link by loopback.

mod job;

use std::io::{self, Read};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::thread::Builder;

use tokio::sync::mpsc;
use windows_sys::Win32::System::Threading::{
    BELOW_NORMAL_PRIORITY_CLASS, CREATE_NO_WINDOW, GetCurrentProcess, TerminateProcess,
};

pub(crate) use super::loopback::{Connecting, WorkersEnd, open_link, take_link};
use job::Job;

/// Where a process looks for the folder of its temporary files.
pub(crate) const TEMPORARY_FOLDER: &[&str] = &["TEMP", "TMP"];

/// Not asked for here: what cannot be written is told when it is.
pub(crate) fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

/// A link between threads of one program and another.
pub(crate) type Stream = std::net::TcpStream;
pub(crate) type LinkWriter = tokio::net::tcp::OwnedWriteHalf;

/// A worker and all that it started. Windows ends them, too, when this program ends.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    job: Arc<Job>,
    pid: u32,
}

/// A process that is not left running.
#[derive(Debug)]
pub(crate) struct Process {
    child: Option<Child>,
    group: Group,
}

/// Starts a process in a job of its own.
pub(crate) fn spawn(mut command: Command) -> io::Result<(Group, Process)> {
    let job = Arc::new(Job::create()?);
    let mut child =
        command.creation_flags(BELOW_NORMAL_PRIORITY_CLASS | CREATE_NO_WINDOW).spawn()?;
    if let Err(error) = job.take_in(&child) {
        child.kill()?;
        return Err(error);
    }
    let group = Group { job, pid: child.id() };
    Ok((group.clone(), Process { child: Some(child), group }))
}

impl Group {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn kill(&self) {
        if let Err(error) = self.job.terminate() {
            tracing::warn!(%error, pid = self.pid, "could not kill a worker");
        }
    }
}

impl Process {
    /// Waits for its end, on a thread.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let Some(mut child) = self.child.take() else {
            return Err(io::Error::other("this process was waited for already"));
        };
        tokio::task::spawn_blocking(move || child.wait()).await?
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.kill();
    }
}

/// By which signal a process was ended: there are none here.
pub(crate) fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}

/// What a process prints, read by a thread: such a pipe knows no other way.
#[derive(Debug)]
pub(crate) struct Output {
    chunks: mpsc::Receiver<Vec<u8>>,
    chunk: Vec<u8>,
}

impl Output {
    pub(crate) fn new(mut pipe: io::PipeReader) -> io::Result<Self> {
        let (sender, chunks) = mpsc::channel(16);
        Builder::new().name("aiobpy-worker-output".into()).spawn(move || {
            let mut buffer = vec![0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { chunks, chunk: Vec::new() })
    }

    /// Waits for the next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<&[u8]> {
        self.chunk = self.chunks.recv().await?;
        Some(&self.chunk)
    }
}

/// Kills this process. Those that it started are in the supervisor's job, and end with that.
#[expect(
    unsafe_code,
    reason = "the standard library ends a process only by running what is left to run"
)]
pub(crate) fn kill_this_worker() {
    // SAFETY: the handle of this process is always valid, and the memory that the threads share is gone with
    // all of them.
    let killed = unsafe { TerminateProcess(GetCurrentProcess(), 1) };
    // A process may always kill itself.
    debug_assert!(killed != 0);
}

#[cfg(test)]
pub(crate) fn stream_pair() -> io::Result<(Stream, Stream)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let near = Stream::connect(listener.local_addr()?)?;
    Ok((near, listener.accept()?.0))
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "what is tested is how a process is started")]
    fn shell(script: &str) -> Command {
        let mut command = Command::new("cmd.exe");
        command.args(["/c", script]);
        command
    }

    #[tokio::test]
    async fn what_a_process_prints_and_how_it_ends_is_told() {
        let (reading, writing) = io::pipe().unwrap();
        let mut command = shell("echo rendering& exit 3");
        command.stdout(Stdio::from(writing));
        let (_group, mut process) = spawn(command).unwrap();
        let mut output = Output::new(reading).unwrap();
        let mut printed = Vec::new();
        while let Some(chunk) = output.next().await {
            printed.extend_from_slice(chunk);
        }
        assert_eq!(String::from_utf8(printed).unwrap().trim(), "rendering");
        assert_eq!(process.wait().await.unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn a_process_is_killed_with_what_it_started() {
        let (reading, writing) = io::pipe().unwrap();
        // The inner one holds the output open until it, too, has ended: it waits for input for ever.
        let mut command = shell("cmd.exe /c pause");
        command.stdin(Stdio::piped()).stdout(Stdio::from(writing));
        let (group, mut process) = spawn(command).unwrap();
        let mut output = Output::new(reading).unwrap();
        assert!(output.next().await.is_some());
        group.kill();
        assert_eq!(process.wait().await.unwrap().code(), Some(1));
        while output.next().await.is_some() {}
    }
}
