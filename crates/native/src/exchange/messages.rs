//! ASGI's messages, to and from what the server understands.

use aiobpy_server::{Incoming, Outgoing, Sent, Start};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyDict, PyString};

use super::{Exchange, status_of};

/// What a WebSocket's handler receives first.
pub(super) fn connect(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    message(py, intern!(py, "websocket.connect"))
}

/// What came from the client.
pub(super) fn received(
    py: Python<'_>,
    incoming: Incoming,
    is_websocket: bool,
) -> PyResult<Bound<'_, PyDict>> {
    match incoming {
        Incoming::Body { bytes, is_last } => {
            let message = message(py, intern!(py, "http.request"))?;
            message.set_item(intern!(py, "body"), PyBytes::new(py, &bytes))?;
            message.set_item(intern!(py, "more_body"), !is_last)?;
            Ok(message)
        }
        Incoming::Text(text) => {
            let message = message(py, intern!(py, "websocket.receive"))?;
            message.set_item(intern!(py, "text"), text)?;
            Ok(message)
        }
        Incoming::Binary(bytes) => {
            let message = message(py, intern!(py, "websocket.receive"))?;
            message.set_item(intern!(py, "bytes"), PyBytes::new(py, &bytes))?;
            Ok(message)
        }
        Incoming::Gone { code, reason } if is_websocket => {
            let message = message(py, intern!(py, "websocket.disconnect"))?;
            message.set_item(intern!(py, "code"), code)?;
            message.set_item(intern!(py, "reason"), reason)?;
            Ok(message)
        }
        Incoming::Gone { .. } => message(py, intern!(py, "http.disconnect")),
    }
}

/// Sends a message of the handler's.
pub(super) fn send(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let kind: String = required(message, "type")?.extract()?;
    let is_websocket = exchange.end.head.is_websocket;
    match (kind.as_str(), is_websocket) {
        ("http.response.start", false) | ("websocket.http.response.start", true) => {
            start_response(exchange, message)
        }
        ("http.response.body", false) | ("websocket.http.response.body", true) => {
            send_body(exchange, message)
        }
        ("websocket.accept", true) => accept(exchange, message),
        ("websocket.send", true) => send_message(exchange, message),
        ("websocket.close", true) => close(exchange, message),
        _ => Err(PyRuntimeError::new_err(format!(
            "{kind:?} is no message that can be sent {}",
            if is_websocket { "over a WebSocket" } else { "as an answer to a request" }
        ))),
    }
}

fn start_response(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let status = status_of(required(message, "status")?.extract()?)?;
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, message)?;
    let mut state = exchange.state.borrow_mut(py);
    if state.has_started || state.start.is_some() {
        return Err(PyRuntimeError::new_err("the answer has begun already"));
    }
    state.start = Some(Start { status, headers });
    Ok(if exchange.end.is_gone() { Sent::Gone } else { Sent::Room })
}

fn send_body(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let body = match message.get_item(intern!(py, "body"))? {
        Some(body) => bytes_of(&body)?,
        None => Bytes::new(),
    };
    let more = match message.get_item(intern!(py, "more_body"))? {
        Some(more) => more.is_truthy()?,
        None => false,
    };
    let mut state = exchange.state.borrow_mut(py);
    if state.is_complete {
        return Err(PyRuntimeError::new_err("the answer is complete already"));
    }
    if let Some(start) = state.start.take() {
        state.has_started = true;
        state.is_complete = !more;
        if !more {
            let is_gone = exchange.end.is_gone();
            exchange.end.answer(start, body);
            return Ok(if is_gone { Sent::Gone } else { Sent::Room });
        }
        exchange.end.start(start);
    } else if !state.has_started {
        let text = "the body was sent before `http.response.start`";
        return Err(PyRuntimeError::new_err(text));
    }
    state.is_complete = !more;
    let outgoing = (!body.is_empty()).then_some(Outgoing::Body(body));
    Ok(exchange.end.send(outgoing, !more))
}

fn accept(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, message)?;
    if let Some(subprotocol) = message.get_item(intern!(py, "subprotocol"))?
        && !subprotocol.is_none()
    {
        let subprotocol: String = subprotocol.extract()?;
        let name = header::SEC_WEBSOCKET_PROTOCOL;
        add_header(&mut headers, name.as_str().as_bytes(), subprotocol.as_bytes())?;
    }
    let mut state = exchange.state.borrow_mut(py);
    if state.has_started || state.start.is_some() {
        return Err(PyRuntimeError::new_err("the WebSocket was accepted or refused already"));
    }
    state.has_started = true;
    if exchange.end.is_gone() {
        return Ok(Sent::Gone);
    }
    exchange.end.start(Start { status: StatusCode::SWITCHING_PROTOCOLS, headers });
    Ok(Sent::Room)
}

fn send_message(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let state = exchange.state.borrow(py);
    if !state.has_started {
        return Err(PyRuntimeError::new_err("send `websocket.accept` before any message"));
    }
    if state.is_complete {
        return Err(PyRuntimeError::new_err("the WebSocket was closed already"));
    }
    let text = message.get_item(intern!(py, "text"))?.filter(|text| !text.is_none());
    let outgoing = match text {
        Some(text) => Outgoing::Text(text.extract()?),
        None => Outgoing::Binary(bytes_of(&required(message, "bytes")?)?),
    };
    Ok(exchange.end.send(Some(outgoing), false))
}

fn close(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    const NORMAL: u16 = 1000;
    let py = message.py();
    let code = match message.get_item(intern!(py, "code"))? {
        Some(code) if !code.is_none() => code.extract()?,
        _ => NORMAL,
    };
    let reason: Option<String> = match message.get_item(intern!(py, "reason"))? {
        Some(reason) => reason.extract()?,
        None => None,
    };
    let mut state = exchange.state.borrow_mut(py);
    if std::mem::replace(&mut state.is_complete, true) {
        return Err(PyRuntimeError::new_err("the WebSocket was closed already"));
    }
    if std::mem::replace(&mut state.has_started, true) {
        let reason = reason.unwrap_or_default();
        return Ok(exchange.end.send(Some(Outgoing::Close { code, reason }), true));
    }
    let start = Start { status: StatusCode::FORBIDDEN, headers: HeaderMap::new() };
    exchange.end.answer(start, Bytes::new());
    Ok(Sent::Room)
}

fn add_headers(headers: &mut HeaderMap, message: &Bound<'_, PyDict>) -> PyResult<()> {
    let Some(given) = message.get_item(intern!(message.py(), "headers"))? else { return Ok(()) };
    for pair in given.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
        add_header(headers, &bytes_of(&name)?, &bytes_of(&value)?)?;
    }
    Ok(())
}

/// What cannot be sent, as a line break in a value, is refused rather than mended.
pub(super) fn add_header(headers: &mut HeaderMap, name: &[u8], value: &[u8]) -> PyResult<()> {
    let unfit = || {
        let text = String::from_utf8_lossy(name);
        PyValueError::new_err(format!(
            "the header {text:?} has a name or value that HTTP cannot send"
        ))
    };
    let key = HeaderName::from_bytes(name).map_err(|_| unfit())?;
    let value = HeaderValue::from_bytes(value).map_err(|_| unfit())?;
    headers.append(key, value);
    Ok(())
}

fn bytes_of(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Bytes::copy_from_slice(bytes.as_bytes()));
    }
    // A bytearray or a memoryview, or what is no bytes at all.
    let bytes = value.py().get_type::<PyBytes>();
    if value.is_instance_of::<PyString>() || value.extract::<i64>().is_ok() {
        return Err(PyTypeError::new_err(format!("bytes are expected, not {value:?}")));
    }
    Ok(Bytes::copy_from_slice(bytes.call1((value,))?.cast::<PyBytes>()?.as_bytes()))
}

fn message<'py>(py: Python<'py>, kind: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyDict>> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), kind)?;
    Ok(message)
}

fn required<'py>(message: &Bound<'py, PyDict>, key: &str) -> PyResult<Bound<'py, PyAny>> {
    message
        .get_item(key)?
        .ok_or_else(|| PyKeyError::new_err(format!("the message has no {key:?}: {message:?}")))
}
