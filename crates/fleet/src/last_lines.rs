//! The last lines that a process printed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aiobpy_wire::JobId;

const LINES_KEPT: usize = 100;
/// A line longer than this is kept as several.
const LONGEST_LINE: usize = 2000;

/// The job that a process is at, or was last: what it prints is said to be of that.
#[derive(Clone, Debug, Default)]
pub(crate) struct AtJob(Arc<Mutex<Option<Traced>>>);

/// A job, and its place in a trace.
type Traced = (JobId, Option<String>);

impl AtJob {
    /// What is printed from now on is of this job, which has that place in a trace.
    pub(crate) fn begin(&self, job: JobId, traceparent: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((job, traceparent));
    }

    fn say(&self, line: &str) {
        let at = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (job, trace) = at.unzip();
        let (job, trace) = (job.map(tracing::field::display), trace.flatten());
        tracing::debug!(target: "aiobpy_fleet::blender", job, trace, "{line}");
    }
}

#[derive(Debug, Default)]
pub(crate) struct LastLines {
    at: AtJob,
    lines: VecDeque<String>,
    unfinished: Vec<u8>,
}

impl LastLines {
    pub(crate) fn of(at: AtJob) -> Self {
        Self { at, ..Self::default() }
    }

    /// Takes what was printed next, however it was cut.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            // Progress that overwrites its line ends with a carriage return.
            let ended = matches!(byte, b'\n' | b'\r');
            if !ended {
                self.unfinished.push(byte);
            }
            if ended || self.unfinished.len() == LONGEST_LINE {
                self.end();
            }
        }
    }

    /// Nothing more comes: a line without an end is a line, too.
    pub(crate) fn end(&mut self) {
        let line = String::from_utf8_lossy(&self.unfinished).trim_end().to_owned();
        self.unfinished.clear();
        if line.is_empty() {
            return;
        }
        self.at.say(&line);
        if self.lines.len() == LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(chunks: &[&[u8]]) -> String {
        let mut last_lines = LastLines::default();
        for chunk in chunks {
            last_lines.take(chunk);
        }
        last_lines.end();
        last_lines.text()
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        assert_eq!(kept(&[b"Blender 5", b".0.1\nRead", b"y\n"]), "Blender 5.0.1\nReady");
    }

    #[test]
    fn the_last_line_needs_no_end_and_empty_lines_are_left_out() {
        assert_eq!(kept(&[b"one\n\n\r\ntwo"]), "one\ntwo");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let printed = (0..250).map(|number| format!("line {number}")).collect::<Vec<_>>();
        let kept = kept(&[printed.join("\n").as_bytes()]);
        assert_eq!(kept.lines().count(), LINES_KEPT);
        assert!(kept.starts_with("line 150\n") && kept.ends_with("line 249"));
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let kept = kept(&[&[b'x'; 5000]]);
        assert_eq!(kept.lines().map(str::len).collect::<Vec<_>>(), [2000, 2000, 1000]);
    }
}
