//! ASGI's messages, to and from what the server understands.

use std::path::PathBuf;

use aiobpy_server::{Incoming, Outgoing, Sent, Start};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyDict, PyString};

use super::length::{Length, final_status};
use super::{Exchange, Phase};

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
    let kind = required(message, intern!(message.py(), "type"))?;
    let kind = kind.cast::<PyString>()?.to_str()?;
    let is_websocket = exchange.end.head.is_websocket;
    match (kind, is_websocket) {
        ("http.response.start", false) | ("websocket.http.response.start", true) => {
            start_response(exchange, message)
        }
        ("http.response.body", false) | ("websocket.http.response.body", true) => {
            send_body(exchange, message)
        }
        ("http.response.pathsend", false) => send_path(exchange, message),
        ("http.response.early_hint", false) => hint(exchange, message),
        ("http.response.trailers", false) => send_trailers(exchange, message),
        ("websocket.accept", true) => accept(exchange, message),
        ("websocket.send", true) => send_message(exchange, message),
        ("websocket.close", true) => close(exchange, message),
        _ => Err(PyRuntimeError::new_err(format!(
            "{kind:?} is no message that can be sent {}",
            if is_websocket { "over a WebSocket" } else { "as an answer to a request" }
        ))),
    }
}

/// Kept until there is a body: a handler that fails before can still be answered for.
fn start_response(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let status = final_status(required(message, intern!(py, "status"))?.extract()?)?;
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, message)?;
    let length = Length::of(status, &exchange.end.head.method, &headers)?;
    let mut state = exchange.state.borrow_mut(py);
    if state.phase >= Phase::Begun || state.start.is_some() {
        return Err(PyRuntimeError::new_err("the answer has begun already"));
    }
    state.start = Some(Start { status, headers });
    state.length = length;
    state.has_trailers = is_true(message, intern!(py, "trailers"))?;
    Ok(if exchange.end.is_gone() { Sent::Gone } else { Sent::Room })
}

fn send_body(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let body = match message.get_item(intern!(py, "body"))? {
        Some(body) => bytes_of(&body)?,
        None => Bytes::new(),
    };
    let more = is_true(message, intern!(py, "more_body"))?;
    let mut state = exchange.state.borrow_mut(py);
    if state.phase >= Phase::BodyComplete {
        return Err(PyRuntimeError::new_err("the answer is complete already"));
    }
    let start = state.start.take();
    if start.is_none() && state.phase == Phase::Awaited {
        let text = "the body was sent before `http.response.start`";
        return Err(PyRuntimeError::new_err(text));
    }
    let body = state.length.count(body, !more)?;
    state.phase = match (more, state.has_trailers) {
        (true, _) => Phase::Begun,
        (false, true) => Phase::BodyComplete,
        (false, false) => Phase::Complete,
    };
    let is_complete = state.phase == Phase::Complete;
    drop(state);
    if let Some(start) = start {
        if is_complete {
            let is_gone = exchange.end.is_gone();
            exchange.end.answer(start, body);
            return Ok(if is_gone { Sent::Gone } else { Sent::Room });
        }
        exchange.end.start(start);
    }
    let outgoing = (!body.is_empty()).then_some(Outgoing::Body(body));
    Ok(exchange.end.send(outgoing, is_complete))
}

/// The server sends the file of this path, and the answer is complete.
fn send_path(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let path: PathBuf = required(message, intern!(py, "path"))?.extract()?;
    let mut state = exchange.state.borrow_mut(py);
    let Some(start) = state.start.take() else {
        let text = "`http.response.pathsend` follows `http.response.start`, in the place of a body";
        return Err(PyRuntimeError::new_err(text));
    };
    state.note_answer();
    drop(state);
    let is_gone = exchange.end.is_gone();
    exchange.end.answer_file(start, path, false);
    Ok(if is_gone { Sent::Gone } else { Sent::Room })
}

/// What the answer will need, while that is still being made.
fn hint(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    if !exchange.end.head.takes_hints() {
        let text = "`http.response.early_hint` is no extension of this request; see its scope";
        return Err(PyRuntimeError::new_err(text));
    }
    let mut links = Vec::new();
    for link in required(message, intern!(py, "links"))?.try_iter()? {
        let link = HeaderValue::from_bytes(&bytes_of(&link?)?);
        links.push(link.map_err(|_| PyValueError::new_err("a link is one that HTTP cannot send"))?);
    }
    let state = exchange.state.borrow(py);
    if state.phase >= Phase::Begun || state.start.is_some() {
        return Err(PyRuntimeError::new_err("early hints come before `http.response.start`"));
    }
    Ok(exchange.end.hint(&links))
}

fn send_trailers(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, message)?;
    let more = is_true(message, intern!(py, "more_trailers"))?;
    let mut state = exchange.state.borrow_mut(py);
    if state.phase != Phase::BodyComplete {
        let text = "trailers follow the body of an answer that `http.response.start` said has them";
        return Err(PyRuntimeError::new_err(text));
    }
    state.trailers.extend(headers);
    if more {
        return Ok(Sent::Room);
    }
    state.phase = Phase::Complete;
    let trailers = std::mem::take(&mut state.trailers);
    drop(state);
    Ok(exchange.end.send(Some(Outgoing::Trailers(trailers)), true))
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
    if state.phase >= Phase::Begun || state.start.is_some() {
        return Err(PyRuntimeError::new_err("the WebSocket was accepted or refused already"));
    }
    state.phase = Phase::Begun;
    if exchange.end.is_gone() {
        return Ok(Sent::Gone);
    }
    exchange.end.start(Start { status: StatusCode::SWITCHING_PROTOCOLS, headers });
    Ok(Sent::Room)
}

fn send_message(exchange: &Exchange, message: &Bound<'_, PyDict>) -> PyResult<Sent> {
    let py = message.py();
    let state = exchange.state.borrow(py);
    if state.phase == Phase::Awaited {
        return Err(PyRuntimeError::new_err("send `websocket.accept` before any message"));
    }
    if state.phase == Phase::Complete {
        return Err(PyRuntimeError::new_err("the WebSocket was closed already"));
    }
    let text = message.get_item(intern!(py, "text"))?.filter(|text| !text.is_none());
    let outgoing = match text {
        Some(text) => Outgoing::Text(text.extract()?),
        None => Outgoing::Binary(bytes_of(&required(message, intern!(py, "bytes"))?)?),
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
    let phase = std::mem::replace(&mut state.phase, Phase::Complete);
    if phase == Phase::Complete {
        return Err(PyRuntimeError::new_err("the WebSocket was closed already"));
    }
    if phase != Phase::Awaited {
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
        // A tuple mostly; the specification allows a list.
        let pair = pair?;
        let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
        match (name.cast::<PyBytes>(), value.cast::<PyBytes>()) {
            (Ok(name), Ok(value)) => add_header(headers, name.as_bytes(), value.as_bytes())?,
            _ => add_header(headers, &bytes_of(&name)?, &bytes_of(&value)?)?,
        }
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

fn is_true(message: &Bound<'_, PyDict>, key: &Bound<'_, PyString>) -> PyResult<bool> {
    message.get_item(key)?.map_or(Ok(false), |value| value.is_truthy())
}

fn required<'py>(
    message: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    message
        .get_item(key)?
        .ok_or_else(|| PyKeyError::new_err(format!("the message has no {key}: {message:?}")))
}
