//! A whole answer in memory.

use bytes::Bytes;

use crate::address;
use crate::decode::{Decoder, Encoding, Full, Limited};
use crate::exchange::{Exchange, Reply};
use crate::failure::Failure;
use crate::transfers::Job;

/// An answer with its body.
#[derive(Debug)]
pub struct Answered {
    /// Who has answered, as errors may show it.
    pub url: String,
    /// The same, with its query.
    pub full_url: String,
    pub status: u16,
    /// As in `HTTP/2`.
    pub version: String,
    /// In the order in which they came; bytes that are no text are replaced.
    pub headers: Vec<(String, String)>,
    /// Decoded.
    pub body: Vec<u8>,
}

/// Bytes of an error's answer that are kept.
const OF_AN_ERROR: u64 = 64 << 10;

impl Answered {
    /// Reads the whole, up to `limit` bytes.
    pub(crate) async fn read(
        job: &Job,
        exchange: &Exchange,
        mut reply: Reply,
        limit: u64,
    ) -> Result<Self, Failure> {
        let too_large = |reply: &Reply| {
            let what = format!("the answer of {}", reply.shown());
            Failure::TooLarge { what, limit }
        };
        // Of the body that comes: the header of an answer to HEAD tells of another.
        if reply.response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large(&reply));
        }
        let encoding = Encoding::of(&reply)?;
        let mut pieces = Vec::new();
        let mut held = 0;
        while let Some(piece) = exchange.piece(&mut reply).await? {
            held += piece.len() as u64;
            if held > limit {
                return Err(too_large(&reply));
            }
            pieces.push(piece);
        }
        let decoded = job.block(move || decoded(encoding, &pieces, limit)).join().await;
        let body = decoded.map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<Full>() => too_large(&reply),
            _ => broken_encoding(&reply),
        })?;
        Ok(Self::of(&reply, body))
    }

    /// What a server says beside a status of 300 or more, as far as it goes.
    pub(crate) async fn refusal(exchange: &Exchange, mut reply: Reply) -> Failure {
        let mut pieces = Vec::new();
        let mut held = 0;
        while let Ok(Some(piece)) = exchange.piece(&mut reply).await
            && held < OF_AN_ERROR
        {
            held += piece.len() as u64;
            pieces.push(piece);
        }
        let encoding = Encoding::of(&reply).unwrap_or(Encoding::Plain);
        let body = decoded(encoding, &pieces, 2 * OF_AN_ERROR).unwrap_or_default();
        Failure::Status { answer: Box::new(Self::of(&reply, body)) }
    }

    fn of(reply: &Reply, body: Vec<u8>) -> Self {
        let headers = reply.response.headers().iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Self {
            url: address::shown(&reply.url),
            full_url: reply.url.to_string(),
            status: reply.status().as_u16(),
            version: version(reply),
            headers: headers.collect(),
            body,
        }
    }
}

/// As in `HTTP/1.1` and `HTTP/2`.
pub(crate) fn version(reply: &Reply) -> String {
    match format!("{:?}", reply.response.version()) {
        version if version == "HTTP/2.0" => "HTTP/2".to_owned(),
        version => version,
    }
}

pub(crate) fn broken_encoding(reply: &Reply) -> Failure {
    Failure::Network {
        url: reply.shown(),
        what: "what came is not the gzip that the server says it is, or was cut short".to_owned(),
    }
}

fn decoded(encoding: Encoding, pieces: &[Bytes], limit: u64) -> std::io::Result<Vec<u8>> {
    let mut decoder = Decoder::new(encoding, Limited { bytes: Vec::new(), limit });
    pieces.iter().try_for_each(|piece| decoder.write_all(piece))?;
    decoder.end().map(|sink| sink.bytes)
}
