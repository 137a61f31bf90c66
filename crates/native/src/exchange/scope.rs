//! ASGI's scope of a request: <https://asgi.readthedocs.io/en/latest/specs/www.html>.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use aiobpy_server::Head;
use http::{Method, Version, header};
use percent_encoding::percent_decode_str;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

/// The scope without `state`, which belongs to the application.
pub(super) fn of<'py>(
    py: Python<'py>,
    head: &Head,
    root_path: Option<&Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyDict>> {
    let kind = if head.is_websocket { intern!(py, "websocket") } else { intern!(py, "http") };
    let path = head.uri.path();
    let scope = usual(py)?.copy()?;
    scope.set_item(intern!(py, "asgi"), asgi(py)?.copy()?)?;
    scope.set_item(intern!(py, "extensions"), extensions(py, head)?)?;
    if head.is_websocket || head.is_secure || head.version != Version::HTTP_11 {
        scope.set_item(intern!(py, "type"), kind)?;
        scope.set_item(intern!(py, "http_version"), version(head.version))?;
        scope.set_item(intern!(py, "scheme"), scheme(head))?;
    }
    scope.set_item(intern!(py, "path"), percent_decode_str(path).decode_utf8_lossy())?;
    scope.set_item(intern!(py, "raw_path"), PyBytes::new(py, path.as_bytes()))?;
    if let Some(query) = head.uri.query() {
        scope.set_item(intern!(py, "query_string"), PyBytes::new(py, query.as_bytes()))?;
    }
    match root_path {
        Some(root_path) => scope.set_item(intern!(py, "root_path"), root_path)?,
        None => scope.set_item(intern!(py, "root_path"), &head.prefix)?,
    }
    scope.set_item(intern!(py, "headers"), headers(py, head)?)?;
    if let Some(client) = head.client {
        scope.set_item(intern!(py, "client"), pair(py, client)?)?;
    }
    scope.set_item(intern!(py, "server"), pair(py, head.server)?)?;
    if head.is_websocket {
        scope.set_item(intern!(py, "subprotocols"), subprotocols(py, head)?)?;
    } else {
        scope.set_item(intern!(py, "method"), method(py, head))?;
    }
    Ok(scope)
}

/// What most scopes have in common, to be copied.
fn usual(py: Python<'_>) -> PyResult<&Bound<'_, PyDict>> {
    static USUAL: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let usual = USUAL.get_or_try_init(py, || {
        let usual = PyDict::new(py);
        usual.set_item(intern!(py, "type"), intern!(py, "http"))?;
        usual.set_item(intern!(py, "http_version"), intern!(py, "1.1"))?;
        usual.set_item(intern!(py, "scheme"), intern!(py, "http"))?;
        usual.set_item(intern!(py, "query_string"), PyBytes::new(py, b""))?;
        usual.set_item(intern!(py, "client"), py.None())?;
        PyResult::Ok(usual.unbind())
    })?;
    Ok(usual.bind(py))
}

fn asgi(py: Python<'_>) -> PyResult<&Bound<'_, PyDict>> {
    static ASGI: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let asgi = ASGI.get_or_try_init(py, || {
        let asgi = PyDict::new(py);
        asgi.set_item(intern!(py, "version"), intern!(py, "3.0"))?;
        asgi.set_item(intern!(py, "spec_version"), intern!(py, "2.5"))?;
        PyResult::Ok(asgi.unbind())
    })?;
    Ok(asgi.bind(py))
}

fn extensions<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let extensions = PyDict::new(py);
    let nothing = || PyDict::new(py);
    if head.is_websocket {
        extensions.set_item(intern!(py, "websocket.http.response"), nothing())?;
    } else {
        extensions.set_item(intern!(py, "http.response.pathsend"), nothing())?;
        if head.takes_hints() {
            extensions.set_item(intern!(py, "http.response.early_hint"), nothing())?;
        }
        if takes_trailers(head) {
            extensions.set_item(intern!(py, "http.response.trailers"), nothing())?;
        }
    }
    if let Some(facts) = &head.tls {
        let tls = nothing();
        // We ask no client for a certificate.
        tls.set_item(intern!(py, "server_cert"), facts.certificate_pem())?;
        tls.set_item(intern!(py, "client_cert_chain"), PyTuple::empty(py))?;
        tls.set_item(intern!(py, "client_cert_name"), py.None())?;
        tls.set_item(intern!(py, "client_cert_error"), py.None())?;
        tls.set_item(intern!(py, "tls_version"), facts.version)?;
        tls.set_item(intern!(py, "cipher_suite"), facts.cipher_suite)?;
        extensions.set_item(intern!(py, "tls"), tls)?;
    }
    Ok(extensions)
}

fn takes_trailers(head: &Head) -> bool {
    let values = head.headers.get_all(header::TE);
    let mut values = values.iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|coding| coding.trim() == "trailers"))
}

fn headers<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyList>> {
    let pair = |name: &[u8], value: &[u8]| {
        PyTuple::new(py, [PyBytes::new(py, name), PyBytes::new(py, value)])
    };
    let headers = PyList::empty(py);
    // HTTP/2 has the host in the target.
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(header::HOST)
    {
        headers.append(pair(b"host", authority.as_str().as_bytes())?)?;
    }
    for (name, value) in &head.headers {
        headers.append(pair(name.as_str().as_bytes(), value.as_bytes())?)?;
    }
    Ok(headers)
}

fn subprotocols<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyList>> {
    let values = head.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let values = values.iter().filter_map(|value| value.to_str().ok());
    PyList::new(py, values.flat_map(|value| value.split(',')).map(str::trim))
}

fn method<'py>(py: Python<'py>, head: &Head) -> Bound<'py, PyString> {
    match head.method {
        Method::GET => intern!(py, "GET").clone(),
        Method::POST => intern!(py, "POST").clone(),
        _ => PyString::new(py, head.method.as_str()),
    }
}

/// The text of an address and its port.
fn pair(py: Python<'_>, address: SocketAddr) -> PyResult<Bound<'_, PyTuple>> {
    let here = match address.ip() {
        // Of nearly all clients, and of most servers.
        IpAddr::V4(Ipv4Addr::LOCALHOST) => intern!(py, "127.0.0.1").clone(),
        other => PyString::new(py, &other.to_string()),
    };
    (here, address.port()).into_pyobject(py)
}

fn scheme(head: &Head) -> &'static str {
    match (head.is_websocket, head.is_secure) {
        (false, false) => "http",
        (false, true) => "https",
        (true, false) => "ws",
        (true, true) => "wss",
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
