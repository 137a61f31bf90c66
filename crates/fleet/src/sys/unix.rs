//! Process groups, and a socket pair.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StandardUnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{
    Pid, Signal, getpgrp, getpid, kill_process, kill_process_group, setpriority_process,
};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// Where a process looks for the folder of its temporary files.
pub(crate) const TEMPORARY_FOLDER: &[&str] = &["TMPDIR"];
/// Below the server, so that it answers while Blender renders on every core.
const NICENESS: i32 = 5;

/// A link between threads of one program and another.
pub(crate) type Stream = StandardUnixStream;
pub(crate) type LinkReader = tokio::net::unix::OwnedReadHalf;
pub(crate) type LinkWriter = tokio::net::unix::OwnedWriteHalf;

/// A worker and all that it started: can be killed as long as the worker has not been reaped.
#[derive(Clone, Debug)]
pub(crate) struct Group(Pid);

/// A child that is neither left running nor left a zombie.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Group,
}

/// What this user may still write to the disk that a folder is on; `None` where that cannot be told.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail * found.f_frsize)
}

/// Starts a process that leads a group of its own.
pub(crate) fn spawn(mut command: Command) -> io::Result<(Group, Process)> {
    let child = command.process_group(0).spawn()?;
    let pid = Pid::from_child(&child);
    // A server that answers a little later is no reason not to render.
    if let Err(error) = setpriority_process(Some(pid), NICENESS) {
        tracing::debug!(%error, "could not lower the worker's priority");
    }
    Ok((Group(pid), Process { child, group: Group(pid) }))
}

impl Group {
    pub(crate) fn pid(&self) -> u32 {
        self.0.as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn kill(&self) {
        if let Err(error) = kill_process_group(self.0, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(%error, group = self.0.as_raw_nonzero(), "could not kill a worker");
        }
    }
}

impl Process {
    /// Waits for its end.
    #[cfg(target_os = "linux")]
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        use rustix::process::{PidfdFlags, pidfd_open};
        // Without a thread: the descriptor of a process can be read once it has ended.
        let process = watch(pidfd_open(self.group.0, PidfdFlags::NONBLOCK)?)?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            process.readable().await?.clear_ready();
        }
    }

    /// Waits for its end, on a thread.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let pid = self.group.0;
        // It is left for `self.child` to reap: nobody else may get its number before that.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        tokio::task::spawn_blocking(move || waitid(WaitId::Pid(pid), options).map(drop)).await??;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.group.kill();
            // It was killed: this takes no time.
            if let Err(error) = self.child.wait() {
                tracing::warn!(%error, "could not wait for a worker that was killed");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "tokio cannot know of every `AsRawFd` that it keeps its descriptor")]
fn watch(fd: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    // SAFETY: an `OwnedFd` returns the same open descriptor from `as_raw_fd` until it is dropped,
    // and nothing takes it out of the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

/// By which signal a process was ended.
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// What a process prints.
#[derive(Debug)]
pub(crate) struct Output {
    pipe: pipe::Receiver,
    buffer: Vec<u8>,
}

impl Output {
    pub(crate) fn new(pipe: io::PipeReader) -> io::Result<Self> {
        let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(pipe))?;
        Ok(Self { pipe, buffer: vec![0; 8192] })
    }

    /// Waits for the next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<&[u8]> {
        match self.pipe.read(&mut self.buffer).await {
            Ok(length @ 1..) => Some(&self.buffer[..length]),
            _ => None,
        }
    }
}

/// The supervisor's end of a link.
#[derive(Debug)]
pub(crate) struct Connecting(UnixStream);

/// The end of a link that a worker is to get.
#[derive(Debug)]
pub(crate) struct WorkersEnd(StandardUnixStream);

pub(crate) fn open_link() -> io::Result<(Connecting, WorkersEnd)> {
    let (ours, workers) = StandardUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((Connecting(UnixStream::from_std(ours)?), WorkersEnd(workers)))
}

impl Connecting {
    /// Waits for the worker to take its end: it was born with it.
    #[expect(clippy::unused_async, reason = "elsewhere the worker has to connect")]
    pub(crate) async fn connected(self) -> io::Result<(LinkReader, LinkWriter)> {
        Ok(self.0.into_split())
    }
}

impl WorkersEnd {
    /// Makes it the standard input of what is about to be started.
    pub(crate) fn give_to(self, command: &mut Command) {
        command.stdin(Stdio::from(OwnedFd::from(self.0)));
    }

    #[cfg(test)]
    pub(crate) fn into_stream(self) -> Stream {
        self.0
    }
}

/// Takes the link that this process was started with and puts `/dev/null` in the place of standard input.
///
/// # Errors
///
/// Fails if standard input is no socket.
pub(crate) fn take_link() -> io::Result<Stream> {
    let link = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    // A plain `read` of the link by whatever Blender runs would steal a line.
    rustix::stdio::dup2_stdin(OpenOptions::new().read(true).open("/dev/null")?)?;
    rustix::net::getpeername(&link)?;
    Ok(StandardUnixStream::from(link))
}

/// Kills this process, with its group if it leads one.
pub(crate) fn kill_this_worker() {
    let process = getpid();
    let killed = if getpgrp() == process {
        kill_process_group(process, Signal::KILL)
    } else {
        kill_process(process, Signal::KILL)
    };
    // A process may always kill itself.
    debug_assert!(killed.is_ok());
}

#[cfg(test)]
pub(crate) fn stream_pair() -> io::Result<(Stream, Stream)> {
    StandardUnixStream::pair()
}
