//! A folder that a site serves: from a path to a file, and to an answer.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri};

use crate::error::Failure;
use crate::files::address::{Address, address};
use crate::files::cache::{FileCache, Stamp};
use crate::files::conditions::Validators;
use crate::files::encoding::{self, Coding};
use crate::files::sending::{Representation, off_thread, respond};
use crate::sys::{self, Below};

const INDEX: &str = "index.html";

/// A request for something below a folder.
pub(crate) struct FolderRequest<'request> {
    pub(crate) method: &'request Method,
    pub(crate) uri: &'request Uri,
    pub(crate) headers: &'request HeaderMap,
    /// The part of the path below the folder, percent-decoded.
    pub(crate) below: &'request str,
}

/// Answers with the file that a path means.
///
/// # Errors
/// There is none, or not as the client wants it, or it cannot be read.
pub(crate) async fn answer(
    folder: PathBuf,
    is_single_page: bool,
    cache: Arc<FileCache>,
    request: FolderRequest<'_>,
) -> Result<Response, Failure> {
    let FolderRequest { method, uri, headers, below } = request;
    let unknown = || Failure::UnknownRoute { path: uri.path().to_owned() };
    let address = address(uri.path(), below).ok_or_else(unknown)?;
    let ends_with_slash = uri.path().ends_with('/');
    let is_single_page = is_single_page && (!address.has_extension() || wants_a_page(headers));
    let codings = encoding::accepted(headers);
    let looked_up = off_thread(move || {
        Look { folder: &folder, cache: &cache, codings: &codings }.up(
            &address,
            ends_with_slash,
            is_single_page,
        )
    });
    match looked_up.await {
        Ok(Some(Found::File(representation))) => respond(*representation, method, headers),
        Ok(Some(Found::Folder)) => redirect(uri).ok_or_else(unknown),
        Ok(None) => Err(unknown()),
        Err(error) => {
            let path = PathBuf::from(uri.path());
            Err(Failure::UnreadableFile { path, detail: error.to_string() })
        }
    }
}

/// The same address with a slash at its end, so that a page's links lead below it.
fn redirect(uri: &Uri) -> Option<Response> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = HeaderValue::try_from(format!("{}/{query}", uri.path())).ok()?;
    Some((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response())
}

fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    accepted.filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}

enum Found {
    File(Box<Representation>),
    /// It is there, and was asked for without a slash.
    Folder,
}

/// What a look-up goes by. Runs where it may wait for the disk.
struct Look<'look> {
    folder: &'look Path,
    cache: &'look FileCache,
    codings: &'look [Coding],
}

impl Look<'_> {
    fn up(
        &self,
        address: &Address,
        ends_with_slash: bool,
        is_single_page: bool,
    ) -> io::Result<Option<Found>> {
        let found = match self.open(&address.path)? {
            Some(Below::File(..)) if address.is_folder && !address.path.is_empty() => None,
            Some(Below::File(file, metadata)) => Some((address.path.clone(), file, metadata)),
            Some(Below::Folder) if !ends_with_slash => return Ok(Some(Found::Folder)),
            Some(Below::Folder) => self.open_file(address.of_file(INDEX))?,
            None => None,
        };
        let found = match found {
            None if is_single_page => self.open_file(INDEX.to_owned())?,
            found => found,
        };
        let Some((path, file, metadata)) = found else { return Ok(None) };
        self.represent(&path, file, &metadata).map(|it| Some(Found::File(Box::new(it))))
    }

    fn open_file(&self, path: String) -> io::Result<Option<(String, File, Metadata)>> {
        Ok(match self.open(&path)? {
            Some(Below::File(file, metadata)) => Some((path, file, metadata)),
            Some(Below::Folder) | None => None,
        })
    }

    /// `None` for what is not there, or not for us.
    fn open(&self, path: &str) -> io::Result<Option<Below>> {
        match sys::open_below(self.folder, path) {
            Ok(below) => Ok(Some(below)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file, or the neighbour that is the same in fewer bytes.
    fn represent(&self, path: &str, file: File, metadata: &Metadata) -> io::Result<Representation> {
        let stamp = Stamp::of(metadata);
        let content_type = content_type(path);
        for &coding in self.codings {
            let neighbour = self.open_file(format!("{path}{}", coding.suffix()))?;
            let Some((path, file, metadata)) = neighbour else { continue };
            let of_neighbour = Stamp::of(&metadata);
            // One that is older than the file is of an older state of it.
            if of_neighbour.modified >= stamp.modified {
                let tag = format!("\"{}-{}\"", of_neighbour.tag(), coding.name());
                let content = self.cache.content(self.folder.join(&path), file, of_neighbour)?;
                let validators = Validators { tag, modified: stamp.modified };
                let bytes = of_neighbour.bytes;
                let coding = Some(coding);
                return Ok(Representation {
                    content,
                    bytes,
                    validators,
                    content_type,
                    coding,
                    is_negotiated: true,
                });
            }
        }
        let validators =
            Validators { tag: format!("\"{}\"", stamp.tag()), modified: stamp.modified };
        let content = self.cache.content(self.folder.join(path), file, stamp)?;
        Ok(Representation {
            content,
            bytes: stamp.bytes,
            validators,
            content_type,
            coding: None,
            is_negotiated: true,
        })
    }
}

/// What leads nowhere, leads out of the folder, or may not be read, is not there.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::CrossesDevices
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
    ) || sys::is_loop_of_links(error)
}

pub(super) fn content_type(path: &str) -> String {
    let guessed = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
    if guessed.starts_with("text/") {
        return format!("{guessed}; charset=utf-8");
    }
    guessed.to_owned()
}
