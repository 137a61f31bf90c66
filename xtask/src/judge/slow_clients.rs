//! slowhttptest: a thousand clients that take their time. Another client is served all the while.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Doing, Failure, Outcome};
use crate::judge::Thoroughness;
use crate::judge::judged::Judged;
use crate::run::Run;
use crate::{system, workspace};

/// Longer than the server gives a client for its headers, so that all of it is seen.
const SECONDS: &str = "25";
/// What the other client waits at most, on a machine that does much else.
const SLOWEST: f64 = 2.0;

/// One way to be slow.
struct Attack {
    about: &'static str,
    options: &'static [&'static str],
    /// Whether it goes through the relay, as what it asks for needs a token.
    with_token: bool,
    path: &'static str,
}

const ATTACKS: &[Attack] = &[
    Attack {
        about: "headers that never end",
        options: &["-H", "-c", "1000", "-r", "200", "-i", "3", "-x", "24"],
        with_token: false,
        path: "/healthz",
    },
    Attack {
        about: "bodies that never end",
        options: &["-B", "-c", "1000", "-r", "200", "-i", "3", "-s", "8192", "-x", "10"],
        with_token: false,
        path: "/api/v1/rpc/echo",
    },
    Attack {
        about: "answers that nobody reads",
        options: &[
            "-X", "-c", "300", "-r", "100", "-w", "512", "-y", "1024", "-n", "5", "-z", "32",
        ],
        with_token: true,
        path: "/a/judged/files/large.bin",
    },
];

pub(super) fn prepare() -> Outcome {
    system::install("slow clients", system::SLOW_CLIENTS)
}

pub(super) fn judge(_thoroughness: Thoroughness) -> Outcome {
    ATTACKS.iter().try_for_each(judge_one)
}

fn judge_one(attack: &Attack) -> Outcome {
    let judged = Judged::start()?;
    let target = if attack.with_token { judged.relay() } else { judged.address() };
    let probe = Probe::start(judged.address())?;
    Run::new("slowhttptest")
        .args(attack.options)
        .args(["-l", SECONDS, "-p", "3", "-v", "0", "-u"])
        .arg(format!("{target}{}", attack.path))
        .output()?;
    let fared = probe.end()?;
    println!("  {}: {fared}", attack.about);
    if fared.asked > 20 && fared.answered == fared.asked && fared.slowest < SLOWEST {
        return Ok(());
    }
    Err(Failure::new(format!("under {}, another client was not served: {fared}", attack.about)))
}

/// A client that asks all the while: `tests/judged/probe.py`.
struct Probe(std::process::Child);

/// How it fared.
struct Fared {
    asked: u64,
    answered: u64,
    slowest: f64,
}

impl Probe {
    fn start(address: &str) -> Outcome<Self> {
        let probe = Command::new(workspace::venv_program("python"))
            .args(["-m", "tests.judged.probe", address])
            .current_dir(workspace::root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .doing(|| "could not start the other client".to_owned())?;
        Ok(Self(probe))
    }

    fn end(mut self) -> Outcome<Fared> {
        let doing = || "could not hear how the other client fared".to_owned();
        drop(self.0.stdin.take());
        let mut said = String::new();
        if let Some(mut output) = self.0.stdout.take() {
            output.read_to_string(&mut said).doing(doing)?;
        }
        self.0.wait().doing(doing)?;
        let said: Value = serde_json::from_str(&said).doing(doing)?;
        let number = |name: &str| said[name].as_u64().unwrap_or_default();
        Ok(Fared {
            asked: number("asked"),
            answered: number("answered"),
            slowest: said["slowest"].as_f64().unwrap_or(f64::INFINITY),
        })
    }
}

impl std::fmt::Display for Fared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, answered, slowest } = self;
        write!(formatter, "{answered} of {asked} answered, the slowest in {slowest:.2} s")
    }
}
