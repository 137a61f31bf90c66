//! All by which somebody is let in: the server's own token, the tokens of devices, and cookies.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{Problem, Scope};
use arc_swap::ArcSwap;

use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::cookies::CookieName;
use crate::devices::Devices;
use crate::error::Failure;
use crate::pairing::Pairing;
use crate::principal::{ExecSwitch, Principal};
use crate::sessions::Sessions;
use crate::tenants::Tenants;
use crate::token::{Token, digest};

/// How long a link is good that signs a browser in.
pub(crate) const LINK_LIFE: Duration = Duration::from_mins(10);

/// Who is let in, and as whom. Times are counted from the server's start.
pub(crate) struct Keys {
    own: ArcSwap<Own>,
    pub(crate) exec: ExecSwitch,
    pub(crate) cookie: CookieName,
    pub(crate) devices: Devices,
    /// The code of the link that signs a browser in, if one is good.
    link: Pairing,
    tenants: Tenants,
    sessions: Mutex<Sessions>,
    backoff: Mutex<Backoff>,
}

/// The server's own token, and who has it.
struct Own {
    token: Token,
    principal: Principal,
}

impl Own {
    fn new(token: Token, exec: &ExecSwitch) -> Self {
        Self { token, principal: Principal::new("token", Scope::Admin, exec.clone()) }
    }
}

impl Keys {
    pub(crate) fn new(
        token: Token,
        tenants: Tenants,
        exec: ExecSwitch,
        cookie: CookieName,
        devices: Devices,
    ) -> Self {
        Self {
            own: ArcSwap::from_pointee(Own::new(token, &exec)),
            exec,
            cookie,
            devices,
            link: Pairing::default(),
            tenants,
            sessions: Mutex::default(),
            backoff: Mutex::default(),
        }
    }

    pub(crate) fn token(&self) -> Token {
        self.own.load().token.clone()
    }

    /// Puts another token in the place of the server's own: who came in by the old one is out.
    pub(crate) fn change_token(&self, token: Token) {
        let before = self.own.swap(Own::new(token, &self.exec).into());
        before.principal.end();
        self.link.close();
    }

    /// Makes the code of a link that signs one browser in as whoever has the server's own token.
    pub(crate) fn open_link(&self, now: Duration) -> Result<String, Problem> {
        self.link.open_for(now, LINK_LIFE)
    }

    /// Who sends the code of a link. Wrong ones count as wrong tokens do.
    pub(crate) fn by_link(
        &self,
        code: &str,
        connection: Option<&Connection>,
        now: Duration,
    ) -> Result<Principal, Failure> {
        let address = address_of(connection);
        self.may_try(address, now)?;
        match self.link.claim(code, now) {
            Ok(()) => Ok(self.own.load().principal.clone()),
            Err(Failure::WrongCode) => {
                Err(self.wrong(address, code.as_bytes(), now, Failure::WrongLink))
            }
            Err(_spent) => Err(Failure::LinkExpired),
        }
    }

    /// Who sends a token. Whoever has sent too many wrong ones is not listened to for a while.
    pub(crate) fn by_token(
        &self,
        token: &[u8],
        connection: Option<&Connection>,
        now: Duration,
    ) -> Result<Principal, Failure> {
        let address = address_of(connection);
        self.may_try(address, now)?;
        let own = self.own.load();
        if own.token.matches(token) {
            return Ok(own.principal.clone());
        }
        let other = self.devices.find(token, now).or_else(|| self.tenants.find(token));
        other.ok_or_else(|| self.wrong(address, token, now, Failure::WrongToken))
    }

    /// Who sends a cookie. One that has ended is no guess: browsers send them for long.
    pub(crate) fn by_cookie(&self, secret: &str, now: Duration) -> Result<Principal, Failure> {
        let found = lock(&self.sessions).find(secret.as_bytes(), now);
        let found = found.or_else(|| self.devices.find(secret.as_bytes(), now));
        found.ok_or(Failure::EndedSession)
    }

    /// Opens a session, and returns what its cookie is to say.
    pub(crate) fn log_in(&self, principal: &Principal, now: Duration) -> Result<Token, Problem> {
        let secret = Token::random()?;
        let principal = principal.in_session();
        lock(&self.sessions).open(secret.as_str().as_bytes(), principal, now);
        Ok(secret)
    }

    /// Ends the session of a cookie; one that is a device's token ends the device.
    pub(crate) fn log_out(&self, secret: &str, now: Duration) -> Result<(), Problem> {
        if lock(&self.sessions).end(secret.as_bytes()) {
            return Ok(());
        }
        let device = self.devices.find(secret.as_bytes(), now);
        if let Some(device) = device.and_then(|principal| self.devices.of(&principal)) {
            self.devices.revoke(&device.id)?;
        }
        Ok(())
    }

    /// # Errors
    /// The address has guessed too often.
    pub(crate) fn may_try(&self, address: IpAddr, now: Duration) -> Result<(), Failure> {
        match lock(&self.backoff).wait(address, now) {
            Some(wait) => Err(Failure::TooManyWrong { wait }),
            None => Ok(()),
        }
    }

    /// Notes a wrong secret, and returns what to answer.
    pub(crate) fn wrong(
        &self,
        address: IpAddr,
        secret: &[u8],
        now: Duration,
        usual: Failure,
    ) -> Failure {
        match lock(&self.backoff).wrong(address, digest(secret), now) {
            Some(wait) => Failure::TooManyWrong { wait },
            None => usual,
        }
    }
}

/// Whoever comes by a Unix socket is a user of this computer.
pub(crate) fn address_of(connection: Option<&Connection>) -> IpAddr {
    let peer = connection.and_then(|connection| connection.peer);
    peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
