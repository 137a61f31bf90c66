//! One thing that was looked at.

use std::fmt;

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    /// Worth knowing; it works without.
    Note,
    /// It does not work without.
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) what: String,
    pub(super) state: State,
    /// What there is.
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Ok, found: found.into(), fix: None }
    }

    pub(super) fn note(
        what: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { state: State::Note, fix: Some(fix.into()), ..Self::ok(what, found) }
    }

    pub(super) fn missing(
        what: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { state: State::Missing, ..Self::note(what, found, fix) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Missing => "missing",
        };
        write!(formatter, "{state:<8} {:<16} {}", self.what, self.found)?;
        match &self.fix {
            Some(fix) => write!(formatter, "\n{:26}{fix}", ""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_there_is() {
        let finding = Finding::missing("bpy", "there is none", "pip install bpy");
        assert_eq!(
            finding.to_string(),
            "missing  bpy              there is none\n                          pip install bpy"
        );
    }
}
