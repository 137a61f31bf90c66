//! Devices that ask to be let in: from the server's thread through the door to `aiobpy.pairing`.

use std::sync::Mutex;

use aiobpy_server::Claim;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::handle::lock;
use crate::loop_core::LoopCore;
use crate::main_thread::{is_exit, report};

/// A device that waits to be let in; dropped without an answer, it is refused.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct PairingClaim {
    /// As the device calls itself, fit to be shown.
    #[pyo3(get)]
    name: String,
    /// Where it is, as in `192.168.1.7`; `None` if it came over a Unix socket.
    #[pyo3(get)]
    address: Option<String>,
    claim: Mutex<Option<Claim>>,
}

#[pymethods]
impl PairingClaim {
    /// Lets the device in, to do what the scope says. Whether it still waits.
    ///
    /// Raises `ValueError` if there is no such scope.
    fn allow(&self, scope: &str) -> PyResult<bool> {
        let scope = serde_json::from_value(scope.into()).map_err(|_unknown| {
            PyValueError::new_err(format!(
                "there is no scope {scope:?}; they are read, control, files, exec and admin"
            ))
        })?;
        Ok(self.take().is_some_and(|claim| claim.answer(Some(scope))))
    }

    /// Sends the device away. Whether it still waits.
    fn refuse(&self) -> bool {
        self.take().is_some_and(|claim| claim.answer(None))
    }

    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool {
        lock(&self.claim).as_ref().is_none_or(Claim::is_abandoned)
    }
}

impl PairingClaim {
    fn take(&self) -> Option<Claim> {
        lock(&self.claim).take()
    }
}

/// Has `aiobpy.pairing` ask a person.
pub(crate) fn run_claim(event_loop: &Bound<'_, LoopCore>, claim: Claim) -> PyResult<()> {
    let py = event_loop.py();
    let claim = PairingClaim {
        name: claim.name.clone(),
        address: claim.address.map(|address| address.to_string()),
        claim: Mutex::new(Some(claim)),
    };
    let asked = py
        .import(intern!(py, "aiobpy.pairing"))
        .and_then(|pairing| pairing.call_method1(intern!(py, "ask"), (Bound::new(py, claim)?,)));
    match asked {
        Err(error) if !is_exit(py, &error) => {
            report(event_loop, "nobody could be asked whether to let a device in", error, &[])
        }
        result => result.map(drop),
    }
}
