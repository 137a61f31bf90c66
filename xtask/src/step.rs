//! One step of a chore: it says its name as it runs, and how long it took.

use std::time::Instant;

use crate::failure::Outcome;

/// Run a step. The name is a phrase that completes "now: …".
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("\n▶ {name}");
    let started = Instant::now();
    let result = work()?;
    println!("✔ {name} ({:.1} s)", started.elapsed().as_secs_f64());
    Ok(result)
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
