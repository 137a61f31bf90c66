//! sslyze, which compares what TLS offers with what Mozilla recommends.

use std::path::Path;

use serde_json::Value;

use crate::failure::{Doing, Failure, Outcome};
use crate::judge::judged::Judged;
use crate::judge::{Thoroughness, report_folder};
use crate::run::Run;
use crate::{files, python, workspace};

const NAME: &str = "tls";
/// What is said of the server, and the name under which it says where it listens.
const LISTENERS: &[(&str, &str)] = &[
    ("with a certificate of its own making", "shared"),
    ("with one that was made elsewhere", "certified"),
];
/// Of a private authority, sslyze cannot follow the certificate to one that it knows.
const EXPECTED: &[&str] = &["certificate_path_validation"];

pub(super) fn prepare() -> Outcome {
    python::prepare_judge(NAME).map(|_| ())
}

pub(super) fn judge(_thoroughness: Thoroughness) -> Outcome {
    let judged = Judged::start()?;
    let folder = report_folder(NAME);
    files::create_folder(&folder)?;
    for (what, name) in LISTENERS {
        let issues = issues_of(judged.text(name), &folder.join(format!("{name}.json")))?;
        let wrong: Vec<_> = issues.iter().filter(|it| !is_expected(it)).cloned().collect();
        let expected = issues.len() - wrong.len();
        println!("  {what}: {expected} of {} findings are the private authority", issues.len());
        if !wrong.is_empty() {
            return Err(Failure::new(format!(
                "not as Mozilla recommends, {what}:\n  {}",
                wrong.join("\n  ")
            )));
        }
    }
    Ok(())
}

/// What is not as recommended at an address.
fn issues_of(address: &str, report_file: &Path) -> Outcome<Vec<String>> {
    let mut report = String::new();
    // It ends with a failure when something is not as recommended: what, is read below.
    let ended = Run::new(workspace::judge_venv(NAME).join("bin/python"))
        .args(["-m", "sslyze", "--mozilla_config", "intermediate", address, "--json_out"])
        .arg(report_file)
        .check_lines(|line| {
            report.push_str(line);
            report.push('\n');
        });
    let issues = issues_in(&report).map_err(|failure| match &ended {
        Ok(()) => failure,
        Err(ended) => failure.cause(format!("{ended}\n{report}")),
    })?;
    check_connections(report_file)?;
    Ok(issues)
}

fn is_expected(issue: &str) -> bool {
    EXPECTED.iter().any(|name| issue.starts_with(name))
}

/// What stands below the name of the server in the last part of the report.
fn issues_in(report: &str) -> Outcome<Vec<String>> {
    let Some((_, compliance)) = report.split_once("COMPLIANCE AGAINST") else {
        return Err(Failure::new("sslyze did not compare anything"));
    };
    if compliance.contains("OK - Compliant") {
        return Ok(Vec::new());
    }
    let issues = compliance.lines().filter_map(|line| line.trim().strip_prefix("* "));
    let issues: Vec<String> = issues.map(str::to_owned).collect();
    if issues.is_empty() {
        return Err(Failure::new("sslyze says neither that all is well nor what is not")
            .cause(compliance.trim()));
    }
    Ok(issues)
}

/// A scan that did not come through says nothing.
fn check_connections(report: &Path) -> Outcome {
    let doing = || format!("could not read {}", report.display());
    let text = std::fs::read_to_string(report).doing(doing)?;
    let report: Value = serde_json::from_str(&text).doing(doing)?;
    let scans = report["server_scan_results"].as_array().cloned().unwrap_or_default();
    if scans.len() == 1 && scans.iter().all(|scan| scan["scan_status"] == "COMPLETED") {
        return Ok(());
    }
    Err(Failure::new("sslyze did not get through to the server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_recommended_is_read_from_the_last_part() {
        let report = " * Certificates\n COMPLIANCE AGAINST MOZILLA TLS CONFIGURATION\n \
                      127.0.0.1:4321: FAILED - Not compliant.\n   * certificate_path_validation: \
                      Failed\n   * ciphers: RC4\n";
        let issues = issues_in(report).unwrap();
        assert_eq!(issues.len(), 2);
        assert_eq!(issues.iter().filter(|issue| !is_expected(issue)).count(), 1);
        assert!(issues_in("").is_err());
        assert!(issues_in("COMPLIANCE AGAINST x: OK - Compliant").unwrap().is_empty());
    }
}
