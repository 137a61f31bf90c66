//! ASGI's scope of a request: <https://asgi.readthedocs.io/en/latest/specs/www.html>.

use std::net::SocketAddr;

use aiobpy_server::Head;
use http::{Version, header};
use percent_encoding::percent_decode_str;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

/// The scope without `state`, which belongs to the application.
pub(super) fn of<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let scope = PyDict::new(py);
    let path = head.uri.path();
    let asgi = PyDict::new(py);
    asgi.set_item(intern!(py, "version"), intern!(py, "3.0"))?;
    asgi.set_item(intern!(py, "spec_version"), intern!(py, "2.5"))?;
    let kind = if head.is_websocket { intern!(py, "websocket") } else { intern!(py, "http") };
    scope.set_item(intern!(py, "type"), kind)?;
    scope.set_item(intern!(py, "asgi"), asgi)?;
    scope.set_item(intern!(py, "http_version"), version(head.version))?;
    scope.set_item(intern!(py, "scheme"), scheme(head))?;
    scope.set_item(intern!(py, "path"), percent_decode_str(path).decode_utf8_lossy())?;
    scope.set_item(intern!(py, "raw_path"), PyBytes::new(py, path.as_bytes()))?;
    let query = head.uri.query().unwrap_or_default();
    scope.set_item(intern!(py, "query_string"), PyBytes::new(py, query.as_bytes()))?;
    scope.set_item(intern!(py, "root_path"), &head.prefix)?;
    scope.set_item(intern!(py, "headers"), headers(py, head)?)?;
    scope.set_item(intern!(py, "client"), head.client.map(pair))?;
    scope.set_item(intern!(py, "server"), pair(head.server))?;
    scope.set_item(intern!(py, "extensions"), extensions(py, head)?)?;
    if head.is_websocket {
        scope.set_item(intern!(py, "subprotocols"), subprotocols(py, head)?)?;
    } else {
        scope.set_item(intern!(py, "method"), head.method.as_str())?;
    }
    Ok(scope)
}

fn extensions<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let extensions = PyDict::new(py);
    let nothing = || PyDict::new(py);
    if head.is_websocket {
        extensions.set_item(intern!(py, "websocket.http.response"), nothing())?;
    } else {
        extensions.set_item(intern!(py, "http.response.pathsend"), nothing())?;
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
    let headers = PyList::empty(py);
    // HTTP/2 has the host in the target.
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(header::HOST)
    {
        let value = PyBytes::new(py, authority.as_str().as_bytes());
        headers.append(PyTuple::new(py, [PyBytes::new(py, b"host"), value])?)?;
    }
    for (name, value) in &head.headers {
        let name = PyBytes::new(py, name.as_str().as_bytes());
        let value = PyBytes::new(py, value.as_bytes());
        headers.append(PyTuple::new(py, [name, value])?)?;
    }
    Ok(headers)
}

fn subprotocols<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyList>> {
    let values = head.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let values = values.iter().filter_map(|value| value.to_str().ok());
    PyList::new(py, values.flat_map(|value| value.split(',')).map(str::trim))
}

fn pair(address: SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
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
