//! Autobahn's cases, as kosoku runs them: on the route that Rust answers, and on an ASGI application.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::failure::{Doing, Failure, Outcome};
use crate::judge::judged::Judged;
use crate::judge::{Thoroughness, report_folder};
use crate::run::Run;
use crate::{python, workspace};

const NAME: &str = "websocket";
const ROUTES: &[(&str, &str)] = &[("rust", "/api/v1/echo"), ("asgi", "/a/judged/echo")];
/// Compression, which is not offered: the protocol leaves that to each side.
const NOT_OURS: &[&str] = &["12.*", "13.*"];
/// Megabytes to and fro.
const LONG: &str = "9.*";
/// What the cases call success; the others are ways to fail.
const PASSES: &[&str] = &["OK", "NON-STRICT", "INFORMATIONAL"];

pub(super) fn prepare() -> Outcome {
    python::prepare_judge(NAME).map(|_| ())
}

pub(super) fn judge(thoroughness: Thoroughness) -> Outcome {
    let judged = Judged::start()?;
    ROUTES.iter().try_for_each(|(name, route)| judge_route(&judged, name, route, thoroughness))
}

fn judge_route(judged: &Judged, name: &str, route: &str, thoroughness: Thoroughness) -> Outcome {
    let reports = report_folder(NAME).join(name);
    let without = if thoroughness == Thoroughness::Quick { &[LONG][..] } else { &[] };
    let excluded = NOT_OURS.iter().chain(without).flat_map(|cases| ["-x", cases]);
    Run::new(workspace::judge_venv(NAME).join("bin/kosoku"))
        .args(["-p", "2"])
        .args(excluded)
        .arg("-o")
        .arg(&reports)
        .arg(format!("{}{route}", judged.relay().replace("http://", "ws://")))
        .output()?;
    let index = reports.join("index.json");
    let text =
        fs::read_to_string(&index).doing(|| format!("could not read {}", index.display()))?;
    let verdict = Verdict::of(&text)?;
    println!("  {route}: {verdict}");
    if verdict.failed.is_empty() && verdict.cases > 200 {
        return Ok(());
    }
    Err(Failure::new(format!("cases failed at {route}: {}", verdict.failed.join(", ")))
        .hint(format!("the reports are in {}", reports.display())))
}

/// How the cases went.
struct Verdict {
    cases: usize,
    by_behaviour: BTreeMap<String, usize>,
    failed: Vec<String>,
}

impl Verdict {
    /// Of the index of a report: agents, and for each its cases.
    fn of(index: &str) -> Outcome<Self> {
        let index: Value =
            serde_json::from_str(index).doing(|| "could not read the report".to_owned())?;
        let mut verdict = Self { cases: 0, by_behaviour: BTreeMap::new(), failed: Vec::new() };
        let agents = index.as_object().into_iter().flat_map(|agents| agents.values());
        for (case, outcome) in agents.filter_map(Value::as_object).flatten() {
            let behaviour = outcome["behavior"].as_str().unwrap_or("?");
            let passes = |key: &str| outcome[key].as_str().is_some_and(|it| PASSES.contains(&it));
            if !passes("behavior") || !passes("behaviorClose") {
                verdict.failed.push(format!("{case} ({behaviour})"));
            }
            verdict.cases += 1;
            *verdict.by_behaviour.entry(behaviour.to_owned()).or_default() += 1;
        }
        Ok(verdict)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} cases", self.cases)?;
        for (behaviour, count) in &self.by_behaviour {
            write!(formatter, ", {count} {behaviour}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_is_not_as_it_should_be_is_named() {
        let index = r#"{"agent": {
            "1.1.1": {"behavior": "OK", "behaviorClose": "OK"},
            "6.4.3": {"behavior": "NON-STRICT", "behaviorClose": "OK"},
            "7.1.1": {"behavior": "OK", "behaviorClose": "FAILED"},
            "9.1.1": {"behavior": "FAILED", "behaviorClose": "OK"}}}"#;
        let verdict = Verdict::of(index).unwrap();
        assert_eq!(verdict.failed, ["7.1.1 (OK)", "9.1.1 (FAILED)"]);
        assert_eq!(verdict.to_string(), "4 cases, 1 FAILED, 1 NON-STRICT, 2 OK");
    }
}
