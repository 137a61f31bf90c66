//! Runs other programs, to their end or to that of this one.
//!
//! **Invariant:** the only file of this crate that starts processes.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What a program printed, on both outputs, and how it ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) printed: String,
    /// `None` if it was killed, because it took too long.
    pub(crate) status: Option<ExitStatus>,
}

/// Runs a command to its end, without input; kills it at the limit.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub(crate) fn run(command: &[String], limit: Duration) -> io::Result<Finished> {
    let (mut reading, writing) = io::pipe()?;
    let mut child = {
        // The command holds the writing ends until it is dropped.
        let mut command_line = Command::new(&command[0]);
        command_line.args(&command[1..]).stdin(Stdio::null());
        command_line.stdout(writing.try_clone()?).stderr(writing);
        command_line.spawn()?
    };
    let (sender, all) = mpsc::channel();
    // It ends when the last process that holds the output does.
    std::thread::Builder::new().name("aiobpy-program".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        let _what_came_is_enough = reading.read_to_end(&mut bytes);
        let _nobody_waits_any_more = sender.send(bytes);
    })?;
    let printed = all.recv_timeout(limit);
    if printed.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let is_whole = printed.is_ok();
    let printed = String::from_utf8_lossy(&printed.unwrap_or_default()).into_owned();
    Ok(Finished { printed, status: is_whole.then_some(status) })
}

/// A program that runs beside this one, and is killed with it.
#[derive(Debug)]
pub(crate) struct Beside {
    child: Child,
}

#[cfg_attr(not(any(feature = "nats", test)), expect(dead_code, reason = "servers of NATS"))]
impl Beside {
    /// Starts a command without input, and hands on each line that it prints, with its end.
    #[expect(clippy::disallowed_methods, reason = "this is the one door")]
    pub(crate) fn start(
        command: &[String],
        mut hear: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let (reading, writing) = io::pipe()?;
        let child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(writing.try_clone()?)
            .stderr(writing)
            .spawn()?;
        let started = Self { child };
        std::thread::Builder::new().name("aiobpy-beside".to_owned()).spawn(move || {
            let mut reading = BufReader::new(reading);
            let mut line = Vec::new();
            while reading.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                hear(&String::from_utf8_lossy(&line));
                line.clear();
            }
        })?;
        Ok(started)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Finished {
        run(&["sh".to_owned(), "-c".to_owned(), script.to_owned()], limit).unwrap()
    }

    #[test]
    fn what_a_program_prints_is_kept_in_order() {
        let finished = sh("echo one; echo two >&2; exit 3", Duration::from_mins(1));
        assert_eq!(finished.printed, "one\ntwo\n");
        assert_eq!(finished.status.and_then(|status| status.code()), Some(3));
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed() {
        let finished = sh("exec sleep 1000", Duration::from_millis(20));
        assert!(finished.status.is_none());
    }

    #[test]
    fn a_program_beside_this_one_is_heard_and_ends_with_it() {
        let (tell, heard) = mpsc::channel();
        let script = "echo $$; echo ready; exec sleep 1000".to_owned();
        let beside = Beside::start(&["sh".to_owned(), "-c".to_owned(), script], move |line| {
            tell.send(line.trim().to_owned()).unwrap();
        });
        let mut beside = beside.unwrap();
        let pid = heard.recv().unwrap();
        assert_eq!(heard.recv().unwrap(), "ready");
        assert!(!beside.has_ended());
        drop(beside);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
