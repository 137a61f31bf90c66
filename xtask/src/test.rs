//! Every check and every test. What the runners say of themselves is printed last.

use crate::failure::{Failure, Outcome};
use crate::run::Run;
use crate::step::Checks;
use crate::{judge, lint, setup, web, workspace};

pub(crate) fn run() -> Outcome {
    let bed = setup::prepare_to_test()?;
    let trees = std::env::join_paths(&bed.blender_trees).map_err(|error| {
        Failure::new("the folders of the Blenders cannot be handed on").cause(error)
    })?;
    let mut checks = Checks::default();
    let mut summaries = Summaries::default();
    lint::check(&mut checks);
    checks.run("nextest: the crates", || {
        let nextest = Run::new(setup::nextest()?).args([
            "nextest",
            "run",
            "--workspace",
            "--exclude",
            "aiobpy-native",
            "--locked",
            "--features",
            "aiobpy-cli/nats",
        ]);
        // The engine of several nodes is tried on real servers.
        let nextest = nextest.env("AIOBPY_NATS_SERVER", workspace::venv_program("nats-server"));
        summaries.of(nextest, is_summary_of_nextest)
    });
    checks.run("loom: the ready queue", loom);
    checks.run("node: the dashboard's functions", web::test);
    checks.run("pytest: without windows", || {
        summaries.of(pytest("not blender").args(["-n", "2"]), is_summary_of_pytest)
    });
    checks.run("pytest: in real Blenders", || {
        let pytest = pytest("blender")
            .env("AIOBPY_BLENDER_TREES", &trees)
            .env("AIOBPY_EXTENSION", &bed.extension);
        summaries.of(pytest, is_summary_of_pytest)
    });
    judge::judge_quickly(&mut checks);
    println!();
    summaries.print();
    checks.outcome()
}

/// Every interleaving of the threads that meet at the ready queue.
pub(crate) fn loom() -> Outcome {
    Run::new("cargo")
        .args(["test", "--quiet", "--locked", "--package", "aiobpy-reactor", "--lib"])
        .args(["--features", "loom", "models"])
        .check()
}

fn pytest(marker: &str) -> Run {
    Run::new(workspace::venv_program("pytest")).args(["-m", marker, "--color=no", "-rfEs"])
}

/// What each runner said at its end.
#[derive(Default)]
struct Summaries(Vec<String>);

impl Summaries {
    /// Show what a runner prints as it comes, and keep its last summary.
    fn of(&mut self, runner: Run, is_summary: fn(&str) -> bool) -> Outcome {
        let mut summary = None;
        let result = runner.check_lines(|line| {
            println!("{line}");
            if is_summary(line) {
                summary = Some(line.to_owned());
            }
        });
        self.0.extend(summary);
        result
    }

    fn print(&self) {
        for summary in &self.0 {
            println!("{summary}");
        }
    }
}

/// As in `     Summary [   0.512s] 42 tests run: 42 passed, 0 skipped`.
fn is_summary_of_nextest(line: &str) -> bool {
    line.trim_start().starts_with("Summary [")
}

/// As in `42 passed, 1 skipped in 3.21s`, with or without `=` around it.
fn is_summary_of_pytest(line: &str) -> bool {
    let line = line.trim_matches(['=', ' ']);
    let counts = [" passed", " failed", " error", " skipped", " deselected", "no tests ran"];
    line.contains(" in ")
        && counts.iter().any(|count| line.contains(count))
        && line.ends_with(['s', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_own_summaries_are_recognised() {
        assert!(is_summary_of_nextest("     Summary [   0.512s] 42 tests run: 42 passed"));
        assert!(!is_summary_of_nextest("        PASS [   0.010s] xtask"));
        assert!(is_summary_of_pytest("42 passed, 1 skipped in 3.21s"));
        assert!(is_summary_of_pytest("===== 1 failed, 2 passed in 61.21s (0:01:01) ====="));
        assert!(!is_summary_of_pytest("tests/loop/test_loop.py ....."));
    }
}
