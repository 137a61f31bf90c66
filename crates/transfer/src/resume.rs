//! Whether what has come of a file may be gone on with. Functions of values.
//!
//! RFC 9110: section 13.1.5 (If-Range), 14 (ranges), 8.8 (validators).

use http::header::{self, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::Digest;

/// What is noted beside a part: enough to find out whether the server still has the same file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// A digest of the address: the address itself may hold a signature.
    pub(crate) source: String,
    /// A strong one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) etag: Option<String>,
    /// Only one that tells versions apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) total: Option<u64>,
}

/// The rest of a file, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeAsk {
    pub(crate) offset: u64,
    /// Without one, the caller's sha256 will tell.
    pub(crate) if_range: Option<String>,
    total: Option<u64>,
}

/// What an answer means for the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The rest comes.
    GoOn,
    /// The whole comes.
    FromTheStart,
    /// What comes does not go with the part: forget the part and ask again.
    AskForAll,
    /// No file comes.
    Refused,
}

/// What of the caller's order matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust<'a> {
    /// The addresses that the caller says have the same file, by their digests.
    pub(crate) same: &'a [String],
    /// Whether the whole will be checked against a sha256.
    pub(crate) has_sha256: bool,
}

impl Note {
    /// Of an answer with a status of 200 or 206.
    pub(crate) fn of(source: String, headers: &HeaderMap, total: Option<u64>) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let etag = text(header::ETAG).filter(|etag| etag.starts_with('"'));
        let last_modified = text(header::LAST_MODIFIED)
            .filter(|modified| is_strong_date(modified, text(header::DATE)));
        Self {
            source,
            etag: etag.map(str::to_owned),
            last_modified: last_modified.map(str::to_owned),
            total,
        }
    }

    fn validator(&self) -> Option<&str> {
        self.etag.as_deref().or(self.last_modified.as_deref())
    }

    /// Whether a part with this note is worth keeping for later.
    pub(crate) fn is_of_use(&self, has_sha256: bool) -> bool {
        has_sha256 || self.validator().is_some()
    }
}

/// How to ask `source` for what comes after the first `len` bytes, if that makes sense.
pub(crate) fn ask(
    note: Option<&Note>,
    len: u64,
    source: &str,
    trust: Trust<'_>,
) -> Option<RangeAsk> {
    let note = note.filter(|_| len > 0)?;
    if note.total.is_some_and(|total| len >= total) {
        return None;
    }
    let is_same = note.source == source;
    let is_known = is_same || trust.same.contains(&note.source);
    let if_range = note.validator().filter(|_| is_same || !trust.has_sha256);
    if !trust.has_sha256 && (!is_known || if_range.is_none()) {
        return None;
    }
    // From elsewhere, with nothing that says it is the same: at least its length has to be.
    if !is_same && if_range.is_none() && note.total.is_none() {
        return None;
    }
    Some(RangeAsk { offset: len, if_range: if_range.map(str::to_owned), total: note.total })
}

/// What to do with an answer's head.
pub(crate) fn plan(asked: Option<&RangeAsk>, status: u16, headers: &HeaderMap) -> Plan {
    match (status, asked) {
        (200 | 203, _) => Plan::FromTheStart,
        (206, Some(asked)) if goes_on(asked, headers) => Plan::GoOn,
        (206 | 412 | 416, Some(_)) => Plan::AskForAll,
        _ => Plan::Refused,
    }
}

fn goes_on(asked: &RangeAsk, headers: &HeaderMap) -> bool {
    let Some((start, total)) = headers.get(header::CONTENT_RANGE).and_then(content_range) else {
        return false;
    };
    let etag = headers.get(header::ETAG).map(HeaderValue::as_bytes);
    let is_another =
        |sent: &String| sent.starts_with('"') && etag.is_some_and(|etag| etag != sent.as_bytes());
    start == asked.offset
        && (total.is_none() || asked.total.is_none() || total == asked.total)
        && !asked.if_range.as_ref().is_some_and(is_another)
        && !headers.contains_key(header::CONTENT_ENCODING)
}

/// The first byte and the length of the whole, of `bytes 5-9/10` or `bytes 5-9/*`.
pub(crate) fn content_range(value: &HeaderValue) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.to_str().ok()?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.trim().split_once('-')?;
    let (start, end) = (number(start)?, number(end)?);
    let total = match total.trim() {
        "*" => None,
        total => Some(number(total)?),
    };
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, total))
}

/// Digits alone, where Rust allows a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A date tells two versions apart only if the answer is younger by more than its grain.
fn is_strong_date(modified: &str, date: Option<&str>) -> bool {
    let Ok(modified) = httpdate::parse_http_date(modified) else { return false };
    let Some(Ok(date)) = date.map(httpdate::parse_http_date) else { return false };
    date.duration_since(modified).is_ok_and(|age| age.as_secs() >= 1)
}

/// Names an address in a note.
pub(crate) fn source_of(url: &Url) -> String {
    let mut digest = Digest::sha256();
    digest.update(url.as_str().as_bytes());
    digest.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    fn note(etag: Option<&str>, total: Option<u64>) -> Note {
        let etag = etag.map(str::to_owned);
        Note { source: "here".to_owned(), etag, last_modified: None, total }
    }

    const ALONE: Trust<'_> = Trust { same: &[], has_sha256: false };
    const CHECKED: Trust<'_> = Trust { same: &[], has_sha256: true };

    #[test]
    fn the_rest_is_asked_for_where_the_server_can_tell_versions_apart() {
        let asked = ask(Some(&note(Some("\"v1\""), Some(10))), 4, "here", ALONE).unwrap();
        assert_eq!((asked.offset, asked.if_range.as_deref()), (4, Some("\"v1\"")));
        assert_eq!(ask(Some(&note(None, Some(10))), 4, "here", ALONE), None);
        assert_eq!(ask(Some(&note(Some("\"v1\""), Some(10))), 0, "here", ALONE), None);
        assert_eq!(ask(Some(&note(Some("\"v1\""), Some(10))), 10, "here", ALONE), None);
        assert_eq!(ask(None, 4, "here", ALONE), None);
    }

    #[test]
    fn another_address_goes_on_only_if_the_caller_says_that_it_has_the_same_file() {
        let part = note(Some("\"v1\""), Some(10));
        assert_eq!(ask(Some(&part), 4, "there", ALONE), None);
        let mirrors = ["here".to_owned(), "there".to_owned()];
        let trust = Trust { same: &mirrors, has_sha256: false };
        assert!(ask(Some(&part), 4, "there", trust).unwrap().if_range.is_some());
    }

    #[test]
    fn with_a_sha256_any_address_with_a_file_of_that_length_goes_on() {
        let part = note(Some("\"v1\""), Some(10));
        assert_eq!(ask(Some(&part), 4, "there", CHECKED).unwrap().if_range, None);
        assert!(ask(Some(&part), 4, "here", CHECKED).unwrap().if_range.is_some());
        assert_eq!(ask(Some(&note(None, None)), 4, "there", CHECKED), None);
    }

    #[test]
    fn only_the_very_range_that_was_asked_for_is_appended() {
        let asked = ask(Some(&note(Some("\"v1\""), Some(10))), 4, "here", ALONE);
        let plan = |status, pairs: &[_]| plan(asked.as_ref(), status, &headers(pairs));
        assert_eq!(plan(206, &[("content-range", "bytes 4-9/10")]), Plan::GoOn);
        assert_eq!(plan(206, &[("content-range", "bytes 4-9/*")]), Plan::GoOn);
        for range in [
            "bytes 3-9/10",
            "bytes 4-9/11",
            "bytes 9-4/10",
            "4-9/10",
            "bytes */10",
            "bytes +4-9/10",
        ] {
            let came = HeaderMap::from_iter([(
                header::CONTENT_RANGE,
                HeaderValue::from_str(range).unwrap(),
            )]);
            assert_eq!(super::plan(asked.as_ref(), 206, &came), Plan::AskForAll, "{range}");
        }
        assert_eq!(plan(206, &[]), Plan::AskForAll);
        let another = [("content-range", "bytes 4-9/10"), ("etag", "\"v2\"")];
        assert_eq!(plan(206, &another), Plan::AskForAll);
        let encoded = [("content-range", "bytes 4-9/10"), ("content-encoding", "gzip")];
        assert_eq!(plan(206, &encoded), Plan::AskForAll);
    }

    #[test]
    fn a_server_without_ranges_sends_the_whole() {
        let asked = ask(Some(&note(Some("\"v1\""), None)), 4, "here", ALONE);
        assert_eq!(plan(asked.as_ref(), 200, &HeaderMap::new()), Plan::FromTheStart);
        assert_eq!(plan(asked.as_ref(), 416, &HeaderMap::new()), Plan::AskForAll);
        assert_eq!(plan(asked.as_ref(), 404, &HeaderMap::new()), Plan::Refused);
        assert_eq!(plan(None, 206, &HeaderMap::new()), Plan::Refused);
        assert_eq!(plan(None, 204, &HeaderMap::new()), Plan::Refused);
    }

    #[test]
    fn weak_validators_are_not_noted() {
        let old = "Sun, 06 Nov 1994 08:49:37 GMT";
        let later = "Sun, 06 Nov 1994 08:49:38 GMT";
        let noted = |pairs: &[_]| Note::of(String::new(), &headers(pairs), None);
        assert_eq!(noted(&[("etag", "W/\"v1\"")]).etag, None);
        assert_eq!(noted(&[("last-modified", old), ("date", old)]).last_modified, None);
        assert_eq!(noted(&[("last-modified", old)]).last_modified, None);
        assert!(noted(&[("last-modified", old), ("date", later)]).last_modified.is_some());
        assert!(noted(&[("etag", "\"v1\"")]).etag.is_some());
    }
}
