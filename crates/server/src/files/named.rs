//! A file that a handler has named, instead of sending its bytes.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use axum::response::Response;
use http::Method;
use http::header::{self, HeaderMap};

use crate::error::Failure;
use crate::files::cache::{FileCache, Stamp};
use crate::files::conditions::Validators;
use crate::files::sending::{Representation, off_thread, respond};

/// Sends a file that a handler has named, with the handler's headers. Without `asked`, the headers
/// of the request, all of it is sent.
///
/// # Errors
/// It cannot be read, or the client asks for bytes that it does not have.
pub(crate) async fn send_named(
    path: PathBuf,
    mut headers: HeaderMap,
    asked: Option<&HeaderMap>,
    cache: &Arc<FileCache>,
) -> Result<Response, Failure> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let (named, cache) = (path.clone(), Arc::clone(cache));
    let file = off_thread(move || open(named, content_type, &cache)).await;
    let file = file.map_err(|error| Failure::UnreadableFile { path, detail: error.to_string() })?;
    let mut response = respond(file, &Method::GET, asked.unwrap_or(&HeaderMap::new()))?;
    // Of a part, or of a file that has just grown, they would not be true.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_TYPE);
    if asked.is_none() {
        for name in [header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
            response.headers_mut().remove(name);
        }
    }
    for name in headers.keys() {
        response.headers_mut().remove(name);
    }
    response.headers_mut().extend(headers);
    Ok(response)
}

fn open(path: PathBuf, content_type: String, cache: &FileCache) -> io::Result<Representation> {
    // Looked at first: opening a pipe that has a name would wait for its other end.
    if !std::fs::metadata(&path)?.is_file() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let file = File::open(&path)?;
    let stamp = Stamp::of(&file.metadata()?);
    Ok(Representation {
        content: cache.content(path, file, stamp)?,
        bytes: stamp.bytes,
        validators: Validators { tag: format!("\"{}\"", stamp.tag()), modified: stamp.modified },
        content_type,
        coding: None,
        is_negotiated: false,
    })
}
