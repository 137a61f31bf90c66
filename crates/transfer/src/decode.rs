//! What arrives compressed, written as it was.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use crate::exchange::Reply;
use crate::failure::Failure;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
}

impl Encoding {
    pub(crate) fn of(reply: &Reply) -> Result<Self, Failure> {
        match reply.text_of(&http::header::CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => Ok(Self::Plain),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some(other) => Err(Failure::Protocol {
                url: reply.shown(),
                what: format!("the answer is encoded as {other:?}, which was not asked for"),
            }),
        }
    }
}

/// Hands on to `Sink` what it is given, decoded.
pub(crate) enum Decoder<Sink: Write> {
    Plain(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
}

impl<Sink: Write> Decoder<Sink> {
    pub(crate) fn new(encoding: Encoding, sink: Sink) -> Self {
        match encoding {
            Encoding::Plain => Self::Plain(sink),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(sink))),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
        }
    }

    /// All has been written: fails if what was compressed is cut short.
    pub(crate) fn end(self) -> io::Result<Sink> {
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Gzip(decoder) => decoder.finish(),
        }
    }
}

/// Bytes in memory, up to a limit.
pub(crate) struct Limited {
    pub(crate) bytes: Vec<u8>,
    pub(crate) limit: u64,
}

/// What [`Limited`] says when it is full.
#[derive(Debug, thiserror::Error)]
#[error("more than the limit")]
pub(crate) struct Full;

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit {
            return Err(io::Error::other(Full));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "hello" twice, as two members: `printf hello | gzip -n`.
    const HELLO: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10,
        0x36, 5, 0, 0, 0,
    ];

    fn decode(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::new(Encoding::Gzip, Limited { bytes: Vec::new(), limit });
        for byte in bytes {
            decoder.write_all(&[*byte])?;
        }
        decoder.end().map(|sink| sink.bytes)
    }

    #[test]
    fn members_follow_one_another() {
        assert_eq!(decode(&[HELLO, HELLO].concat(), 100).unwrap(), b"hellohello");
    }

    #[test]
    fn what_is_cut_short_or_wrong_is_an_error() {
        assert!(decode(&HELLO[..20], 100).is_err());
        assert!(decode(b"hello", 100).is_err());
    }

    #[test]
    fn the_limit_is_for_what_comes_out() {
        assert!(decode(HELLO, 5).is_ok());
        assert!(decode(HELLO, 4).is_err());
    }
}
