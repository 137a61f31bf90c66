//! Name look-ups: a future for each, resolved when the answer comes through the door.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use aiobpy_reactor::{AddressInfo, LookupFailed, NameInfo, Query, Reactor, Token};
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
        let query = Query { host, service, family, kind, protocol, flags };
        Self::ask(slf, |reactor, token| reactor.look_up(token, query))
    }

    /// Returns a future of `(host, service)`.
    fn _look_up_name<'py>(
        slf: &Bound<'py, Self>,
        ip: IpAddr,
        port: u16,
        flow_info: u32,
        scope_id: u32,
        flags: i32,
    ) -> PyResult<Bound<'py, PyAny>> {
        let address = match ip {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, flow_info, scope_id).into(),
        };
        Self::ask(slf, |reactor, token| reactor.look_up_name(token, address, flags))
    }
}

impl LoopCore {
    fn ask<'py>(
        slf: &Bound<'py, Self>,
        send: impl FnOnce(&Reactor, Token),
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let reactor = this.reactor()?;
        let future = slf.call_method0("create_future")?;
        let token = reactor.new_token();
        lock(&this.look_ups).insert(token, future.clone().unbind());
        send(&reactor, token);
        Ok(future)
    }
}

pub(crate) fn run_resolved(
    event_loop: &Bound<'_, LoopCore>,
    token: Token,
    result: Result<Vec<AddressInfo>, LookupFailed>,
) -> PyResult<()> {
    answer(event_loop, token, result, |py, answers| {
        let answers =
            answers.iter().map(|answer| to_python(py, answer)).collect::<PyResult<Vec<_>>>()?;
        Ok(PyList::new(py, answers)?.into_any())
    })
}

pub(crate) fn run_named(
    event_loop: &Bound<'_, LoopCore>,
    token: Token,
    result: Result<NameInfo, LookupFailed>,
) -> PyResult<()> {
    answer(event_loop, token, result, |py, NameInfo { host, service }| {
        Ok((host, service).into_pyobject(py)?.into_any())
    })
}

/// Sets the future that waits for `token`, unless nobody waits any more.
fn answer<T>(
    event_loop: &Bound<'_, LoopCore>,
    token: Token,
    result: Result<T, LookupFailed>,
    to_python: impl for<'py> FnOnce(Python<'py>, T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<()> {
    let py = event_loop.py();
    let Some(future) = lock(&event_loop.get().look_ups).remove(&token) else { return Ok(()) };
    let future = future.bind(py);
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    match result {
        Ok(found) => future.call_method1("set_result", (to_python(py, found)?,))?,
        Err(LookupFailed { code, message }) => {
            let error = py.import("socket")?.getattr("gaierror")?.call1((code, message))?;
            future.call_method1("set_exception", (error,))?
        }
    };
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
