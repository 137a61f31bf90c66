//! A file from the disk to a server.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body, Frame, SizeHint};

use crate::address::Address;
use crate::answer::Answered;
use crate::exchange::{Ask, Content, Exchange, Manners};
use crate::failure::Failure;
use crate::fetch::{content_type_value, method};
use crate::patience::Patience;
use crate::transfers::{Blocking, Job};

/// A file that is to be sent.
#[derive(Debug)]
pub struct Upload {
    pub url: String,
    pub method: String,
    pub file: PathBuf,
    pub content_type: String,
    /// Without one, the file is the whole body.
    pub form: Option<Form>,
    /// The most bytes that the answer may have.
    pub limit: u64,
    pub manners: Manners,
}

/// The file as one field of a form (RFC 7578).
#[derive(Debug)]
pub struct Form {
    pub fields: Vec<(String, String)>,
    /// The name of the file's own field.
    pub file_field: String,
    pub file_name: String,
    /// No line of what is sent begins with it.
    pub boundary: String,
}

/// A file and what is sent around it; each [`FileContent::body`] sends all of it.
pub(crate) struct FileContent {
    job: Job,
    file: Arc<File>,
    size: u64,
    before: Bytes,
    after: Bytes,
    content_type: HeaderValue,
}

const OURS: &[HeaderName] = &[header::ACCEPT_ENCODING, header::CONTENT_TYPE];
const BLOCK: u64 = 512 << 10;

pub(crate) async fn upload(job: &Job, order: Upload) -> Result<Answered, Failure> {
    let address = Address::parse(&order.url)?;
    let method = method(&order.method)?;
    let exchange = Exchange::new(job, order.manners, OURS).await?;
    let (path, form, content_type) = (order.file, order.form, order.content_type);
    let owned = job.clone();
    let open = move || FileContent::open(owned, &path, form.as_ref(), &content_type);
    let content = Arc::new(job.block(open).join().await?);
    let own = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]);
    let ask = Ask {
        method,
        address,
        headers: exchange.headers(),
        own_headers: own,
        content: Content::File(content),
    };
    let reply = job.progress.beside(exchange.send(ask)).await?;
    if reply.status().as_u16() >= 300 {
        return Err(Answered::refusal(&exchange, reply).await);
    }
    job.progress.end();
    Answered::read(job, &exchange, reply, order.limit).await
}

impl FileContent {
    fn open(
        job: Job,
        path: &Path,
        form: Option<&Form>,
        content_type: &str,
    ) -> Result<Self, Failure> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (about, file) = opened.map_err(|source| unreadable(path, source))?;
        if !about.is_file() {
            return Err(unreadable(path, io::ErrorKind::IsADirectory.into()));
        }
        let of_file = content_type_value(content_type)?;
        let (before, after, content_type) = match form {
            Some(form) => form.around_the_file(content_type)?,
            None => (Bytes::new(), Bytes::new(), of_file),
        };
        let size = about.len();
        Ok(Self { job, file: Arc::new(file), size, before, after, content_type })
    }

    pub(crate) fn content_type(&self) -> HeaderValue {
        self.content_type.clone()
    }

    pub(crate) fn body(self: &Arc<Self>, patience: Arc<Patience>) -> FileBody {
        self.job.progress.begin(0, Some(self.size));
        let step = Step::Before;
        FileBody { content: Arc::clone(self), patience, step, left: self.len() }
    }

    fn len(&self) -> u64 {
        self.before.len() as u64 + self.size + self.after.len() as u64
    }

    /// Has a helper read the block at `offset`.
    fn read(&self, offset: u64) -> Blocking<io::Result<Bytes>> {
        let file = Arc::clone(&self.file);
        let count = BLOCK.min(self.size - offset);
        self.job.block(move || {
            let mut block = vec![0; usize::try_from(count).unwrap_or_default()];
            fill(&file, &mut block, offset).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    io::Error::other("the file has become shorter while it was sent")
                }
                _ => error,
            })?;
            Ok(Bytes::from(block))
        })
    }
}

#[cfg(unix)]
fn fill(file: &File, block: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, block, offset)
}

#[cfg(windows)]
fn fill(file: &File, mut block: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !block.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, block, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        block = &mut block[count..];
        offset += count as u64;
    }
    Ok(())
}

impl Form {
    /// What comes before the file's bytes and after them, and the type of the whole.
    fn around_the_file(&self, content_type: &str) -> Result<(Bytes, Bytes, HeaderValue), Failure> {
        let boundary = &self.boundary;
        let mut parts: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| {
                let name = quoted(name);
                format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"
                )
            })
            .collect();
        let (name, file_name) = (quoted(&self.file_field), quoted(&self.file_name));
        parts.push(format!(
            "--{boundary}\r\nContent-Disposition: form-data; name={name}; filename={file_name}\r\n\
             Content-Type: {content_type}\r\n\r\n"
        ));
        let before = parts.concat();
        let after = format!("\r\n--{boundary}--\r\n");
        let content_type =
            content_type_value(&format!("multipart/form-data; boundary={boundary}"))?;
        Ok((before.into(), after.into(), content_type))
    }
}

/// As browsers write names (WHATWG HTML, "multipart/form-data encoding algorithm").
fn quoted(name: &str) -> String {
    let name = name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22");
    format!("\"{name}\"")
}

/// Sends the file while the next block of it is read.
pub(crate) struct FileBody {
    content: Arc<FileContent>,
    patience: Arc<Patience>,
    step: Step,
    left: u64,
}

enum Step {
    Before,
    /// The block at `offset` is being read.
    File {
        offset: u64,
        block: Blocking<io::Result<Bytes>>,
    },
    After,
    End,
}

impl FileBody {
    fn file_from(&self, offset: u64) -> Step {
        if offset < self.content.size {
            Step::File { offset, block: self.content.read(offset) }
        } else {
            Step::After
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.patience.touch();
        loop {
            let (piece, next) = match &mut self.step {
                Step::Before => (self.content.before.clone(), self.file_from(0)),
                Step::File { offset, block } => {
                    let offset = *offset;
                    let piece = match block.poll_join(context) {
                        Poll::Ready(Ok(piece)) => piece,
                        Poll::Ready(Err(error)) => {
                            self.step = Step::End;
                            return Poll::Ready(Some(Err(error)));
                        }
                        Poll::Pending => return Poll::Pending,
                    };
                    self.content.job.progress.add(piece.len());
                    let next = self.file_from(offset + piece.len() as u64);
                    (piece, next)
                }
                Step::After => (self.content.after.clone(), Step::End),
                Step::End => return Poll::Ready(None),
            };
            self.step = next;
            if !piece.is_empty() {
                self.left -= piece.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::File { doing: "read", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_framed_as_the_rfc_has_it_and_names_cannot_break_out() {
        let form = Form {
            fields: vec![("title".to_owned(), "A \"mug\"".to_owned())],
            file_field: "file".to_owned(),
            file_name: "a\"\r\nX-B: c.png".to_owned(),
            boundary: "b0".to_owned(),
        };
        let (before, after, content_type) = form.around_the_file("image/png").unwrap();
        assert_eq!(content_type, "multipart/form-data; boundary=b0");
        let before = std::str::from_utf8(&before).unwrap();
        assert_eq!(
            before,
            "--b0\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA \"mug\"\r\n\
             --b0\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"a%22%0D%0AX-B: c.png\"\r\nContent-Type: image/png\r\n\r\n"
        );
        assert_eq!(after, "\r\n--b0--\r\n");
    }
}
