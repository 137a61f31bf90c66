//! Bytes as the head of an HTTP message: a first line, headers, and what comes after an empty line.

use http::{HeaderMap, HeaderName, HeaderValue};

/// What cannot be a header is left out, as it would never come so far.
pub(super) fn parse(data: &[u8]) -> (&str, HeaderMap, &[u8]) {
    let (first_line, mut rest) = line(data);
    let mut headers = HeaderMap::new();
    loop {
        let (text, after) = line(rest);
        rest = after;
        if text.is_empty() {
            break;
        }
        let Some(colon) = text.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&text[..colon]);
        let value = HeaderValue::from_bytes(text[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (str::from_utf8(first_line).unwrap_or_default(), headers, rest)
}

fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let rest = data.get(end + 1..).unwrap_or_default();
    (data[..end].strip_suffix(b"\r").unwrap_or(&data[..end]), rest)
}
