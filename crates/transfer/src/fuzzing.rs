//! What has to hold for any bytes. A fuzz target calls it; a test does with the target's corpus.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use url::Url;

use crate::address::{self, Address};
use crate::decode::{Decoder, Encoding, Limited};
use crate::headers;
use crate::redirect::{self, Allowed, Hop};
use crate::resume::{self, Note, Plan, RangeAsk, Trust, content_range};

#[path = "../../../fuzz/common/head.rs"]
mod head;

/// An answer's head, after a first line as in `302 https://host/path`.
pub fn heads(data: &[u8]) {
    let (first_line, headers, _) = head::parse(data);
    let (status, address) = first_line.split_once(' ').unwrap_or_default();
    let status = status.parse().unwrap_or(200);
    ranges(&headers);
    notes(&headers, status);
    callers_headers(&headers);
    if let Ok(Address { url, .. }) = parsed(address) {
        redirects(&url, status, &headers);
    }
}

/// Only what is written as the RFC has it, and makes sense.
fn ranges(headers: &HeaderMap) {
    for value in headers.get_all(header::CONTENT_RANGE) {
        let Some((start, total)) = content_range(value) else { continue };
        let text = value.to_str().unwrap();
        assert!(total.is_none_or(|total| start < total), "{text}");
        let of_numbers = |byte: u8| byte.is_ascii_digit() || b" \t-/*".contains(&byte);
        assert!(text.trim().strip_prefix("bytes").unwrap().bytes().all(of_numbers), "{text}");
        assert!(text.contains(&start.to_string()) || text.contains("00"), "{text}");
    }
}

/// What is noted says enough, is read as it was written, and is gone on with only where it ended.
fn notes(headers: &HeaderMap, status: u16) {
    const LEN: u64 = 4;
    let note = Note::of("here".to_owned(), headers, Some(10));
    assert_eq!(serde_json::from_str::<Note>(&serde_json::to_string(&note).unwrap()).unwrap(), note);
    for has_sha256 in [false, true] {
        let trust = Trust { same: &[], has_sha256 };
        let asked = resume::ask(Some(&note), LEN, "here", trust);
        assert_eq!(asked.is_some(), note.is_of_use(has_sha256));
        let plan = resume::plan(asked.as_ref(), status, headers);
        if plan == Plan::GoOn {
            goes_on(&asked.unwrap(), status, headers);
        }
        assert!(status == 206 || plan != Plan::GoOn);
        assert!(matches!(status, 200 | 203) == (plan == Plan::FromTheStart));
    }
}

fn goes_on(asked: &RangeAsk, status: u16, headers: &HeaderMap) {
    assert_eq!((asked.offset, status), (4, 206));
    let (start, total) = content_range(&headers[header::CONTENT_RANGE]).unwrap();
    assert_eq!(start, asked.offset);
    assert!(total.is_none_or(|total| total == 10));
    assert!(!headers.contains_key(header::CONTENT_ENCODING));
}

/// What is sent holds no line break, and another origin sees none that may be secret.
fn callers_headers(headers: &HeaderMap) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs: Vec<_> =
        headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    let Ok(parsed) = headers::parse(&pairs, &[header::RANGE]) else { return };
    assert!(
        parsed.values().all(|value| !value.as_bytes().iter().any(|byte| b"\r\n".contains(byte)))
    );
    assert!(!parsed.contains_key(header::HOST) && !parsed.contains_key(header::RANGE));
    let is_secret = |name: &HeaderName| {
        *name == header::AUTHORIZATION || *name == header::COOKIE || name.as_str().starts_with("x-")
    };
    assert!(!headers::harmless(&parsed).keys().any(is_secret));
}

/// An address keeps its credentials to itself, and leads to the same place however it is written.
fn parsed(text: &str) -> Result<Address, crate::Failure> {
    let address = Address::parse(text)?;
    assert!(is_clean(&address.url), "{text}");
    let again = Address::parse(address.url.as_str())?;
    assert_eq!(again.url, address.url);
    let mut headers = HeaderMap::new();
    again.authorise(&mut headers);
    assert!(headers.is_empty(), "{text}");
    address.authorise(&mut headers);
    assert!(
        headers.iter().all(|(name, value)| name == header::AUTHORIZATION && value.is_sensitive())
    );
    let shown = address::shown(&address.url);
    assert!(shown.ends_with("?…") || !shown.contains('?'), "{text}");
    Ok(address)
}

/// Wherever an answer leads, it is to the web, without credentials, and not from https to http.
fn redirects(from: &Url, status: u16, headers: &HeaderMap) {
    let Ok(status) = StatusCode::from_u16(status) else { return };
    let location = headers.get(header::LOCATION);
    for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT] {
        for allow_downgrade in [false, true] {
            let allowed = Allowed { downgrade: allow_downgrade, leaving: true };
            let hop = redirect::next(from, &method, status, location, allowed);
            let Ok(Some(Hop { url, stays, keeps_body, method: then })) = hop else { continue };
            assert!(is_clean(&url), "{url}");
            assert!(allow_downgrade || from.scheme() == "http" || url.scheme() == "https", "{url}");
            let place = |url: &Url| {
                let host = url.host_str().map(str::to_owned);
                (url.scheme().to_owned(), host, url.port_or_known_default())
            };
            assert_eq!(stays, place(&url) == place(from), "{url}");
            assert!(!keeps_body || then == method);
            assert!(!keeps_body || !matches!(then, Method::GET | Method::HEAD));
        }
    }
}

fn is_clean(url: &Url) -> bool {
    address::is_http(url)
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

/// The first two bytes say how large pieces are and how much may come out. What comes out is the same however
/// the input is cut, and never more than the limit; and what was compressed comes out as it was.
pub fn gzip(data: &[u8]) {
    let Some(([size, limit], data)) = data.split_first_chunk() else { return };
    let (size, limit) = (usize::from(*size) + 1, u64::from(*limit) << 8);
    let whole = decoded(data, data.len().max(1), limit).ok();
    assert_eq!(decoded(data, size, limit).ok(), whole);
    assert!(whole.is_none_or(|bytes| bytes.len() as u64 <= limit));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    let compressed = encoder.finish().unwrap();
    assert_eq!(decoded(&compressed, size, data.len() as u64).unwrap(), data);
    if let Some(one_less) = data.len().checked_sub(1) {
        assert!(decoded(&compressed, size, one_less as u64).is_err());
    }
    assert!(decoded(&compressed[..compressed.len() - 1], size, u64::MAX).is_err());
}

fn decoded(data: &[u8], size: usize, limit: u64) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::new(Encoding::Gzip, Limited { bytes: Vec::new(), limit });
    data.chunks(size).try_for_each(|piece| decoder.write_all(piece))?;
    decoder.end().map(|sink| sink.bytes)
}

#[cfg(test)]
#[path = "../../../fuzz/common/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        corpus::replay("transfer_heads", super::heads);
    }

    #[test]
    fn gzip() {
        corpus::replay("transfer_gzip", super::gzip);
    }
}
