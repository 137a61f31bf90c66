//! Runs programs and says, when one fails, which and how.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::failure::{Doing, Failure, Outcome};
use crate::workspace;

/// A program to run, in the clone's folder unless told otherwise.
pub(crate) struct Run {
    command: Command,
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(workspace::root());
        Self { command }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Run it with its output going straight to the person.
    pub(crate) fn check(mut self) -> Outcome {
        let status = self.command.status().map_err(|error| self.not_started(&error))?;
        self.succeeded(status)
    }

    /// Run it unseen and return what it printed.
    pub(crate) fn output(mut self) -> Outcome<String> {
        let output =
            self.command.stdin(Stdio::null()).output().map_err(|error| self.not_started(&error))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        self.succeeded(output.status).map_err(|failure| failure.cause(errors.trim()))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Run it, hand each line that it prints, on either stream, to `line`.
    pub(crate) fn check_lines(mut self, mut line: impl FnMut(&str) + Send) -> Outcome {
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let (sender, lines) = std::sync::mpsc::channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
            child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        ];
        thread::scope(|scope| {
            for stream in streams.into_iter().flatten() {
                let sender = sender.clone();
                scope.spawn(move || {
                    for text in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                        // The receiver outlives the scope, so that nothing can be lost here.
                        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
                    }
                });
            }
            drop(sender);
            for text in &lines {
                line(&text);
            }
        });
        let status = child.wait().doing(|| format!("could not wait for {}", self.name()))?;
        self.succeeded(status)
    }

    fn succeeded(&self, status: std::process::ExitStatus) -> Outcome {
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("{} ended with {status}", self.name())))
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("could not start {}", self.name())).cause(error)
    }

    /// The command line, without the folders of the programs, as a person would type it.
    fn name(&self) -> String {
        let program = Path::new(self.command.get_program());
        let short = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
        let arguments = self.command.get_args().map(|argument| argument.to_string_lossy());
        let line: Vec<_> = std::iter::once(short).chain(arguments).collect();
        format!("`{}`", line.join(" "))
    }
}

/// Where the shell would find a program.
pub(crate) fn find_on_path(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let failure = Run::new("/bin/sh").args(["-c", "exit 3"]).output().unwrap_err();
        assert!(failure.to_string().contains("`sh -c exit 3` ended with exit status: 3"));
    }

    #[test]
    fn lines_of_both_streams_are_handed_on() {
        let mut lines = Vec::new();
        Run::new("/bin/sh")
            .args(["-c", "echo out; echo err >&2"])
            .check_lines(|line| lines.push(line.to_owned()))
            .unwrap();
        lines.sort();
        assert_eq!(lines, ["err", "out"]);
    }
}
