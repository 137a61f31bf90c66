//! Answering with a file: conditional requests, ranges, and no read on the server's own thread.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use httpdate::HttpDate;
use tokio::task::spawn_blocking;

use crate::clock;
use crate::error::Failure;
use crate::files::conditions::{self, Validators, Verdict};
use crate::files::encoding::Coding;
use crate::files::ranges::{self, Asked, Range};

/// Bytes that are read in one go.
const CHUNK: u64 = 256 << 10;

/// What a file is, and how it is to be sent.
pub(crate) struct Representation {
    pub(crate) content: Content,
    pub(crate) bytes: u64,
    pub(crate) validators: Validators,
    pub(crate) content_type: String,
    /// How the content is compressed.
    pub(crate) coding: Option<Coding>,
    /// Whether who takes it compressed may get it so.
    pub(crate) is_negotiated: bool,
}

pub(crate) enum Content {
    InMemory(Bytes),
    OnDisk(File),
}

/// Opens a file that never changes.
///
/// # Arguments
/// * `tag`: names the content: the same text, the same bytes. Without quotes.
pub(crate) async fn open_whole(
    path: PathBuf,
    content_type: String,
    tag: &str,
) -> io::Result<Representation> {
    let (file, bytes) = off_thread(move || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    })
    .await?;
    let validators = Validators { tag: format!("\"{tag}\""), modified: None };
    let content = Content::OnDisk(file);
    Ok(Representation {
        content,
        bytes,
        validators,
        content_type,
        coding: None,
        is_negotiated: false,
    })
}

/// What is in memory, and is called as for [`open_whole`].
pub(crate) fn in_memory(bytes: Bytes, content_type: String, tag: &str) -> Representation {
    Representation {
        bytes: bytes.len() as u64,
        content: Content::InMemory(bytes),
        validators: Validators { tag: format!("\"{tag}\""), modified: None },
        content_type,
        coding: None,
        is_negotiated: false,
    }
}

/// Answers a `GET` or a `HEAD` with the file, or the parts of it that the client asks for.
///
/// # Errors
/// The client wants another state of the file, or bytes that it does not have.
pub(crate) fn respond(
    file: Representation,
    method: &Method,
    request_headers: &HeaderMap,
) -> Result<Response, Failure> {
    match conditions::verdict(request_headers, &file.validators) {
        Verdict::Go => {}
        Verdict::NotModified => {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            add_validators(response.headers_mut(), &file);
            return Ok(response);
        }
        Verdict::Failed => return Err(Failure::PreconditionFailed),
    }
    let parts = match asked(&file, method, request_headers) {
        Asked::Whole => Vec::new(),
        Asked::Parts(parts) => parts,
        Asked::Outside => return Err(Failure::RangeOutside { bytes: file.bytes }),
    };
    let Layout { status, content_type, content_range, length, pieces } = match parts[..] {
        [] => Layout::whole(&file),
        [part] => Layout::part(&file, part),
        _ => Layout::parts(&file, &parts),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    add_validators(headers, &file);
    set(headers, header::CONTENT_TYPE, &content_type);
    set(headers, header::CONTENT_LENGTH, &length.to_string());
    set(headers, header::ACCEPT_RANGES, "bytes");
    if let Some(coding) = file.coding {
        set(headers, header::CONTENT_ENCODING, coding.name());
    }
    if let Some(range) = content_range {
        set(headers, header::CONTENT_RANGE, &range);
    }
    if *method != Method::HEAD {
        *response.body_mut() = body(file.content, pieces);
    }
    Ok(response)
}

/// Runs what may wait for the disk where it holds up nobody.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

fn asked(file: &Representation, method: &Method, headers: &HeaderMap) -> Asked {
    // For any other method, RFC 9110 has ranges ignored.
    if *method != Method::GET {
        return Asked::Whole;
    }
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match range {
        Some(range) if conditions::if_range_holds(headers, &file.validators, clock::today()) => {
            ranges::asked(range, file.bytes)
        }
        _ => Asked::Whole,
    }
}

/// What a `304` has as well.
fn add_validators(headers: &mut HeaderMap, file: &Representation) {
    set(headers, header::ETAG, &file.validators.tag);
    if let Some(modified) = file.validators.modified {
        set(headers, header::LAST_MODIFIED, &HttpDate::from(modified).to_string());
    }
    if file.is_negotiated {
        set(headers, header::VARY, "accept-encoding");
    }
    // Kept by the client alone, and asked about each time: the answer to that is short.
    set(headers, header::CACHE_CONTROL, "private, no-cache");
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// How an answer is put together.
struct Layout {
    status: StatusCode,
    content_type: String,
    content_range: Option<String>,
    length: u64,
    pieces: VecDeque<Piece>,
}

enum Piece {
    Text(String),
    Of(Range),
}

impl Layout {
    fn whole(file: &Representation) -> Self {
        let whole = Range { first: 0, length: file.bytes };
        Self {
            status: StatusCode::OK,
            content_type: file.content_type.clone(),
            content_range: None,
            length: file.bytes,
            pieces: [Piece::Of(whole)].into(),
        }
    }

    fn part(file: &Representation, part: Range) -> Self {
        Self {
            status: StatusCode::PARTIAL_CONTENT,
            content_type: file.content_type.clone(),
            content_range: Some(content_range(part, file.bytes)),
            length: part.length,
            pieces: [Piece::Of(part)].into(),
        }
    }

    /// As `multipart/byteranges` (RFC 9110, 14.6).
    fn parts(file: &Representation, parts: &[Range]) -> Self {
        let boundary = boundary();
        let mut pieces = VecDeque::new();
        for part in parts {
            let range = content_range(*part, file.bytes);
            pieces.push_back(Piece::Text(format!(
                "\r\n--{boundary}\r\nContent-Type: {}\r\nContent-Range: {range}\r\n\r\n",
                file.content_type
            )));
            pieces.push_back(Piece::Of(*part));
        }
        pieces.push_back(Piece::Text(format!("\r\n--{boundary}--\r\n")));
        let length = |piece: &Piece| match piece {
            Piece::Text(text) => text.len() as u64,
            Piece::Of(range) => range.length,
        };
        Self {
            status: StatusCode::PARTIAL_CONTENT,
            content_type: format!("multipart/byteranges; boundary={boundary}"),
            content_range: None,
            length: pieces.iter().map(length).sum(),
            pieces,
        }
    }
}

fn content_range(part: Range, bytes: u64) -> String {
    format!("bytes {}-{}/{bytes}", part.first, part.end() - 1)
}

/// What no file has by chance, and nobody could put into one beforehand.
fn boundary() -> String {
    let mut bytes = [0_u8; 16];
    // Where there is no randomness there is no token either, and so no server.
    let _there_is = getrandom::fill(&mut bytes);
    format!("part-{:032x}", u128::from_ne_bytes(bytes))
}

fn body(content: Content, mut pieces: VecDeque<Piece>) -> Body {
    match content {
        Content::InMemory(bytes) => {
            let slices = pieces.into_iter().map(move |piece| match piece {
                Piece::Text(text) => Bytes::from(text),
                Piece::Of(range) => slice(&bytes, range),
            });
            let mut slices = slices.collect::<VecDeque<_>>();
            if slices.len() == 1 {
                return Body::from(slices.pop_front().unwrap_or_default());
            }
            Body::from_stream(stream::iter(slices.into_iter().map(Ok::<_, io::Error>)))
        }
        Content::OnDisk(file) => {
            pieces.retain(|piece| !matches!(piece, Piece::Of(Range { length: 0, .. })));
            Body::from_stream(chunks(file, pieces))
        }
    }
}

/// Ranges lie within the file, and what is in memory is all of it.
fn slice(bytes: &Bytes, range: Range) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.first)..at(range.end()))
}

fn chunks(
    file: File,
    pieces: VecDeque<Piece>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((file, pieces), |(mut file, mut pieces)| async move {
        match pieces.pop_front() {
            None => Ok(None),
            Some(Piece::Text(text)) => Ok(Some((Bytes::from(text), (file, pieces)))),
            Some(Piece::Of(Range { first, length })) => {
                let (file, chunk) = off_thread(move || {
                    let chunk = read_at(&mut file, first, length.min(CHUNK))?;
                    Ok((file, chunk))
                })
                .await?;
                let count = chunk.len() as u64;
                if count < length {
                    let rest = Range { first: first + count, length: length - count };
                    pieces.push_front(Piece::Of(rest));
                }
                Ok(Some((Bytes::from(chunk), (file, pieces))))
            }
        }
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
