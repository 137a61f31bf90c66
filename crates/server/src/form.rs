//! Forms that browsers send: fields, and files that are kept on the disk beyond a bound.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{self, HeaderMap};
use multer::{Constraints, Multipart, SizeLimit};
use percent_encoding::percent_decode_str;
use tempfile::{NamedTempFile, TempPath};
use tokio::task::spawn_blocking;

use crate::body;
use crate::error::Failure;
use crate::limits::Limits;

/// Fields and files of one form.
const MOST_PARTS: usize = 1000;
/// Bytes of a file that are kept in memory; a larger one goes to the disk.
const IN_MEMORY: usize = 256 << 10;
/// Bytes that may come without the end of a part's headers, or of a part.
const MOST_UNPARSED: usize = 512 << 10;
/// Bytes that the parser gets in one go.
const PIECE: usize = 64 << 10;
/// Characters of a file's name.
const LONGEST_NAME: usize = 255;

/// What was filled in, in its order.
#[derive(Debug, Default)]
pub struct Form {
    pub fields: Vec<(String, String)>,
    pub uploads: Vec<Upload>,
}

/// One file.
#[derive(Debug)]
pub struct Upload {
    /// Of the field.
    pub name: String,
    /// As the client has it, without folders and without what no file's name should have.
    pub file_name: String,
    pub content_type: String,
    pub bytes: u64,
    pub content: Content,
}

/// Where a file's bytes are.
#[derive(Debug)]
pub enum Content {
    Memory(Bytes),
    /// Removed when it is dropped.
    Disk(TempPath),
}

/// Reads a form of `most` bytes at most.
///
/// # Errors
/// It is none, it is cut short, or it is too large.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    most: usize,
) -> Result<Form, Failure> {
    read_into(headers, body, limits, most, None).await
}

/// As [`read`]; files that are too large for the memory are written in `folder`, if there is one.
pub(crate) async fn read_into(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    most: usize,
    folder: Option<Arc<Path>>,
) -> Result<Form, Failure> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.map(|given| String::from_utf8_lossy(given.as_bytes()).into_owned());
    let text = given.as_deref().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => {
            let bytes =
                body::read_bytes(headers, body, limits, most.min(limits.body_bytes)).await?;
            url_encoded(&bytes)
        }
        "multipart/form-data" => {
            let boundary = multer::parse_boundary(text).map_err(|error| malformed(&error))?;
            let mut pieces = body.into_data_stream();
            let form = multipart(&mut pieces, boundary, limits, most, folder).await;
            if form.is_err() {
                body::discard_body(headers, Body::from_stream(pieces), limits).await;
            }
            form
        }
        _ => {
            body::discard_body(headers, body, limits).await;
            Err(Failure::NotForm { given })
        }
    }
}

fn url_encoded(bytes: &[u8]) -> Result<Form, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
    let mut fields = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.push((decoded(name)?, decoded(value)?));
        if fields.len() > MOST_PARTS {
            return Err(too_many());
        }
    }
    Ok(Form { fields, uploads: Vec::new() })
}

fn decoded(text: &str) -> Result<String, Failure> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|error| malformed(&error))?;
    Ok(decoded.into_owned())
}

async fn multipart(
    body: &mut BodyDataStream,
    boundary: String,
    limits: &Limits,
    most: usize,
    folder: Option<Arc<Path>>,
) -> Result<Form, Failure> {
    let sizes = SizeLimit::new().whole_stream(most as u64).per_field(most as u64);
    let constraints = Constraints::new().size_limit(sizes);
    let unparsed = Arc::<AtomicUsize>::default();
    let pieces = one_by_one(body, Arc::clone(&unparsed));
    let mut parts = Multipart::with_constraints(pieces, boundary, constraints);
    let (mut form, mut field_bytes) = (Form::default(), 0);
    let failed = |error: multer::Error| of_multer(&error, most);
    while let Some(mut part) = parts.next_field().await.map_err(failed)? {
        unparsed.store(0, Ordering::Relaxed);
        if form.fields.len() + form.uploads.len() >= MOST_PARTS {
            return Err(too_many());
        }
        let name = part.name().unwrap_or_default().to_owned();
        if let Some(file_name) = part.file_name().map(safe_name) {
            let content_type = part.content_type().map(ToString::to_string);
            let mut spool = Spool { folder: folder.clone(), ..Spool::default() };
            while let Some(piece) = part.chunk().await.map_err(failed)? {
                unparsed.store(0, Ordering::Relaxed);
                spool.add(piece).await?;
            }
            let (bytes, content) = spool.finish().await?;
            let content_type =
                content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            form.uploads.push(Upload { name, file_name, content_type, bytes, content });
        } else {
            let mut value = BytesMut::new();
            while let Some(piece) = part.chunk().await.map_err(failed)? {
                unparsed.store(0, Ordering::Relaxed);
                field_bytes += piece.len();
                // Fields are for the memory.
                if field_bytes > limits.body_bytes {
                    return Err(Failure::TooLarge { limit: limits.body_bytes });
                }
                value.extend_from_slice(&piece);
            }
            let value = String::from_utf8(value.into()).map_err(|error| malformed(&error))?;
            form.fields.push((name, value));
        }
    }
    Ok(form)
}

/// The body in pieces, one for each time that it is asked for: the parser would else take all that
/// has come. It fails when the parser has found nothing in what it took.
fn one_by_one(
    body: &mut BodyDataStream,
    unparsed: Arc<AtomicUsize>,
) -> impl Stream<Item = Result<Bytes, Unparsed>> + Send {
    let (mut piece, mut has_rested) = (Bytes::new(), true);
    futures_util::stream::poll_fn(move |context| {
        if !std::mem::replace(&mut has_rested, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while piece.is_empty() {
            match std::task::ready!(body.poll_next_unpin(context)) {
                Some(Ok(next)) => piece = next,
                Some(Err(error)) => return Poll::Ready(Some(Err(Unparsed(error.to_string())))),
                None => return Poll::Ready(None),
            }
        }
        has_rested = false;
        let next = piece.split_to(piece.len().min(PIECE));
        let bytes = unparsed.fetch_add(next.len(), Ordering::Relaxed) + next.len();
        if bytes > MOST_UNPARSED {
            return Poll::Ready(Some(Err(Unparsed("a part does not begin or end".to_owned()))));
        }
        Poll::Ready(Some(Ok(next)))
    })
}

/// What comes is no form, or ends early.
#[derive(Debug)]
struct Unparsed(String);

impl std::fmt::Display for Unparsed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unparsed {}

/// Where a file's bytes are gathered.
#[derive(Default)]
struct Spool {
    /// The system's own for what is there for a while, if none is named.
    folder: Option<Arc<Path>>,
    waiting: BytesMut,
    file: Option<NamedTempFile>,
    bytes: u64,
}

impl Spool {
    async fn add(&mut self, piece: Bytes) -> Result<(), Failure> {
        self.bytes += piece.len() as u64;
        self.waiting.extend_from_slice(&piece);
        if self.waiting.len() > IN_MEMORY { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), Failure> {
        let (file, waiting) = (self.file.take(), std::mem::take(&mut self.waiting));
        let folder = self.folder.clone();
        let written = spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => new_file(folder.as_deref())?,
            };
            file.write_all(&waiting)?;
            Ok(file)
        });
        let file = written.await.map_err(std::io::Error::other).and_then(|result| result);
        self.file = Some(file.map_err(|error| Failure::CannotKeep { detail: error.to_string() })?);
        Ok(())
    }

    async fn finish(mut self) -> Result<(u64, Content), Failure> {
        if self.file.is_some() && !self.waiting.is_empty() {
            self.write().await?;
        }
        let content = match self.file {
            Some(file) => Content::Disk(file.into_temp_path()),
            None => Content::Memory(self.waiting.freeze()),
        };
        Ok((self.bytes, content))
    }
}

fn new_file(folder: Option<&Path>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("aiobpy-upload-");
    match folder {
        Some(folder) => builder.tempfile_in(folder),
        None => builder.tempfile(),
    }
}

/// What a file may be called wherever it is written: no folder, nothing invisible, no name that
/// Windows takes for a device.
fn safe_name(given: &str) -> String {
    const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last
        .chars()
        .map(|character| match character {
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
            character if character.is_control() => '_',
            character => character,
        })
        .take(LONGEST_NAME)
        .collect();
    let kept = kept.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    let stem = kept.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let device = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    match kept {
        "" => "file".to_owned(),
        _ if DEVICES.contains(&device) => format!("_{kept}"),
        _ => kept.to_owned(),
    }
}

fn of_multer(error: &multer::Error, most: usize) -> Failure {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Failure::TooLarge { limit: most }
        }
        multer::Error::StreamReadFailed(cause) => malformed(cause),
        other => malformed(other),
    }
}

fn malformed(error: &dyn std::fmt::Display) -> Failure {
    Failure::MalformedForm { detail: error.to_string() }
}

fn too_many() -> Failure {
    Failure::MalformedForm { detail: format!("it has more than {MOST_PARTS} fields and files") }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_multipart(parts: &str, most: usize) -> Result<Form, Failure> {
        let mut headers = HeaderMap::new();
        let content_type = "multipart/form-data; boundary=edge".parse().unwrap();
        headers.insert(header::CONTENT_TYPE, content_type);
        read(&headers, Body::from(parts.to_owned()), &Limits::default(), most).await
    }

    fn part(disposition: &str, value: &str) -> String {
        format!("--edge\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    }

    #[test]
    fn a_url_encoded_form_is_decoded() {
        let form = url_encoded(b"a=1+2&b=%26%c3%a9&a&=x").unwrap();
        let expected = [("a", "1 2"), ("b", "&\u{e9}"), ("a", ""), ("", "x")];
        assert_eq!(form.fields, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert!(url_encoded(b"a=%ff").is_err());
        assert!(url_encoded("a&".repeat(MOST_PARTS + 1).as_bytes()).is_err());
    }

    #[tokio::test]
    async fn small_files_stay_in_memory_and_large_ones_go_to_the_disk() {
        let large = "x".repeat(IN_MEMORY * 3);
        let text = part("name=\"title\"", "cup")
            + &part("name=\"small\"; filename=\"a.txt\"", "small")
            + &part("name=\"large\"; filename=\"b.txt\"", &large)
            + "--edge--\r\n";
        let form = read_multipart(&text, 1 << 20).await.unwrap();
        assert_eq!(form.fields, [("title".to_owned(), "cup".to_owned())]);
        let [small, on_disk] = &form.uploads[..] else { panic!("there are two files") };
        assert!(matches!(&small.content, Content::Memory(bytes) if bytes == "small"));
        let Content::Disk(path) = &on_disk.content else { panic!("it is large") };
        assert_eq!(std::fs::read_to_string(path).unwrap(), large);
        let path = path.to_path_buf();
        drop(form);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_too_much_or_no_form_is_refused() {
        let file = part("name=\"a\"; filename=\"a\"", &"x".repeat(2000)) + "--edge--\r\n";
        assert!(matches!(read_multipart(&file, 1000).await, Err(Failure::TooLarge { .. })));
        let many = part("name=\"a\"", "").repeat(MOST_PARTS + 1) + "--edge--\r\n";
        assert!(matches!(read_multipart(&many, 1 << 20).await, Err(Failure::MalformedForm { .. })));
        let fields = part("name=\"a\"", &"x".repeat(2 << 20)) + "--edge--\r\n";
        assert!(matches!(read_multipart(&fields, 8 << 20).await, Err(Failure::TooLarge { .. })));
        for text in ["", "--edge\r\n", &part("name=\"a\"", "cut short")] {
            assert!(matches!(read_multipart(text, 1000).await, Err(Failure::MalformedForm { .. })));
        }
    }

    #[tokio::test]
    async fn headers_without_an_end_are_not_gathered_for_ever() {
        let pieces = (0..1000).map(|_| Ok::<_, std::io::Error>("x: y\r\n".repeat(10_000)));
        let begun = std::iter::once(Ok("--edge\r\n".to_owned()));
        let body = Body::from_stream(futures_util::stream::iter(begun.chain(pieces)));
        let mut headers = HeaderMap::new();
        let content_type = "multipart/form-data; boundary=edge".parse().unwrap();
        headers.insert(header::CONTENT_TYPE, content_type);
        let form = read(&headers, body, &Limits::default(), 1 << 30).await;
        assert!(matches!(form, Err(Failure::MalformedForm { .. })));
    }

    #[test]
    fn a_files_name_is_no_path_and_no_trap() {
        for (given, expected) in [
            ("cup.blend", "cup.blend"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Users\x\cup.blend", "cup.blend"),
            ("..", "file"),
            ("", "file"),
            (".hidden", "hidden"),
            ("cup.blend::$DATA", "cup.blend__$DATA"),
            ("NUL.txt", "_NUL.txt"),
            ("com1", "_com1"),
            ("a\u{0}b\r\n", "a_b__"),
            ("cup. .", "cup"),
        ] {
            assert_eq!(safe_name(given), expected);
        }
        assert_eq!(safe_name(&"x".repeat(1000)).len(), LONGEST_NAME);
    }
}
