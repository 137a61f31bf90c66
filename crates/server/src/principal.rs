//! Who asks, and how much that one may do.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aiobpy_fleet::Tenant;
use aiobpy_wire::Scope;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;

/// Who asks, and how much that one may do: a handle on it.
#[derive(Clone, Debug)]
pub struct Principal(Arc<Standing>);

/// What is known of who asks.
#[derive(Clone, Debug)]
pub struct Standing {
    /// As the user knows it; `token` for whoever has the server's own.
    pub name: Arc<str>,
    pub scope: Scope,
    /// One of those who share the fleet: sees its own jobs alone.
    pub(crate) tenant: Option<Arc<Tenant>>,
    exec: ExecSwitch,
    ended: CancellationToken,
    /// Of whom it is a session: the same number for all of them.
    number: u64,
}

/// Whether anybody may run Python: off until the user ticks it.
#[derive(Clone, Debug, Default)]
pub struct ExecSwitch(Arc<AtomicBool>);

impl ExecSwitch {
    pub fn set(&self, is_on: bool) {
        self.0.store(is_on, Ordering::Relaxed);
    }

    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Principal {
    pub(crate) fn new(name: &str, scope: Scope, exec: ExecSwitch) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let ended = CancellationToken::new();
        let name = name.into();
        Self(Arc::new(Standing { name, scope, tenant: None, exec, ended, number }))
    }

    /// One of those who share the fleet.
    pub(crate) fn of_tenant(tenant: Tenant) -> Self {
        let tenant = Arc::new(tenant);
        let principal = Self::new(&tenant.name, Scope::Control, ExecSwitch::default());
        Self(Arc::new(Standing { tenant: Some(tenant), ..Standing::clone(&principal) }))
    }

    /// Whether what belongs to a tenant, or to nobody in particular, may be seen.
    pub(crate) fn may_see(&self, of: Option<&str>) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| Some(tenant.name.as_str()) == of)
    }

    pub(crate) fn tenant_name(&self) -> Option<String> {
        self.tenant.as_ref().map(|tenant| tenant.name.clone())
    }

    /// The same one, with an end of its own: that of a session, which also ends with the other.
    pub(crate) fn in_session(&self) -> Self {
        let ended = self.ended.child_token();
        Self(Arc::new(Standing { ended, ..Standing::clone(self) }))
    }

    /// Whether it may do what needs a scope. Running Python needs the user's tick besides.
    pub(crate) fn may(&self, needed: Scope) -> Result<(), Failure> {
        if self.scope < needed {
            return Err(Failure::NotAllowed { needed, given: self.scope });
        }
        if needed == Scope::Exec && !self.exec.is_on() {
            return Err(Failure::ExecIsOff);
        }
        Ok(())
    }

    /// Whether it is the same one, or a session of it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.number == other.number
    }

    /// Lets nothing live on that was let in by this.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }

    /// Waits until it is let in no more, as when a device is revoked.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ended.clone().cancelled_owned()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }
}

impl Deref for Principal {
    type Target = Standing;

    fn deref(&self) -> &Standing {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_includes_those_before_it_but_python_is_run_by_nobody_until_ticked() {
        use Scope::{Admin, Control, Exec, Files, Read};
        let exec = ExecSwitch::default();
        let scopes = [Read, Control, Files, Exec, Admin];
        for (number, scope) in scopes.into_iter().enumerate() {
            let principal = Principal::new("x", scope, exec.clone());
            for (other, needed) in scopes.into_iter().enumerate() {
                exec.set(false);
                let may = principal.may(needed).is_ok();
                assert_eq!(may, other <= number && needed != Exec, "{scope:?} {needed:?}");
                exec.set(true);
                assert_eq!(principal.may(needed).is_ok(), other <= number);
            }
        }
    }

    #[test]
    fn a_session_ends_by_itself_or_with_whom_it_belongs_to() {
        let principal = Principal::new("x", Scope::Read, ExecSwitch::default());
        let (one, other) = (principal.in_session(), principal.in_session());
        one.end();
        assert!(one.has_ended() && !other.has_ended() && !principal.has_ended());
        principal.end();
        assert!(other.has_ended());
    }
}
