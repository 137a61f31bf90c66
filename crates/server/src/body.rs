//! Reading a request's body: bounded in size and in time, and JSON.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http::header::{self, HeaderMap};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::error::Failure;
use crate::exchange::Rest;
use crate::limits::Limits;
use crate::patience::TooSlow;

/// So many times the allowed size is read and dropped, to be able to answer.
const DISCARDED: usize = 16;
/// Levels of arrays and objects within each other: what `serde_json` allows, too.
const DEEPEST: usize = 127;

/// Reads a body that must be JSON of the shape `T`.
pub(crate) async fn read_json<T: DeserializeOwned>(
    request: Request,
    limits: &Limits,
) -> Result<T, Failure> {
    let (parts, body) = request.into_parts();
    from_json(&read_json_bytes(&parts.headers, body, limits, limits.body_bytes).await?)
}

/// # Errors
/// It is no JSON, or not of the shape `T`.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer_to(error.path());
        let error = error.into_inner();
        if error.is_data() {
            Failure::WrongShape { pointer, detail: without_position(&error) }
        } else {
            Failure::NotJson { detail: error.to_string() }
        }
    })?;
    deserializer.end().map_err(|error| Failure::NotJson { detail: error.to_string() })?;
    Ok(value)
}

/// Reads a body that must be a JSON object, and returns its text; an empty body is an empty object.
pub(crate) async fn read_json_object(request: Request, limits: &Limits) -> Result<String, Failure> {
    let (parts, body) = request.into_parts();
    if is_absent(&parts.headers, &body) {
        return Ok("{}".to_owned());
    }
    let bytes = read_json_bytes(&parts.headers, body, limits, limits.body_bytes).await?;
    if bytes.is_empty() {
        return Ok("{}".to_owned());
    }
    let text = checked_json(&bytes)?.to_owned();
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Failure::WrongShape {
            pointer: String::new(),
            detail: "a JSON object is expected, with a member for each parameter".to_owned(),
        });
    }
    Ok(text)
}

/// Reads a body that must be JSON, of any shape, and returns its text: `None` if there is no body.
/// It has `most` bytes at most.
pub(crate) async fn read_json_text(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    most: usize,
) -> Result<Option<Bytes>, Failure> {
    // Some clients declare a body that they do not send.
    if body.size_hint().exact() == Some(0) {
        return Ok(None);
    }
    let bytes = read_json_bytes(headers, body, limits, most).await?;
    checked_json(&bytes)?;
    Ok(Some(bytes))
}

/// Reads a body that is declared to be JSON, and returns its text; whoever takes it finds out
/// whether it is.
pub(crate) async fn read_text(request: Request, limits: &Limits) -> Result<String, Failure> {
    let (parts, body) = request.into_parts();
    let bytes = read_json_bytes(&parts.headers, body, limits, limits.body_bytes).await?;
    let text = String::from_utf8(bytes.into())
        .map_err(|error| Failure::NotJson { detail: error.utf8_error().to_string() })?;
    check_depth(&text)?;
    Ok(text)
}

/// Checked here, so that the main thread never sees what is no JSON or is nested too deep.
fn checked_json(bytes: &[u8]) -> Result<&str, Failure> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Failure::NotJson { detail: error.to_string() })?;
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| Failure::NotJson { detail: error.to_string() })?;
    check_depth(text)?;
    Ok(text)
}

/// # Errors
/// It is nested so deep that Python could not read it.
pub(crate) fn check_depth(json: &str) -> Result<(), Failure> {
    if depth_of(json) <= DEEPEST {
        return Ok(());
    }
    Err(Failure::NotJson { detail: format!("it is nested deeper than {DEEPEST} levels") })
}

/// Reads and drops a body, as far as that is worth it.
pub(crate) async fn discard(request: Request, limits: &Limits) {
    let (parts, body) = request.into_parts();
    discard_body(&parts.headers, body, limits).await;
}

/// As much of a body as [`discard`] would read.
pub(crate) fn rest_of(headers: &HeaderMap, limits: &Limits) -> Rest {
    Rest {
        bytes: limits.body_bytes.saturating_mul(DISCARDED),
        time: limits.body_time,
        is_asked_for: headers.contains_key(header::EXPECT),
    }
}

/// As [`discard`].
pub(crate) async fn discard_body(headers: &HeaderMap, body: Body, limits: &Limits) {
    // Such a client waits for leave to send its body; reading would give it.
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut body = Limited::new(body, limits.body_bytes.saturating_mul(DISCARDED));
    let drain = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ended = tokio::time::timeout(limits.body_time, drain).await;
}

async fn read_json_bytes(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    most: usize,
) -> Result<Bytes, Failure> {
    if let Err(failure) = check_content_type(headers) {
        discard_body(headers, body, limits).await;
        return Err(failure);
    }
    read_bytes(headers, body, limits, most).await
}

/// Reads a whole body of `most` bytes at most.
pub(crate) async fn read_bytes(
    headers: &HeaderMap,
    mut body: Body,
    limits: &Limits,
    most: usize,
) -> Result<Bytes, Failure> {
    if content_length(headers).is_some_and(|length| length > most) {
        discard_body(headers, body, limits).await;
        return Err(Failure::TooLarge { limit: most });
    }
    let reading = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| cut_short(error, limits))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(Failure::TooLarge { limit: most });
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Bytes::from(bytes))
    };
    let read = tokio::time::timeout(limits.body_time, reading).await;
    match read {
        Ok(Err(failure @ Failure::TooLarge { .. })) => {
            discard_body(headers, body, limits).await;
            Err(failure)
        }
        Ok(read) => read,
        Err(_elapsed) => Err(Failure::BodyTooSlow { limit: limits.body_time }),
    }
}

/// Writes a whole body to a new file, and returns how many bytes it has. A client that is slow has as
/// long as its pace buys. A file that is not whole is left to the caller.
pub(crate) async fn write_to_file(
    request: Request,
    limits: &Limits,
    path: PathBuf,
) -> Result<u64, Failure> {
    let most = limits.input_bytes;
    let (parts, mut body) = request.into_parts();
    if content_length(&parts.headers).is_some_and(|length| length > most) {
        discard_body(&parts.headers, body, limits).await;
        return Err(Failure::TooLarge { limit: most });
    }
    let mut file = off_thread(move || File::create_new(path)).await?;
    let mut written = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| cut_short(error, limits))?;
        let Ok(data) = frame.into_data() else { continue };
        written += data.len();
        if written > most {
            discard_body(&parts.headers, body, limits).await;
            return Err(Failure::TooLarge { limit: most });
        }
        file = off_thread(move || file.write_all(&data).map(|()| file)).await?;
    }
    Ok(written as u64)
}

/// Waits for the disk where it holds up nobody.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.flatten().map_err(|error| Failure::CannotKeep { detail: error.to_string() })
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(header::CONTENT_TYPE);
    let text = given.map(|given| String::from_utf8_lossy(given.as_bytes()).into_owned());
    let essence = text.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    // `application/merge-patch+json` is JSON as well (RFC 6839).
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        return Ok(());
    }
    Err(Failure::WrongContentType { given: text })
}

/// How deep the arrays and objects of a JSON text are nested.
pub(crate) fn depth_of(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_absent(headers: &HeaderMap, body: &Body) -> bool {
    !headers.contains_key(header::CONTENT_TYPE) && body.size_hint().exact() == Some(0)
}

fn cut_short(error: axum::Error, limits: &Limits) -> Failure {
    let error = error.into_inner();
    if error.is::<TooSlow>() {
        return Failure::BodyTooSlow { limit: limits.body_time };
    }
    Failure::BodyCutShort { detail: format!("the body ended before its time: {error}") }
}

/// As RFC 6901 has it.
fn pointer_to(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let token = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&token);
    }
    pointer
}

/// The text of `serde_json` ends with ` at line 1 column 2`, which the pointer says better.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(depth_of("1"), 0);
        assert_eq!(depth_of(r#"{"a": [1, {"b": []}], "c": []}"#), 4);
        assert_eq!(depth_of(r#"{"[[[": "\"{[{\\"}"#), 1);
    }
}
