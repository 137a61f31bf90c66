//! What the user sees: lines on standard output, and one line of progress that is written over.

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;

/// Standard output for results, standard error for progress and failures.
///
/// A reader that has gone away is no reason to stop.
pub(crate) struct Terminal {
    is_interactive: bool,
    /// The columns that the progress line covers.
    covered: usize,
    last_line: String,
}

/// The width of the bar, in columns.
const BAR: usize = 30;

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { is_interactive: io::stderr().is_terminal(), covered: 0, last_line: String::new() }
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.end_progress();
        let _written_or_closed = writeln!(io::stdout(), "{line}");
    }

    pub(crate) fn say_failure(&mut self, failure: &Failure) {
        self.end_progress();
        let _written_or_closed = writeln!(io::stderr(), "{failure}");
    }

    /// Shows `fraction`, from 0 to 1: over the last such line on a terminal, as a line of its own
    /// elsewhere.
    pub(crate) fn show_progress(&mut self, fraction: f64, message: &str) {
        let line = progress_line(fraction, message);
        if line == self.last_line {
            return;
        }
        let columns = line.chars().count();
        let _written_or_closed = if self.is_interactive {
            let blank = " ".repeat(self.covered.saturating_sub(columns));
            write!(io::stderr(), "\r{line}{blank}")
        } else {
            writeln!(io::stderr(), "{line}")
        };
        let _flushed_or_closed = io::stderr().flush();
        self.covered = columns;
        self.last_line = line;
    }

    fn end_progress(&mut self) {
        if self.is_interactive && self.covered > 0 {
            let _written_or_closed = writeln!(io::stderr());
        }
        self.covered = 0;
    }
}

fn progress_line(fraction: f64, message: &str) -> String {
    let fraction = fraction.clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns, from 0 to `BAR`"
    )]
    let full = (fraction * BAR as f64).round() as usize;
    let bar = "█".repeat(full) + &"░".repeat(BAR - full);
    format!("{bar} {:>3.0} %  {message}", fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(
            progress_line(0.5, "Sample 32/64"),
            "███████████████░░░░░░░░░░░░░░░  50 %  Sample 32/64"
        );
        assert_eq!(progress_line(7.0, "done"), "██████████████████████████████ 100 %  done");
    }
}
