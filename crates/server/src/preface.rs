//! What a client speaks, by the first bytes that it sends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// With which HTTP/2 begins where nothing was agreed on before (RFC 9113, 3.4).
const HTTP_2: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    Http1,
    Http2,
    Tls,
}

/// Reads until it is clear what is spoken: no more than the 24 bytes of HTTP/2's preface.
///
/// # Errors
/// The client has gone, or it cannot be read from.
pub(crate) async fn listen_to<S: AsyncRead + Unpin>(
    mut stream: S,
) -> io::Result<(Spoken, Rewound<S>)> {
    let mut heard = Vec::with_capacity(HTTP_2.len());
    let spoken = loop {
        if let Some(spoken) = decide(&heard) {
            break spoken;
        }
        let mut rest = (&mut stream).take((HTTP_2.len() - heard.len()) as u64);
        if rest.read_buf(&mut heard).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    Ok((spoken, Rewound { heard, taken: 0, stream }))
}

/// `None` as long as it may be one or the other.
fn decide(heard: &[u8]) -> Option<Spoken> {
    match heard {
        [] => None,
        [HANDSHAKE, ..] => Some(Spoken::Tls),
        _ if heard == HTTP_2 => Some(Spoken::Http2),
        _ if HTTP_2.starts_with(heard) => None,
        _ => Some(Spoken::Http1),
    }
}

/// A stream from its beginning, though some of it has been read.
#[derive(Debug)]
pub(crate) struct Rewound<S> {
    heard: Vec<u8>,
    /// How much of it has been read again.
    taken: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.heard.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let rest = &this.heard[this.taken..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.taken += count;
        if this.taken == this.heard.len() {
            this.heard = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_bytes_tell_what_is_spoken() {
        assert_eq!(decide(b""), None);
        assert_eq!(decide(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"), None);
        assert_eq!(decide(HTTP_2), Some(Spoken::Http2));
        assert_eq!(decide(b"PRI * HTTP/1.1"), Some(Spoken::Http1));
        assert_eq!(decide(b"P"), None);
        assert_eq!(decide(b"POST"), Some(Spoken::Http1));
        assert_eq!(decide(b"G"), Some(Spoken::Http1));
        assert_eq!(decide(&[HANDSHAKE, 3, 1]), Some(Spoken::Tls));
    }

    proptest! {
        #[test]
        fn nothing_that_was_heard_is_lost(bytes in prop::collection::vec(any::<u8>(), 1..80)) {
            // Followed by what is none of the three, so that there is a decision.
            let sent = [&bytes[..], b"\r\n\r\n and so on, to the end of the preface"].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = runtime.block_on(async {
                let (_, mut stream) = listen_to(&sent[..]).await.unwrap();
                let mut read = Vec::new();
                stream.read_to_end(&mut read).await.unwrap();
                read
            });
            prop_assert_eq!(read, sent);
        }
    }
}
