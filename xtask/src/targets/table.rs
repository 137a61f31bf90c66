//! What came out, by target and crate.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::workspace;

/// One row for each target.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

/// How the crates of the workspace fared on a target.
pub(crate) struct Row {
    target: String,
    /// By folder, as in `crates/wire`. A crate that needs one that failed is not here.
    crates: BTreeMap<String, Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Checked,
    Failed,
}

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    fn crates(&self) -> Vec<&str> {
        let mut crates: Vec<&str> =
            self.0.iter().flat_map(|row| row.crates.keys()).map(String::as_str).collect();
        crates.sort_unstable();
        crates.dedup();
        crates
    }
}

impl Row {
    pub(crate) fn new(target: &str) -> Self {
        Self { target: target.to_owned(), crates: BTreeMap::new() }
    }

    /// Notes what a line that cargo printed says of a crate of ours; false for a line for a person.
    pub(crate) fn takes(&mut self, line: &str) -> bool {
        if let Some(name) = failed_crate(line) {
            self.crates.insert(name.to_owned(), Outcome::Failed);
            return false;
        }
        let Ok(message) = serde_json::from_str::<Value>(line) else { return false };
        if let Some(name) = checked_crate(&message) {
            self.crates.entry(name).or_insert(Outcome::Checked);
        }
        true
    }
}

/// As in ``error: could not compile `aiobpy-wire` (lib) due to 5 previous errors``.
fn failed_crate(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("error: could not compile `")?.split_once('`')?;
    Some(short(name))
}

fn checked_crate(message: &Value) -> Option<String> {
    let is_artifact = message["reason"] == "compiler-artifact";
    let is_script = message["target"]["kind"][0] == "custom-build";
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    // Those of the registry and of the standard library lie elsewhere.
    let is_ours = folder.starts_with(workspace::root());
    (is_artifact && !is_script && is_ours)
        .then(|| folder.file_name().map(|name| name.to_string_lossy().into_owned()))?
}

fn short(name: &str) -> &str {
    name.strip_prefix("aiobpy-").unwrap_or(name)
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let crates = self.crates();
        let width = self.0.iter().map(|row| row.target.len()).max().unwrap_or(0);
        write!(formatter, "{:width$}", "")?;
        for name in &crates {
            write!(formatter, "  {name}")?;
        }
        for row in &self.0 {
            write!(formatter, "\n{:width$}", row.target)?;
            for name in &crates {
                let cell = match row.crates.get(*name) {
                    Some(Outcome::Checked) => "yes",
                    Some(Outcome::Failed) => "NO",
                    None => "-",
                };
                write!(formatter, "  {cell:length$}", length = name.len())?;
            }
        }
        write!(formatter, "\n-: needs one that failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(folder: &str, kind: &str) -> String {
        let manifest = workspace::root().join(folder).join("Cargo.toml");
        serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": manifest,
            "target": { "kind": [kind] },
        })
        .to_string()
    }

    #[test]
    fn a_crate_is_checked_failed_or_was_not_reached() {
        let mut windows = Row::new("windows");
        assert!(windows.takes(&artifact("crates/wire", "lib")));
        assert!(windows.takes(&artifact("crates/native", "custom-build")));
        assert!(windows.takes(&artifact("/usr/lib/rustlib/src/rust/library/std", "lib")));
        assert!(windows.takes(&artifact("crates/fleet", "lib")));
        assert!(!windows.takes("error: could not compile `aiobpy-fleet` (lib) due to 1 error"));
        assert!(!windows.takes("error[E0432]: unresolved import"));
        let mut linux = Row::new("linux");
        linux.takes(&artifact("crates/wire", "lib"));
        linux.takes(&artifact("crates/cli", "bin"));
        let mut table = Table::default();
        table.add(windows);
        table.add(linux);
        let expected = "         cli  fleet  wire\nwindows  -    NO     yes \nlinux    yes  -      yes \n\
                        -: needs one that failed";
        assert_eq!(table.to_string(), expected);
    }
}
