//! Errors as a client sees them: RFC 9457 problem details, with a hint that says what to do next.

use serde::{Deserialize, Serialize};

/// An RFC 9457 problem, sent as `application/problem+json`.
///
/// `title` names the kind and never changes for one `kind`; `detail` says what was wrong, with
/// what; `hint` (an extension member) says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable, short word for the kind of problem, as in `unknown-template`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    /// The HTTP status that belongs to it.
    pub status: u16,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// After so many seconds it may be worth another try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// What is wrong with single fields of the request, if fields are to blame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The last lines that a process printed before it died, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash_text: Option<String>,
}

/// One field of a request and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// An RFC 6901 JSON pointer into the request body, as in `/params/colour`.
    pub pointer: String,
    pub detail: String,
}

impl Problem {
    pub fn new(
        status: u16,
        kind: impl Into<String>,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: kind.into(),
            title: title.into(),
            status,
            detail: detail.into(),
            hint: None,
            retry_after: None,
            errors: Vec::new(),
            crash_text: None,
        }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    #[must_use]
    pub fn with_error(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldProblem { pointer: pointer.into(), detail: detail.into() });
        self
    }

    #[must_use]
    pub fn with_crash_text(mut self, crash_text: impl Into<String>) -> Self {
        self.crash_text = Some(crash_text.into());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.title, self.detail)?;
        for error in &self.errors {
            write!(formatter, "\n  {}: {}", error.pointer, error.detail)?;
        }
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
