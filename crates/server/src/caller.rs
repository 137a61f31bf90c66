//! Whoever asks for methods, whatever the face: what that one may call, and the call.

use aiobpy_wire::Scope;
use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::error::Failure;
use crate::main_thread::{Answered, Asked, Door, Pending};
use crate::principal::Principal;
use crate::shared::Shared;
use crate::trace::Trace;

#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) shared: Shared,
    pub(crate) principal: Principal,
    pub(crate) trace: Option<Trace>,
}

impl Caller {
    /// Calls a method; `params` is the text of a JSON object or array.
    pub(crate) async fn call(&self, method: String, params: String) -> Result<Answered, Failure> {
        self.check(&method)?;
        self.door()?.call(self.asked(method, params)).await
    }

    /// Begins to call a method that may take long.
    pub(crate) fn start(&self, method: String, params: String) -> Result<Pending, Failure> {
        self.check(&method)?;
        self.door()?.start(self.asked(method, params))
    }

    /// Begins to call one of the Model Context Protocol's own methods, which have a slash in their
    /// names, as no add-on's method has.
    pub(crate) fn start_of_protocol(
        &self,
        method: &str,
        params: String,
    ) -> Result<Pending, Failure> {
        self.door()?.start(self.asked(method.to_owned(), params))
    }

    /// Whether a method is to be answered with an operation.
    pub(crate) fn takes_long(&self, name: &str) -> bool {
        self.shared.offers.method(name).is_some_and(|method| method.is_long)
    }

    pub(crate) fn door(&self) -> Result<&Door, Failure> {
        self.shared.main_thread.as_ref().ok_or(Failure::NoMainThread)
    }

    /// Whoever may not call a method does not get as far as to wake Python, which would refuse, too.
    fn check(&self, name: &str) -> Result<(), Failure> {
        if name.contains('/') {
            return Err(Failure::UnknownMethod { method: name.to_owned() });
        }
        match self.shared.offers.method(name) {
            Some(method) => self.principal.may(method.scope),
            // Python knows it, or says that nobody does.
            None => self.principal.may(Scope::Control),
        }
    }

    fn asked(&self, method: String, params: String) -> Asked {
        let (principal, trace) = (self.principal.clone(), self.trace.clone());
        Asked { method, params, principal, trace }
    }
}

impl Principal {
    /// Whether it may do what needs a scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.may(scope).is_ok()
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let principal = parts.extensions.get::<Principal>().cloned().ok_or(Failure::NoToken)?;
        let trace = parts.extensions.get::<Trace>().cloned();
        Ok(Self { shared: shared.clone(), principal, trace })
    }
}
