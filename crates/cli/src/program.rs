//! Runs other programs to their end.
//!
//! **Invariant:** the only file of this crate that starts processes.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
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
}
