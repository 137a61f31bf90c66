//! Sending a file that never changes: conditional requests, one range, and no read on the server's
//! own thread.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use http::header::{self, HeaderMap, HeaderValue};
use http::{HeaderName, StatusCode};
use tokio::task::spawn_blocking;

use crate::error::Failure;
use crate::number;

/// Bytes that are read in one go.
const CHUNK: u64 = 256 << 10;

/// A file and what it is.
pub(crate) struct SentFile {
    pub(crate) path: PathBuf,
    pub(crate) content_type: String,
    /// Names the content: the same text, the same bytes. Without quotes.
    pub(crate) tag: String,
}

/// Sends the file, or the part of it that `request_headers` ask for.
///
/// # Errors
/// The outer error is the system's, the inner one is the client's.
pub(crate) async fn send(
    file: SentFile,
    request_headers: &HeaderMap,
) -> io::Result<Result<Response, Failure>> {
    let tag = format!("\"{}\"", file.tag);
    if names_tag(request_headers, header::IF_NONE_MATCH, &tag, strip_weakness) {
        return Ok(Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response()));
    }
    let path = file.path;
    let (opened, bytes) = off_thread(move || {
        let opened = File::open(path)?;
        let bytes = opened.metadata()?.len();
        Ok((opened, bytes))
    })
    .await?;
    let range = match asked_range(request_headers, &tag, bytes) {
        Asked::Whole => None,
        Asked::Part(range) => Some(range),
        Asked::Outside => return Ok(Err(Failure::RangeOutside { bytes })),
    };
    let Range { first, length } = range.unwrap_or(Range { first: 0, length: bytes });
    let body = Body::from_stream(chunks(opened, first, length));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, file.content_type);
    set(header::CONTENT_LENGTH, length.to_string());
    set(header::ETAG, tag);
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    // Kept by the client alone, and asked about each time: the answer to that is short.
    set(header::CACHE_CONTROL, "private, no-cache".to_owned());
    if range.is_some() {
        let last = first + length - 1;
        set(header::CONTENT_RANGE, format!("bytes {first}-{last}/{bytes}"));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(Ok(response))
}

/// Sends a file that a handler has named, with the handler's headers. Without `asked`, the headers
/// of the request, all of it is sent.
///
/// # Errors
/// It cannot be read, or the client asks for bytes that it does not have.
pub(crate) async fn send_named(
    path: &Path,
    headers: HeaderMap,
    asked: Option<&HeaderMap>,
) -> Result<Response, Failure> {
    let failed = |error: io::Error| Failure::UnreadableFile {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let to_stat = path.to_owned();
    let metadata = off_thread(move || {
        let metadata = std::fs::metadata(to_stat)?;
        if metadata.is_file() { Ok(metadata) } else { Err(io::ErrorKind::IsADirectory.into()) }
    })
    .await
    .map_err(failed)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let file = SentFile {
        path: path.to_owned(),
        content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
        tag: tag_of(&metadata),
    };
    let nothing = HeaderMap::new();
    let mut response = send(file, asked.unwrap_or(&nothing)).await.map_err(failed)??;
    for (name, value) in &headers {
        // Of a part, or of a file that has just grown, it would not be true.
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            response.headers_mut().append(name, value.clone());
        }
    }
    if asked.is_none() {
        for name in [header::ETAG, header::ACCEPT_RANGES] {
            response.headers_mut().remove(name);
        }
    }
    Ok(response)
}

/// Changes with the file's content, as far as its length and its time tell.
fn tag_of(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{:x}-{:x}", metadata.len(), since.as_nanos())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    /// At least 1.
    pub(crate) length: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Whole,
    Part(Range),
    Outside,
}

/// One range is honoured. Several are answered with the whole, which RFC 9110 allows and which
/// costs nothing to serve.
pub(crate) fn asked_range(headers: &HeaderMap, tag: &str, bytes: u64) -> Asked {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return Asked::Whole;
    };
    if headers.contains_key(header::IF_RANGE) && !names_tag(headers, header::IF_RANGE, tag, |t| t) {
        return Asked::Whole;
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let (first, end) = match (number::parse(first), number::parse(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(bytes)),
        (Some(first), None) if last.is_empty() => (first, bytes),
        (None, Some(count)) if first.is_empty() => (bytes.saturating_sub(count), bytes),
        _ => return Asked::Whole,
    };
    if first >= end {
        return Asked::Outside;
    }
    Asked::Part(Range { first, length: end - first })
}

/// Whether a header lists a tag, or `*`.
fn names_tag(headers: &HeaderMap, name: HeaderName, tag: &str, key: fn(&str) -> &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|listed| listed == "*" || key(listed) == tag)
}

fn strip_weakness(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn chunks(
    file: File,
    first: u64,
    length: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((file, first, length), |(mut file, at, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let (file, chunk) = off_thread(move || {
            let chunk = read_at(&mut file, at, left.min(CHUNK))?;
            Ok((file, chunk))
        })
        .await?;
        let count = chunk.len() as u64;
        Ok(Some((Bytes::from(chunk), (file, at + count, left - count))))
    })
}

fn read_at(file: &mut File, at: u64, count: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut chunk = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    file.take(count).read_to_end(&mut chunk)?;
    if chunk.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(chunk)
}

/// Runs what may wait for the disk where it holds up nobody.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        asked_range(&headers, "\"tag\"", 10)
    }

    fn part(first: u64, length: u64) -> Asked {
        Asked::Part(Range { first, length })
    }

    #[test]
    fn one_range_is_honoured() {
        assert_eq!(asked("bytes=0-3"), part(0, 4));
        assert_eq!(asked("bytes=3-"), part(3, 7));
        assert_eq!(asked("bytes=-3"), part(7, 3));
        assert_eq!(asked("bytes=8-99"), part(8, 2));
        assert_eq!(asked("bytes=-99"), part(0, 10));
        assert_eq!(asked("bytes=0-18446744073709551615"), part(0, 10));
    }

    #[test]
    fn a_range_of_no_bytes_is_outside() {
        assert_eq!(asked("bytes=10-"), Asked::Outside);
        assert_eq!(asked("bytes=10-12"), Asked::Outside);
        assert_eq!(asked("bytes=-0"), Asked::Outside);
    }

    #[test]
    fn what_is_no_single_range_gets_the_whole() {
        for range in ["bytes=0-1,3-4", "bytes=-", "bytes=3-2", "lines=1-2", "bytes=x-y", "1-2"] {
            assert_eq!(asked(range), Asked::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole() {
        let with = |if_range: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-3"));
            headers.insert(header::IF_RANGE, HeaderValue::from_static(if_range));
            asked_range(&headers, "\"tag\"", 10)
        };
        assert_eq!(with("\"tag\""), part(0, 4));
        assert_eq!(with("\"other\""), Asked::Whole);
        assert_eq!(with("W/\"tag\""), Asked::Whole);
        assert_eq!(with("Sat, 21 Nov 2026 07:00:00 GMT"), Asked::Whole);
    }
}
