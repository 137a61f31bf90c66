//! Sessions of revision 2025-11-25: what a client said at first, and has asked to be told of.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Asked, Era, LEGACY, Refusal, capabilities, server_info};
use crate::auth::Token;

/// Levels of messages, as RFC 5424 names them, the least first.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// The sessions that there are, the oldest first.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<VecDeque<Arc<Session>>>);

pub(crate) struct Session {
    pub(crate) id: String,
    /// Who has begun it.
    pub(crate) principal: Arc<str>,
    pub(super) capabilities: Value,
    /// Messages below it are not sent.
    pub(super) level: Mutex<String>,
    pub(super) subscriptions: Mutex<BTreeSet<String>>,
    pub(super) ended: CancellationToken,
}

impl Sessions {
    /// So many are kept; then the oldest goes.
    const MOST: usize = 256;

    /// `initialize`
    pub(super) fn begin(&self, asked: &Asked) -> (Arc<Session>, Value) {
        let wanted = asked.params.get("protocolVersion").and_then(Value::as_str);
        let version = wanted.filter(|wanted| LEGACY.contains(wanted)).unwrap_or(LEGACY[0]);
        let session = Arc::new(Session {
            id: Token::random().map(|id| id.as_str().to_owned()).unwrap_or_default(),
            principal: Arc::clone(&asked.caller.principal.name),
            capabilities: asked.params.get("capabilities").cloned().unwrap_or_default(),
            level: Mutex::new("debug".to_owned()),
            subscriptions: Mutex::default(),
            ended: asked.caller.shared.stopping.child_token(),
        });
        let mut sessions = self.lock();
        if sessions.len() >= Self::MOST
            && let Some(oldest) = sessions.pop_front()
        {
            oldest.ended.cancel();
        }
        sessions.push_back(Arc::clone(&session));
        let result = json!({
            "protocolVersion": version,
            "capabilities": capabilities(false),
            "serverInfo": server_info(),
        });
        (session, result)
    }

    /// The session of that id, if whoever asks has begun it.
    pub(crate) fn find(&self, id: &str, principal: &str) -> Option<Arc<Session>> {
        let sessions = self.lock();
        let found = sessions.iter().find(|session| session.id == id)?;
        (*found.principal == *principal).then(|| Arc::clone(found))
    }

    pub(crate) fn end(&self, session: &Arc<Session>) {
        session.ended.cancel();
        self.lock().retain(|other| !Arc::ptr_eq(other, session));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Session>>> {
        lock(&self.0)
    }
}

/// `logging/setLevel`
pub(super) fn set_level(asked: &Asked) -> Result<Value, Refusal> {
    let level = asked.params.get("level").and_then(Value::as_str).unwrap_or_default();
    if !LEVELS.contains(&level) {
        let message = format!("{level:?} is no level; there are {}", LEVELS.join(", "));
        return Err(Refusal::invalid_params(message));
    }
    if let Era::Legacy(Some(session)) = &asked.era {
        level.clone_into(&mut lock(&session.level));
    }
    Ok(json!({}))
}

/// `resources/subscribe` and `resources/unsubscribe`
pub(super) fn subscribe(asked: &Asked) -> Result<Value, Refusal> {
    /// URIs that one client may watch.
    const MOST: usize = 1024;
    let Some(uri) = asked.params.get("uri").and_then(Value::as_str) else {
        return Err(Refusal::invalid_params("`uri` is missing"));
    };
    if let Era::Legacy(Some(session)) = &asked.era {
        let mut subscriptions = lock(&session.subscriptions);
        if asked.method == "resources/unsubscribe" {
            subscriptions.remove(uri);
        } else if subscriptions.len() < MOST {
            subscriptions.insert(uri.to_owned());
        } else {
            let message = format!("{MOST} resources are watched already");
            return Err(Refusal::invalid_params(message));
        }
    }
    Ok(json!({}))
}

/// Whether a message of a level is sent to a client that wants those of another and above.
pub(super) fn is_wanted(level: &str, wanted: &str) -> bool {
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    rank(level) >= rank(wanted)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
