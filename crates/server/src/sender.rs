//! Who sends a request, and by what: as the gate and the token have found it.

use axum::extract::Request;

use crate::connection::Connection;
use crate::principal::Principal;
use crate::trace::Trace;

/// What is known of a request besides what it says. Sites get it as it is; our own routes find it
/// among the request's extensions, each of which is a piece of the heap.
pub(crate) struct Sender {
    /// `None` without a socket, as in a test.
    pub(crate) connection: Option<Connection>,
    /// `None` where nobody need be let in.
    pub(crate) principal: Option<Principal>,
    pub(crate) trace: Option<Trace>,
}

impl Sender {
    /// Puts it among the request's extensions.
    pub(crate) fn note_in(&self, request: &mut Request) {
        let extensions = request.extensions_mut();
        self.connection.clone().map(|connection| extensions.insert(connection));
        self.principal.clone().map(|principal| extensions.insert(principal));
        self.trace.clone().map(|trace| extensions.insert(trace));
    }

    /// What [`Sender::note_in`] has put there.
    pub(crate) fn noted_in(request: &Request) -> Self {
        let extensions = request.extensions();
        Self {
            connection: extensions.get().cloned(),
            principal: extensions.get().cloned(),
            trace: extensions.get().cloned(),
        }
    }
}
