//! Name look-ups: a future for each, resolved when the answer comes through the door.

use std::net::SocketAddr;

use aiobpy_reactor::{AddressInfo, LookupFailed, Query, Token};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList};

use crate::handle::lock;
use crate::loop_core::LoopCore;

#[pymethods]
impl LoopCore {
    /// Returns a future of a list of `(family, type, proto, canonname, sockaddr)`, all plain values.
    #[pyo3(signature = (host, service, family, kind, protocol, flags))]
    fn _look_up<'py>(
        slf: &Bound<'py, Self>,
        host: Option<String>,
        service: Option<String>,
        family: i32,
        kind: i32,
        protocol: i32,
        flags: i32,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let reactor = this.reactor()?;
        let future = slf.call_method0("create_future")?;
        let token = reactor.new_token();
        lock(&this.look_ups).insert(token, future.clone().unbind());
        reactor.look_up(token, Query { host, service, family, kind, protocol, flags });
        Ok(future)
    }
}

pub(crate) fn run_resolved(
    event_loop: &Bound<'_, LoopCore>,
    token: Token,
    result: Result<Vec<AddressInfo>, LookupFailed>,
) -> PyResult<()> {
    let py = event_loop.py();
    let Some(future) = lock(&event_loop.get().look_ups).remove(&token) else { return Ok(()) };
    let future = future.bind(py);
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    match result {
        Ok(answers) => {
            let answers =
                answers.iter().map(|answer| to_python(py, answer)).collect::<PyResult<Vec<_>>>()?;
            future.call_method1("set_result", (PyList::new(py, answers)?,))?;
        }
        Err(LookupFailed { code, message }) => {
            let error = py.import("socket")?.getattr("gaierror")?.call1((code, message))?;
            future.call_method1("set_exception", (error,))?;
        }
    }
    Ok(())
}

fn to_python<'py>(py: Python<'py>, answer: &AddressInfo) -> PyResult<Bound<'py, PyAny>> {
    let address = socket_address(py, answer.address)?;
    let name = answer.canonical_name.clone().unwrap_or_default();
    Ok((answer.family, answer.kind, answer.protocol, name, address).into_pyobject(py)?.into_any())
}

/// As Python's `socket` writes it: two parts for IPv4, four for IPv6.
pub(crate) fn socket_address(py: Python<'_>, address: SocketAddr) -> PyResult<Bound<'_, PyAny>> {
    let (ip, port) = (address.ip().to_string(), address.port());
    let parts = match address {
        SocketAddr::V4(_) => (ip, port).into_pyobject(py)?,
        SocketAddr::V6(address) => {
            (ip, port, address.flowinfo(), address.scope_id()).into_pyobject(py)?
        }
    };
    Ok(parts.into_any())
}
