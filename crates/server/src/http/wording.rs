//! What goes out on a connection of HTTP/1.1 besides the answers that hyper has from us: hints before an
//! answer, and ours in the place of what hyper makes up itself for what is no request.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock;
use crate::error::Failure;
use crate::harden::harden;
use crate::http::Heads;
use crate::trace::{REQUEST_ID, Trace};

/// A socket to which what hyper writes goes as it is, as long as it answers a request.
pub(super) struct Worded<S> {
    stream: S,
    heads: Heads,
    limit: usize,
    /// Ours, and how much of it has gone out.
    words: Vec<u8>,
    written: usize,
}

impl<S: AsyncWrite + Unpin> Worded<S> {
    /// `limit` is how many bytes of headers a request may have.
    pub(super) fn new(stream: S, heads: Heads, limit: usize) -> Self {
        Self { stream, heads, limit, words: Vec::new(), written: 0 }
    }

    /// Ours goes out before anything that hyper writes later.
    fn poll_words(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(hints) = self.heads.take_hints() {
            self.words.extend(hints);
        }
        while self.written < self.words.len() {
            let rest = &self.words[self.written..];
            let count = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        if self.written > 0 {
            (self.words, self.written) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether it is hyper's own answer: no request of the connection is under way, or being answered.
    /// If so, ours goes out in its place.
    fn replaces(&mut self, first: &[u8]) -> bool {
        if self.heads.is_owed() {
            return false;
        }
        let Some(status) = first.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)) else {
            return false;
        };
        let Ok(status) = StatusCode::from_bytes(status) else { return false };
        self.words.extend(answer(status, self.limit));
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Worded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Worded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_words(context))?;
        if self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_words(context))?;
        if slices.first().is_some_and(|first| self.replaces(first)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all that it has: what it has been given is answered.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_words(context))?;
        std::task::ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.heads.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_words(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A whole answer to what hyper could not read.
fn answer(status: StatusCode, limit: usize) -> Vec<u8> {
    let failure = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => {
            Failure::HeadTooLarge { limit }
        }
        _ => Failure::NotHttp,
    };
    let (parts, body) = harden(failure.into_response()).into_parts();
    // It is there already.
    let body = body.collect().now_or_never().and_then(Result::ok);
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut headers = parts.headers;
    headers.insert(REQUEST_ID, Trace::of(&HeaderMap::new()).id_header());
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Ok(date) = httpdate::fmt_http_date(clock::today()).try_into() {
        headers.insert(header::DATE, date);
    }
    let mut bytes = head_of(parts.status, &headers);
    bytes.extend_from_slice(&body);
    bytes
}

/// An interim answer that names what the answer will need (RFC 8297).
pub(crate) fn early_hints(links: &[HeaderValue]) -> Vec<u8> {
    let mut headers = HeaderMap::new();
    for link in links {
        headers.append(header::LINK, link.clone());
    }
    head_of(StatusCode::EARLY_HINTS, &headers)
}

/// The head of an answer as it is sent.
fn head_of(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What goes out of what is written.
    async fn sent(heads: &Heads, written: &[u8]) -> String {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut worded = Worded::new(near, heads.clone(), 1024);
        worded.write_all(written).await.unwrap();
        worded.shutdown().await.unwrap();
        let mut sent = String::new();
        far.read_to_string(&mut sent).await.unwrap();
        sent
    }

    #[tokio::test]
    async fn hypers_own_answer_becomes_ours() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        let sent = sent(&Heads::new(), bare).await;
        assert!(sent.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{sent}");
        for part in ["headers-too-large", "nosniff", "problem+json", "connection: close", "date: "]
        {
            assert!(sent.contains(part), "{part}: {sent}");
        }
        assert_eq!(sent.matches("HTTP/1.1").count(), 1);
    }

    #[tokio::test]
    async fn an_answer_to_a_request_stays_as_it_is() {
        let heads = Heads::new();
        heads.came();
        let own = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(sent(&heads, own).await.as_bytes(), own);
        // Its body has been taken from us, but is not all out.
        drop(heads.while_answered(axum::body::Body::empty()));
        assert_eq!(sent(&heads, own).await.as_bytes(), own);
    }

    #[tokio::test]
    async fn of_a_websocket_nothing_is_replaced() {
        let heads = Heads::new();
        heads.came();
        heads.end();
        drop(heads.while_answered(axum::body::Body::empty()));
        heads.flushed();
        assert_eq!(
            sent(&heads, b"HTTP/1.1 400 Bad Request\r\n").await,
            "HTTP/1.1 400 Bad Request\r\n"
        );
    }

    #[tokio::test]
    async fn hints_go_out_before_the_answer() {
        let heads = Heads::new();
        heads.came();
        heads.hint(b"HTTP/1.1 103 Early Hints\r\n\r\n");
        let sent = sent(&heads, b"HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!(sent, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    }
}
