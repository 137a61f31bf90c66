//! Who has logged in with a token and goes on with a cookie. Kept in memory: they end with the server.

use std::collections::HashMap;
use std::time::Duration;

use crate::principal::Principal;
use crate::token::{Digest, digest};

/// So many are open at once; then the one that was used least recently ends.
const MOST: usize = 256;
/// A session that is not used for so long has ended.
const IDLE: Duration = Duration::from_hours(12);

/// Sessions by what is known of their cookies. Times are counted from the server's start.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<Digest, Session>);

#[derive(Debug)]
struct Session {
    principal: Principal,
    used: Duration,
}

impl Sessions {
    /// Lets the owner of a cookie in as somebody.
    pub(crate) fn open(&mut self, secret: &[u8], principal: Principal, now: Duration) {
        self.0.retain(|_, session| session.lives(now));
        while self.0.len() >= MOST {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.used);
            let Some(oldest) = oldest.map(|(secret, _)| *secret) else { break };
            self.end_one(oldest);
        }
        self.0.insert(digest(secret), Session { principal, used: now });
    }

    pub(crate) fn find(&mut self, secret: &[u8], now: Duration) -> Option<Principal> {
        let digest = digest(secret);
        let session = self.0.get_mut(&digest)?;
        if !session.lives(now) {
            self.end_one(digest);
            return None;
        }
        session.used = now;
        Some(session.principal.clone())
    }

    /// Ends a session, with all that it has open. Whether there was one.
    pub(crate) fn end(&mut self, secret: &[u8]) -> bool {
        self.end_one(digest(secret))
    }

    fn end_one(&mut self, digest: Digest) -> bool {
        let session = self.0.remove(&digest);
        session.inspect(|session| session.principal.end()).is_some()
    }
}

impl Session {
    fn lives(&self, now: Duration) -> bool {
        !self.principal.has_ended() && now.saturating_sub(self.used) < IDLE
    }
}

#[cfg(test)]
mod tests {
    use aiobpy_wire::Scope;

    use super::*;
    use crate::principal::ExecSwitch;

    const NOW: Duration = Duration::ZERO;

    fn principal() -> Principal {
        Principal::new("token", Scope::Admin, ExecSwitch::default())
    }

    #[test]
    fn a_session_lives_until_it_is_ended_or_left_alone() {
        let mut sessions = Sessions::default();
        sessions.open(b"one", principal(), NOW);
        sessions.open(b"two", principal(), NOW);
        let two = sessions.find(b"two", NOW + IDLE / 2).unwrap();
        assert!(sessions.find(b"one", NOW + IDLE).is_none());
        assert!(sessions.find(b"two", NOW + IDLE).is_some());
        assert!(sessions.end(b"two"));
        assert!(two.has_ended() && sessions.find(b"two", NOW).is_none());
        assert!(!sessions.end(b"two"));
    }

    #[test]
    fn a_session_ends_with_its_device() {
        let (mut sessions, device) = (Sessions::default(), principal());
        sessions.open(b"one", device.in_session(), NOW);
        device.end();
        assert!(sessions.find(b"one", NOW).is_none());
    }

    #[test]
    fn the_one_that_was_used_least_recently_makes_room() {
        let mut sessions = Sessions::default();
        for number in 0..=MOST {
            let now = Duration::from_secs(number.try_into().unwrap());
            sessions.open(number.to_string().as_bytes(), principal(), now);
        }
        assert!(sessions.find(b"0", NOW).is_none());
        assert!(sessions.find(b"1", NOW).is_some());
    }
}
