//! Judges of the web server that nobody here wrote. Each tries a server of its own, which a Python
//! program serves as an add-on would: `tests/judged`.

mod judged;
mod mcp;
mod openapi;
mod redbot;
mod slow_clients;
mod sslyze;
mod websockets;

use crate::failure::{Failure, Outcome};
use crate::step::Checks;
use crate::{python, wheel, workspace};

/// How thorough a judge is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// Within seconds, for every run of the tests.
    Quick,
    Full,
}

/// One of the judges.
struct Judge {
    name: &'static str,
    /// Completes "judge: …".
    about: &'static str,
    /// Whether it also judges in every run of the tests.
    is_quick: bool,
    /// Has what it needs installed.
    prepare: fn() -> Outcome,
    hear: fn(Thoroughness) -> Outcome,
}

const JUDGES: &[Judge] = &[
    Judge {
        name: "websocket",
        about: "Autobahn's cases for WebSockets, by kosoku",
        is_quick: true,
        prepare: websockets::prepare,
        hear: websockets::judge,
    },
    Judge {
        name: "http",
        about: "the resources of HTTP, by REDbot",
        is_quick: true,
        prepare: redbot::prepare,
        hear: redbot::judge,
    },
    Judge {
        name: "openapi",
        about: "what OpenAPI promises, by schemathesis",
        is_quick: true,
        prepare: openapi::prepare,
        hear: openapi::judge,
    },
    Judge {
        name: "openapi-fleet",
        about: "what OpenAPI promises of a fleet, by schemathesis",
        is_quick: true,
        prepare: openapi::prepare,
        hear: openapi::judge_fleet,
    },
    Judge {
        name: "mcp",
        about: "the Model Context Protocol, by its conformance suite",
        is_quick: true,
        prepare: mcp::prepare,
        hear: mcp::judge,
    },
    Judge {
        name: "tls",
        about: "what TLS offers, by sslyze and Mozilla's recommendation",
        is_quick: false,
        prepare: sslyze::prepare,
        hear: sslyze::judge,
    },
    Judge {
        name: "slow",
        about: "slow clients, by slowhttptest",
        is_quick: false,
        prepare: slow_clients::prepare,
        hear: slow_clients::judge,
    },
];

/// `cargo xtask judge [NAME…]`: those that are named, or all.
pub(crate) fn run(names: &[String]) -> Outcome {
    let judges = chosen(names)?;
    python::prepare(python::TO_TEST)?;
    wheel::install()?;
    let mut checks = Checks::default();
    for judge in judges {
        checks.run(&format!("judge: {}", judge.about), || {
            (judge.prepare)()?;
            (judge.hear)(Thoroughness::Full)
        });
    }
    checks.outcome()
}

/// What the tests need besides.
pub(crate) fn prepare_quick_ones() -> Outcome {
    JUDGES.iter().filter(|judge| judge.is_quick).try_for_each(|judge| (judge.prepare)())
}

/// The quick ones among the checks, on a set-up that is done.
pub(crate) fn judge_quickly(checks: &mut Checks) {
    for judge in JUDGES.iter().filter(|judge| judge.is_quick) {
        checks.run(&format!("judge: {}", judge.about), || (judge.hear)(Thoroughness::Quick));
    }
}

fn chosen(names: &[String]) -> Outcome<Vec<&'static Judge>> {
    if names.is_empty() {
        return Ok(JUDGES.iter().collect());
    }
    let found = names.iter().map(|name| {
        JUDGES.iter().find(|judge| judge.name == name).ok_or_else(|| {
            let known: Vec<&str> = JUDGES.iter().map(|judge| judge.name).collect();
            Failure::new(format!("there is no judge `{name}`"))
                .hint(format!("cargo xtask judge [NAME…], of {}", known.join(", ")))
        })
    });
    found.collect()
}

/// Where a judge leaves its reports.
fn report_folder(name: &str) -> std::path::PathBuf {
    workspace::root().join("out/judges").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Outcome<Vec<&'static str>> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Ok(chosen(&names)?.iter().map(|judge| judge.name).collect())
    }

    #[test]
    fn judges_are_named_or_all_are_meant() {
        assert_eq!(names(&[]).unwrap().len(), JUDGES.len());
        assert_eq!(names(&["tls", "http"]).unwrap(), ["tls", "http"]);
        let failure = names(&["jury"]).unwrap_err().to_string();
        assert!(failure.contains("no judge `jury`") && failure.contains("websocket"), "{failure}");
    }
}
