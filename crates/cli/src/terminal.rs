//! What the user sees: results on standard output, failures on standard error.

use std::io::{self, Stderr, Stdout, Write};

use crate::failure::Failure;

/// A reader that has gone away is no reason to stop.
pub(crate) struct Terminal {
    output: Stdout,
    errors: Stderr,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { output: io::stdout(), errors: io::stderr() }
    }

    pub(crate) fn say(&mut self, line: &str) {
        let _written_or_closed = writeln!(self.output, "{line}");
    }

    pub(crate) fn say_failure(&mut self, failure: &Failure) {
        let _written_or_closed = writeln!(self.errors, "{failure}");
    }
}
