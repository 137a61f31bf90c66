//! The server that is judged: `python -m tests.judged`, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::failure::{Doing, Failure, Outcome};
use crate::judge::report_folder;
use crate::{files, workspace};

/// A server that runs until this is dropped.
pub(super) struct Judged {
    program: Child,
    said: Value,
}

impl Judged {
    pub(super) fn start() -> Outcome<Self> {
        Self::start_with(&[])
    }

    /// With modules of `tests/judged` that offer something besides.
    pub(super) fn start_with(modules: &[&str]) -> Outcome<Self> {
        Self::start_program("tests.judged", modules)
    }

    /// `aiobpy serve`, with workers that only draw.
    pub(super) fn start_fleet() -> Outcome<Self> {
        Self::start_program("tests.judged.fleet", &[])
    }

    fn start_program(program: &str, modules: &[&str]) -> Outcome<Self> {
        let doing = || "could not start the server that is judged".to_owned();
        let settings = report_folder("judged");
        files::create_folder(&settings)?;
        let mut program = Command::new(workspace::venv_program("python"))
            .args(["-m", program])
            .args(modules)
            .current_dir(workspace::root())
            .env("XDG_CONFIG_HOME", settings)
            .env_remove("AIOBPY_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .doing(doing)?;
        let mut line = String::new();
        let output = program.stdout.take().ok_or_else(|| Failure::new(doing()))?;
        BufReader::new(output).read_line(&mut line).doing(doing)?;
        // Stopped when it is dropped, also if it has said nothing of use.
        let mut judged = Self { program, said: Value::Null };
        judged.said = serde_json::from_str(&line).doing(doing)?;
        Ok(judged)
    }

    /// As in `http://127.0.0.1:43210`.
    pub(super) fn address(&self) -> &str {
        self.text("address")
    }

    /// Of a relay that adds the token, for judges that cannot send one.
    pub(super) fn relay(&self) -> &str {
        self.text("relay")
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap_or_default()
    }
}

impl Drop for Judged {
    fn drop(&mut self) {
        // The end of its input tells it to stop.
        drop(self.program.stdin.take());
        let _status = self.program.wait();
    }
}
