//! What can go wrong, said so that a person knows what to do.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::fetch::Answered;

/// Why a transfer has failed. No text of it holds a password, a query or a header's value.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A wrong argument.
    #[error("{0}")]
    Argument(String),
    /// The disk refused.
    #[error("could not {doing} `{}`", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("another download is writing to `{}`", path.display())]
    Busy { path: PathBuf },
    /// No connection, one that broke, or an answer that is no HTTP.
    #[error("{url}: {what}")]
    Network { url: String, what: String },
    /// The server's certificate is not one that we trust.
    #[error("{url}: {what}")]
    Untrusted { url: String, what: String },
    #[error("{url}: {what} within {} s", limit.as_secs_f64())]
    TimedOut { url: String, what: &'static str, limit: Duration },
    /// An answer that says no: a status of 400 or more.
    #[error("{}: the server answered {}", answer.url, with_reason(answer.status))]
    Status { answer: Box<Answered> },
    /// A redirect that is not followed.
    #[error("{url}: {why}")]
    Redirect { url: String, why: &'static str },
    /// An answer that does not go with what was asked.
    #[error("{url}: {what}")]
    Protocol { url: String, what: String },
    #[error("{url}: what came has the sha256 {actual}, not {expected}")]
    Checksum { url: String, expected: String, actual: String },
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("no address of {} gave it: {}", failures.len(), in_all(failures))]
    Everywhere { failures: Vec<Self> },
    #[error("the transfer was cancelled")]
    Cancelled,
}

impl Failure {
    /// What to do about it, where something can be said.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space and run it again: what has come is kept, and it goes on from there"
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "choose a folder that you may write to"
                }
                io::ErrorKind::NotFound => "check the path; folders are not made",
                _ => return None,
            },
            Self::Busy { .. } => "wait for its end, or choose another path",
            Self::Network { .. } => "check the address and the network",
            Self::Untrusted { .. } => {
                "if the server's authority is private, name its certificates: cafile=\"…/ca.pem\""
            }
            Self::TimedOut { .. } => "try again later, or allow more: timeout=… seconds",
            Self::Status { answer } => return of_status(answer.status).map(str::to_owned),
            Self::Checksum { .. } => {
                "the file on the server is another one, or it was tampered with; nothing was kept"
            }
            Self::TooLarge { .. } => "allow more with limit=…, or download it to a file",
            Self::Everywhere { failures } => {
                return failures.iter().rev().find_map(Self::hint);
            }
            Self::Argument(_) | Self::Redirect { .. } | Self::Protocol { .. } | Self::Cancelled => {
                return None;
            }
        };
        Some(hint.to_owned())
    }

    /// Whether it may well be gone in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Network { .. } | Self::TimedOut { .. } => true,
            Self::Status { answer } => matches!(answer.status, 408 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether another address could do better.
    pub(crate) fn is_of_this_address(&self) -> bool {
        !matches!(self, Self::Argument(_) | Self::File { .. } | Self::Busy { .. } | Self::Cancelled)
    }

    /// Of a client's error; `url` as it may be shown.
    pub(crate) fn of_client(url: String, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let what = causes(&error);
        if is_of_certificate(&error) {
            Self::Untrusted { url, what }
        } else {
            Self::Network { url, what }
        }
    }
}

fn of_status(status: u16) -> Option<&'static str> {
    Some(match status {
        401 | 407 => "send credentials, as in headers={\"Authorization\": \"Bearer …\"}",
        403 => "these credentials may not; ask for access, or send others",
        404 | 410 => "check the address",
        413 => "it takes less than this at once",
        429 => "ask less often",
        500.. => "try again later",
        _ => return None,
    })
}

fn with_reason(status: u16) -> String {
    let reason =
        http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match reason {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

fn in_all(failures: &[Failure]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The error and what is behind it, each said once.
fn causes(error: &dyn Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_owned();
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

fn is_of_certificate(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return matches!(error, rustls::Error::InvalidCertificate(_));
        }
        // tokio-rustls hands its errors on inside of `io::Error`.
        if let Some(error) = cause.downcast_ref::<io::Error>()
            && let Some(inner) = error.get_ref()
            && is_of_certificate(inner)
        {
            return true;
        }
        next = cause.source();
    }
    false
}
