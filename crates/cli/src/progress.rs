//! How far jobs are: bars on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use aiobpy_wire::{Event, EventRecord, Job, JobId, JobState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Elsewhere, a line is worth so much more of a job.
const STEP: u64 = 10;
const WHOLE: u64 = 1000;

/// Standard error, and the jobs that it shows.
pub(crate) struct Progress {
    /// On a terminal.
    bars: Option<MultiProgress>,
    shown: HashMap<JobId, Shown>,
}

struct Shown {
    label: String,
    bar: Option<ProgressBar>,
    /// Percent of the last line.
    told: Option<u64>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bars = io::stderr().is_terminal().then(MultiProgress::new);
        Self { bars, shown: HashMap::new() }
    }

    /// Shows a job from now on, as it is.
    pub(crate) fn add(&mut self, job: &Job) {
        let label = format!("{} {}", job.id, job.request.template);
        let bar =
            self.bars.as_ref().map(|bars| bars.add(ProgressBar::new(WHOLE).with_style(style())));
        if let Some(bar) = &bar {
            bar.set_prefix(label.clone());
        }
        self.shown.insert(job.id, Shown { label, bar, told: None });
        let message = match job.state {
            JobState::Queued => "queued",
            JobState::Running => job.message.as_deref().unwrap_or("running"),
            JobState::Finished => "finished",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        };
        self.move_to(job.id, job.progress, message, true);
    }

    /// Shows what has happened to a job; one that is not known yet is added if its story begins here.
    pub(crate) fn take(&mut self, record: &EventRecord) {
        match &record.event {
            Event::JobQueued { job } if !self.shown.contains_key(&job.id) => self.add(job),
            Event::JobStarted { id, worker, .. } => {
                self.move_to(*id, 0.0, &format!("started by worker {worker}"), true);
            }
            Event::JobProgressed { id, progress, message, .. } => {
                self.move_to(*id, *progress, message, false);
            }
            Event::JobRequeued { id, problem, .. } => {
                self.move_to(*id, 0.0, &format!("once more: {}", problem.detail), true);
            }
            Event::JobFinished { id, .. } => self.move_to(*id, 1.0, "finished", true),
            Event::JobFailed { id, problem, .. } => {
                self.end(*id, &format!("failed: {}: {}", problem.title, problem.detail));
            }
            Event::JobCancelled { id } => self.end(*id, "cancelled"),
            _ => {}
        }
    }

    /// Leaves on the terminal what there is.
    pub(crate) fn close(&mut self) {
        for shown in self.shown.values() {
            if let Some(bar) = &shown.bar {
                bar.abandon();
            }
        }
        self.shown.clear();
    }

    fn end(&mut self, id: JobId, message: &str) {
        let Some(shown) = self.shown.get_mut(&id) else { return };
        match &shown.bar {
            Some(bar) => bar.abandon_with_message(message.to_owned()),
            None => say(&format!("{}: {message}", shown.label)),
        }
    }

    fn move_to(&mut self, id: JobId, fraction: f64, message: &str, is_worth_a_line: bool) {
        let Some(shown) = self.shown.get_mut(&id) else { return };
        if let Some(bar) = &shown.bar {
            bar.set_message(message.to_owned());
            bar.set_position(of(WHOLE, fraction));
            return;
        }
        let percent = of(100, fraction);
        if is_worth_a_line || shown.told.is_none_or(|told| percent >= told + STEP) {
            shown.told = Some(percent);
            say(&format!("{}: {percent} % {message}", shown.label));
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {bar:30} {percent:>3} %  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "from 0 to a thousand"
)]
fn of(whole: u64, fraction: f64) -> u64 {
    (fraction.clamp(0.0, 1.0) * whole as f64).round() as u64
}

/// A reader that has gone away is no reason to stop.
fn say(line: &str) {
    let _written_or_closed = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(
            [of(100, 0.5), of(100, 7.0), of(WHOLE, -1.0), of(WHOLE, 0.1234)],
            [50, 100, 0, 123]
        );
    }
}
