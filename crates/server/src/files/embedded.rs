//! Files that are part of the binary.

use axum::body::Bytes;
use axum::response::Response;
use http::Method;
use http::header::HeaderMap;

use crate::error::Failure;
use crate::files::conditions::Validators;
use crate::files::encoding::{self, Coding};
use crate::files::folder::content_type;
use crate::files::sending::{Content, Representation, respond};

/// A file, and what it is in fewer bytes, if it is.
#[derive(Debug)]
pub(crate) struct Embedded {
    /// As in `assets/index-4f2a.js`.
    pub(crate) name: &'static str,
    pub(crate) bytes: &'static [u8],
    pub(crate) brotli: Option<&'static [u8]>,
    pub(crate) gzip: Option<&'static [u8]>,
}

/// Answers a `GET` or a `HEAD` with a file of the binary, or the parts of it that the client asks for.
///
/// # Errors
/// The client wants another state of the file, or bytes that it does not have.
pub(crate) fn send_embedded(file: &Embedded, headers: &HeaderMap) -> Result<Response, Failure> {
    let compressed = encoding::accepted(headers).into_iter().find_map(|coding| {
        let bytes = match coding {
            Coding::Brotli => file.brotli,
            Coding::Gzip => file.gzip,
        };
        bytes.map(|bytes| (coding, bytes))
    });
    let (coding, bytes) = match compressed {
        Some((coding, bytes)) => (Some(coding), bytes),
        None => (None, file.bytes),
    };
    let tag = format!("\"{}\"", &blake3::hash(bytes).to_hex()[..32]);
    let file = Representation {
        content: Content::InMemory(Bytes::from_static(bytes)),
        bytes: bytes.len() as u64,
        validators: Validators { tag, modified: None },
        content_type: content_type(file.name),
        coding,
        is_negotiated: true,
    };
    respond(file, &Method::GET, headers)
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    const FILE: Embedded =
        Embedded { name: "a.js", bytes: b"whole", brotli: Some(b"br"), gzip: Some(b"gz") };

    fn asked(name: &'static str, value: &str) -> Response {
        let headers = std::iter::once((name.parse().unwrap(), value.parse().unwrap())).collect();
        send_embedded(&FILE, &headers).unwrap()
    }

    #[test]
    fn who_takes_it_compressed_gets_it_so() {
        for (accepted, coding, length) in [("br, gzip", "br", "2"), ("gzip", "gzip", "2")] {
            let answer = asked("accept-encoding", accepted);
            assert_eq!(answer.headers()[header::CONTENT_ENCODING], coding);
            assert_eq!(answer.headers()[header::CONTENT_LENGTH], length);
            assert_eq!(answer.headers()[header::VARY], "accept-encoding");
        }
        let answer = asked("accept-encoding", "identity");
        assert_eq!(answer.headers().get(header::CONTENT_ENCODING), None);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    }

    #[test]
    fn who_has_it_is_told_so() {
        let tag = asked("accept-encoding", "br").headers()[header::ETAG].clone();
        assert_eq!(asked("if-none-match", tag.to_str().unwrap()).status(), 200);
        let plain = asked("accept", "*/*").headers()[header::ETAG].clone();
        assert_eq!(asked("if-none-match", plain.to_str().unwrap()).status(), 304);
    }
}
