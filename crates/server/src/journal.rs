//! What clients have asked, as far back as there is room: all of it, and what changed something or was
//! refused. Never a query, a header or a body: secrets are in none of these lists.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// So many requests are kept in each list.
const KEPT: usize = 512;

/// One request and how it was answered.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub at: Timestamp,
    #[serde(serialize_with = "as_text")]
    pub request_id: Arc<str>,
    /// Who asked; `None` for who was not let in, or need not be.
    #[serde(serialize_with = "as_name")]
    pub principal: Option<Arc<str>>,
    /// `None` over a Unix socket.
    pub address: Option<IpAddr>,
    #[serde(serialize_with = "as_text")]
    pub method: Method,
    /// Without the query.
    pub path: String,
    pub status: u16,
    /// Of the answer's body, as far as it was sent.
    pub bytes: u64,
    /// From the request to the end of its answer.
    pub milliseconds: f64,
}

impl Asked {
    /// Whether it may have changed something, as over a WebSocket, or was refused.
    fn is_for_audit(&self) -> bool {
        const NOTABLE: [u16; 5] = [101, 401, 403, 421, 429];
        !self.method.is_safe() || NOTABLE.contains(&self.status)
    }
}

fn as_text<S: Serializer>(text: &impl AsRef<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.as_ref())
}

#[expect(clippy::ref_option, reason = "what serde calls it with")]
fn as_name<S: Serializer>(name: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_deref().serialize(serializer)
}

/// Two rings, so that a flood of readings does not push out who has changed what.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    requests: Mutex<VecDeque<Asked>>,
    audit: Mutex<VecDeque<Asked>>,
}

impl Journal {
    pub(crate) fn write(&self, asked: Asked) {
        if asked.is_for_audit() {
            push(&self.audit, asked.clone());
        }
        push(&self.requests, asked);
    }

    /// The newest requests, newest first.
    pub(crate) fn requests(&self, limit: usize) -> Vec<Asked> {
        newest(&self.requests, limit)
    }

    /// The newest that changed something or were refused, newest first.
    pub(crate) fn audit(&self, limit: usize) -> Vec<Asked> {
        newest(&self.audit, limit)
    }
}

fn push(ring: &Mutex<VecDeque<Asked>>, asked: Asked) {
    let mut ring = lock(ring);
    if ring.len() == KEPT {
        ring.pop_front();
    }
    ring.push_back(asked);
}

fn newest(ring: &Mutex<VecDeque<Asked>>, limit: usize) -> Vec<Asked> {
    lock(ring).iter().rev().take(limit).cloned().collect()
}

fn lock(ring: &Mutex<VecDeque<Asked>>) -> MutexGuard<'_, VecDeque<Asked>> {
    // Nothing that can panic runs under the lock.
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, status: u16, path: &str) -> Asked {
        Asked {
            at: Timestamp::UNIX_EPOCH,
            request_id: "1".into(),
            principal: None,
            address: None,
            method: method.parse().unwrap(),
            path: path.to_owned(),
            status,
            bytes: 0,
            milliseconds: 0.0,
        }
    }

    #[test]
    fn the_audit_has_what_changed_something_or_was_refused() {
        let journal = Journal::default();
        for (method, status) in
            [("GET", 200), ("POST", 200), ("GET", 401), ("GET", 404), ("DELETE", 204), ("ODD", 405)]
        {
            journal.write(asked(method, status, "/"));
        }
        let told = |asked: Vec<Asked>| -> Vec<_> {
            asked.into_iter().map(|asked| (asked.method.to_string(), asked.status)).collect()
        };
        let audit = told(journal.audit(10));
        let wanted = [("ODD", 405), ("DELETE", 204), ("GET", 401), ("POST", 200)];
        assert_eq!(audit, wanted.map(|(method, status)| (method.to_owned(), status)));
        assert_eq!(told(journal.requests(2)).len(), 2);
        assert_eq!(journal.requests(10).len(), 6);
    }

    #[test]
    fn a_flood_of_readings_pushes_out_no_change() {
        let journal = Journal::default();
        journal.write(asked("POST", 200, "/changed"));
        for _ in 0..2 * KEPT {
            journal.write(asked("GET", 200, "/read"));
        }
        assert_eq!(journal.requests(usize::MAX).len(), KEPT);
        assert_eq!(journal.audit(1)[0].path, "/changed");
    }
}
