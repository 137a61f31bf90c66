//! One step of a chore: it says its name as it runs, and how long it took.

use std::time::Instant;

use crate::failure::{Failure, Outcome};

/// Run a step. The name is a phrase that completes "now: …".
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("\n▶ {name}");
    let started = Instant::now();
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    match &result {
        Ok(_) => println!("✔ {name} ({seconds:.1} s)"),
        Err(failure) => println!("\n{failure}\n✘ {name} ({seconds:.1} s)"),
    }
    result
}

/// Steps that do not need each other: all run, so that one run shows all that is wrong.
#[derive(Default)]
pub(crate) struct Checks {
    failed: Vec<String>,
}

impl Checks {
    /// Run a step, and go on whether it succeeds or not.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Outcome) {
        if step(name, work).is_err() {
            self.failed.push(name.to_owned());
        }
    }

    /// Whether all succeeded.
    pub(crate) fn outcome(self) -> Outcome {
        if self.failed.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("failed: {}", self.failed.join("; ")))
            .hint("each says above, at the line with its ✘, what was wrong"))
    }
}

/// Say that a step has nothing to do.
pub(crate) fn already_done(name: &str) {
    println!("· {name}: already done");
}

/// A line that a person must not miss.
pub(crate) fn warn(message: &str) {
    let rule = "!".repeat(80);
    println!("\n{rule}\n!! {message}\n{rule}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_checks_run_and_those_that_failed_are_named() {
        let mut checks = Checks::default();
        let mut ran = Vec::new();
        checks.run("first", || Err(Failure::new("no")));
        checks.run("second", || {
            ran.push("second");
            Ok(())
        });
        assert_eq!(ran, ["second"]);
        assert!(checks.outcome().unwrap_err().to_string().contains("failed: first"));
        assert!(Checks::default().outcome().is_ok());
    }
}
