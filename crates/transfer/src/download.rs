//! A file from the network to its place on the disk.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::address::Address;
use crate::answer::{self, Answered};
use crate::decode::Encoding;
use crate::exchange::{Ask, Exchange, Manners, Reply};
use crate::failure::Failure;
use crate::part::{self, Part};
use crate::resume::{self, Note, Plan, RangeAsk, Trust};
use crate::transfers::Job;
use crate::writer::{SharedPart, Writer};

/// A file that is wanted.
#[derive(Debug)]
pub struct Download {
    /// Addresses that have the same file, tried in order.
    pub urls: Vec<String>,
    /// Where it is to be; a part of it stands beside meanwhile.
    pub target: PathBuf,
    /// What it has to be, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Whether to go on with a part that is there, and to leave one that is of use.
    pub resume: bool,
    /// Whether the server may compress it on the way; what is compressed cannot be gone on with.
    pub compressed: bool,
    /// How often an address may fail in a passing way without having got any further.
    pub retries: u32,
    pub manners: Manners,
}

/// A file that is in its place.
#[derive(Debug)]
pub struct Downloaded {
    pub path: PathBuf,
    pub size: u64,
    /// If it was checked.
    pub sha256: Option<String>,
    /// Who gave it at last.
    pub url: String,
    /// Bytes that had come before.
    pub resumed_from: u64,
    /// As in `HTTP/2`.
    pub version: String,
}

/// Set by us: a caller's would be at odds with ours.
const OURS: &[HeaderName] = &[header::ACCEPT_ENCODING, header::IF_RANGE, header::RANGE];
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A server that asks for a longer pause than this has failed.
const LONGEST_PAUSE_ON_REQUEST: Duration = Duration::from_mins(1);

pub(crate) async fn download(job: &Job, order: Download) -> Result<Downloaded, Failure> {
    let addresses =
        order.urls.iter().map(|url| Address::parse(url)).collect::<Result<Vec<_>, _>>()?;
    let sha256 = order.sha256.as_deref().map(checked_sha256).transpose()?;
    let exchange = Exchange::new(job, order.manners, OURS).await?;
    let (target, resume, is_checked) = (order.target.clone(), order.resume, sha256.is_some());
    let part = job.block(move || Part::open(target, resume, is_checked)).join().await?;
    let sources: Vec<_> = addresses.iter().map(|address| resume::source_of(&address.url)).collect();
    let run = Run {
        job,
        exchange: &exchange,
        part: SharedPart::new(part),
        trust: Trust { same: &sources, has_sha256: is_checked },
        sha256,
        compressed: order.compressed,
        retries: order.retries,
        target: order.target,
    };
    let mut failures = Vec::new();
    for (number, (address, source)) in addresses.iter().zip(&sources).enumerate() {
        // The caller's headers are for whom they were given; a mirror is somebody else.
        let is_first_origin = address.url.origin() == addresses[0].url.origin();
        match run.from(address, source, number == 0 || is_first_origin).await {
            Ok(downloaded) => return Ok(downloaded),
            Err(failure) if failure.is_of_this_address() => failures.push(failure),
            Err(failure) => return Err(failure),
        }
    }
    match failures.pop() {
        Some(only) if failures.is_empty() => Err(only),
        last => Err(Failure::Everywhere { failures: failures.into_iter().chain(last).collect() }),
    }
}

/// One download's own things.
struct Run<'a> {
    job: &'a Job,
    exchange: &'a Exchange,
    part: SharedPart,
    trust: Trust<'a>,
    sha256: Option<String>,
    compressed: bool,
    retries: u32,
    target: PathBuf,
}

impl Run<'_> {
    /// Tries one address, again and again while that may help.
    async fn from(
        &self,
        address: &Address,
        source: &str,
        with_headers: bool,
    ) -> Result<Downloaded, Failure> {
        let mut failed_in_a_row = 0;
        let mut farthest = self.part.lock().len();
        loop {
            let failure = match self.once(address, source, with_headers).await {
                Ok(downloaded) => return Ok(downloaded),
                Err(failure) => failure,
            };
            let len = self.part.lock().len();
            if len > farthest {
                (farthest, failed_in_a_row) = (len, 0);
            }
            if !failure.is_passing() || failed_in_a_row >= self.retries {
                return Err(failure);
            }
            let pause = pause_after(&failure, failed_in_a_row);
            failed_in_a_row += 1;
            let Some(pause) = pause else { return Err(failure) };
            tracing::debug!(%failure, ?pause, "a download pauses");
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks for what is missing and writes what comes.
    async fn once(
        &self,
        address: &Address,
        source: &str,
        with_headers: bool,
    ) -> Result<Downloaded, Failure> {
        if self.is_what_was_wanted() {
            return self.finish(address.url.to_string(), String::new()).await;
        }
        let ranged = {
            let part = self.part.lock();
            resume::ask(part.note(), part.len(), source, self.trust)
        };
        let mut reply = self.ask(address, ranged.as_ref(), with_headers).await?;
        let mut plan =
            resume::plan(ranged.as_ref(), reply.status().as_u16(), reply.response.headers());
        if plan == Plan::AskForAll {
            reply = self.ask(address, None, with_headers).await?;
            plan = resume::plan(None, reply.status().as_u16(), reply.response.headers());
        }
        let encoding = match plan {
            Plan::GoOn => {
                self.part.lock().patch();
                Encoding::Plain
            }
            Plan::FromTheStart => self.start(&reply, source).await?,
            Plan::AskForAll | Plan::Refused => return Err(self.refused(reply).await),
        };
        self.receive(&mut reply, encoding).await?;
        if self.sha256.is_some() && !self.is_what_was_wanted() {
            let was_patched = self.part.lock().is_patched();
            let failure = self.wrong_checksum(&reply).await?;
            // The old beginning may have been of another version: once more, from the start.
            return if was_patched {
                Box::pin(self.once(address, source, with_headers)).await
            } else {
                Err(failure)
            };
        }
        self.finish(reply.url.to_string(), answer::version(&reply)).await
    }

    async fn ask(
        &self,
        address: &Address,
        ranged: Option<&RangeAsk>,
        with_headers: bool,
    ) -> Result<Reply, Failure> {
        let encodings = if self.compressed && ranged.is_none() { "gzip" } else { "identity" };
        let mut own = HeaderMap::new();
        own.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings));
        if let Some(ranged) = ranged {
            let range = HeaderValue::from_str(&format!("bytes={}-", ranged.offset));
            own.extend(range.ok().map(|range| (header::RANGE, range)));
            let validator = ranged.if_range.as_deref().map(HeaderValue::from_str);
            own.extend(validator.and_then(Result::ok).map(|value| (header::IF_RANGE, value)));
        }
        let headers = self.exchange.headers();
        let headers = if with_headers { headers } else { crate::headers::harmless(&headers) };
        self.exchange.send(Ask::get(address.clone(), headers, own)).await
    }

    /// The whole comes: empties the part, and notes what comes.
    async fn start(&self, reply: &Reply, source: &str) -> Result<Encoding, Failure> {
        let encoding = Encoding::of(reply)?;
        let note = (encoding == Encoding::Plain)
            .then(|| Note::of(source.to_owned(), reply.response.headers(), reply.length()));
        let part = self.part.clone();
        self.job.block(move || part.lock().restart(note)).join().await?;
        Ok(encoding)
    }

    async fn receive(&self, reply: &mut Reply, encoding: Encoding) -> Result<(), Failure> {
        let (done, note_total) = {
            let part = self.part.lock();
            (part.len(), part.note().and_then(|note| note.total))
        };
        self.job.progress.begin(done, note_total.or_else(|| reply.length()));
        let mut writer = Writer::new(self.job, self.part.clone(), encoding);
        loop {
            match self.job.progress.beside(self.exchange.piece(reply)).await {
                Ok(Some(piece)) => {
                    let count = piece.len();
                    writer
                        .take(piece)
                        .await
                        .map_err(|error| self.unwritten(reply, encoding, error))?;
                    self.job.progress.add(count);
                }
                Ok(None) => break,
                Err(failure) => {
                    // What has come until then is gone on with.
                    let settled = writer.settle().await;
                    settled.map_err(|error| self.unwritten(reply, encoding, error))?;
                    return Err(failure);
                }
            }
        }
        writer.end().await.map_err(|error| self.unwritten(reply, encoding, error))?;
        let len = self.part.lock().len();
        match note_total {
            Some(total) if total != len => Err(Failure::Network {
                url: reply.shown(),
                what: format!("{len} bytes came, and not {total}"),
            }),
            _ => Ok(()),
        }
    }

    fn unwritten(&self, reply: &Reply, encoding: Encoding, error: io::Error) -> Failure {
        // The decoder's errors have no number; those of the disk have one.
        if encoding == Encoding::Gzip && error.raw_os_error().is_none() {
            return answer::broken_encoding(reply);
        }
        part::failed("write", &self.target)(error)
    }

    fn is_what_was_wanted(&self) -> bool {
        let part = self.part.lock();
        self.sha256.is_some() && part.len() > 0 && part.digest() == self.sha256
    }

    /// Empties the part: what has come is of no use to anybody.
    async fn wrong_checksum(&self, reply: &Reply) -> Result<Failure, Failure> {
        let actual = self.part.lock().digest().unwrap_or_default();
        let expected = self.sha256.clone().unwrap_or_default();
        let part = self.part.clone();
        self.job.block(move || part.lock().restart(None)).join().await?;
        Ok(Failure::Checksum { url: reply.shown(), expected, actual })
    }

    async fn refused(&self, reply: Reply) -> Failure {
        let status = reply.status();
        if status.as_u16() >= 300 {
            return Answered::refusal(self.exchange, reply).await;
        }
        let what = format!("the server answered {status}, which is no file");
        Failure::Protocol { url: reply.shown(), what }
    }

    async fn finish(&self, url: String, version: String) -> Result<Downloaded, Failure> {
        let part = self.part.clone();
        self.job.block(move || part.lock().finish()).join().await?;
        self.job.progress.end();
        let part = self.part.lock();
        Ok(Downloaded {
            path: self.target.clone(),
            size: part.len(),
            sha256: self.sha256.clone(),
            url,
            resumed_from: part.taken_over(),
            version,
        })
    }
}

fn checked_sha256(text: &str) -> Result<String, Failure> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(Failure::Argument(format!(
            "a sha256 has 64 hexadecimal digits, and {text:?} is none"
        )));
    }
    Ok(text.to_ascii_lowercase())
}

/// Twice as long each time, or as the server asks (RFC 9110, section 10.2.3); `None`: not at all.
fn pause_after(failure: &Failure, failed_in_a_row: u32) -> Option<Duration> {
    let ours = FIRST_PAUSE.saturating_mul(1 << failed_in_a_row.min(10)).min(LONGEST_PAUSE);
    let Failure::Status { answer } = failure else { return Some(ours) };
    let asked = answer
        .headers
        .iter()
        .find(|(name, _)| name == "retry-after")
        .and_then(|(_, value)| value.trim().parse().ok())
        .map(Duration::from_secs);
    match asked {
        Some(asked) if asked > LONGEST_PAUSE_ON_REQUEST => None,
        asked => Some(asked.unwrap_or(ours)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(retry_after: Option<&str>) -> Failure {
        let headers =
            retry_after.map(|value| ("retry-after".to_owned(), value.to_owned())).into_iter();
        Failure::Status {
            answer: Box::new(Answered {
                url: String::new(),
                full_url: String::new(),
                status: 503,
                version: String::new(),
                headers: headers.collect(),
                body: Vec::new(),
            }),
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let pause = |failed| pause_after(&unavailable(None), failed).unwrap().as_millis();
        assert_eq!([0, 1, 2, 40].map(pause), [500, 1000, 2000, 15_000]);
    }

    #[test]
    fn a_server_may_ask_for_a_pause_that_is_not_too_long() {
        let pause = |text| pause_after(&unavailable(Some(text)), 0);
        assert_eq!(pause("3"), Some(Duration::from_secs(3)));
        assert_eq!(pause("3600"), None);
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:00 GMT"), Some(FIRST_PAUSE));
    }

    #[test]
    fn a_sha256_is_hexadecimal() {
        assert!(checked_sha256(&"0A".repeat(32)).unwrap().starts_with("0a0a"));
        assert!(checked_sha256(&"0g".repeat(32)).is_err());
        assert!(checked_sha256("0a").is_err());
    }
}
