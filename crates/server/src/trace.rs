//! By what a request is found again: its id, and its place in a W3C trace
//! (<https://www.w3.org/TR/trace-context/>).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use http::header::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const LONGEST_ID: usize = 64;

/// An extension of each request.
#[derive(Clone, Debug)]
pub struct Trace {
    pub request_id: Arc<str>,
    /// The trace's id.
    whole: u128,
    /// Of what happens here.
    span_id: u64,
    is_sampled: bool,
}

impl Trace {
    /// Takes over what the client has sent, if it is sane; else begins anew.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let span_id = unique();
        let request_id = match only(headers, &REQUEST_ID).filter(|id| is_sane(id)) {
            Some(id) => id.into(),
            None => hexadecimal(span_id),
        };
        let (whole, is_sampled) = only(headers, &TRACEPARENT)
            .and_then(parse)
            .unwrap_or_else(|| (u128::from(unique()) << 64 | u128::from(span_id), false));
        Self { request_id, whole, span_id, is_sampled }
    }

    /// The value of a `traceparent` header for what is done now in the name of one that had this.
    pub(crate) fn passed_on(parent: &str) -> Option<String> {
        let (whole, is_sampled) = parse(parent)?;
        let (request_id, span_id) = (Arc::default(), unique());
        Some(Self { request_id, whole, span_id, is_sampled }.parent())
    }

    /// The value of a `traceparent` header for what is done in the name of this request.
    pub fn parent(&self) -> String {
        let Self { whole, span_id, is_sampled, .. } = self;
        let mut text = String::with_capacity("00--".len() + 32 + 16 + "-00".len());
        text.push_str("00-");
        text.extend(digits::<32>(&whole.to_be_bytes()).map(char::from));
        text.push('-');
        text.extend(digits::<16>(&span_id.to_be_bytes()).map(char::from));
        text.push_str(if *is_sampled { "-01" } else { "-00" });
        text
    }

    pub(crate) fn id_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.request_id).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.parent())
    }
}

/// 16 digits.
fn hexadecimal(number: u64) -> Arc<str> {
    str::from_utf8(&digits::<16>(&number.to_be_bytes())).unwrap_or_default().into()
}

/// Two digits for each byte.
fn digits<const COUNT: usize>(bytes: &[u8]) -> [u8; COUNT] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|place| {
        let byte = bytes[place / 2];
        DIGITS[usize::from(if place.is_multiple_of(2) { byte >> 4 } else { byte & 15 })]
    })
}

/// The trace's id, and whether it is sampled. A later version may have more at its end.
fn parse(text: &str) -> Option<(u128, bool)> {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags, rest @ ..] = parts.as_slice() else { return None };
    let is_hexadecimal = |text: &str, length: usize| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.len() == length && text.bytes().all(is_digit)
    };
    let lengths = [(version, 2), (trace, 32), (parent, 16), (flags, 2)];
    if !lengths.iter().all(|(text, length)| is_hexadecimal(text, *length)) {
        return None;
    }
    if **version == *"ff" || (**version == *"00" && !rest.is_empty()) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
    let _parent = u64::from_str_radix(parent, 16).ok().filter(|parent| *parent != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace, flags & 1 == 1))
}

fn only<'headers>(headers: &'headers HeaderMap, name: &HeaderName) -> Option<&'headers str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn is_sane(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_plain)
}

/// Unlike any other of this process, and very likely of any: no secret.
fn unique() -> u64 {
    static FIRST: LazyLock<u64> = LazyLock::new(|| {
        let mut bytes = [0; 8];
        // Without randomness the ids of two processes may be the same; that is all.
        let _poorer = getrandom::fill(&mut bytes);
        u64::from_ne_bytes(bytes)
    });
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Spreads neighbours over all bits, each to a place of its own (splitmix64).
    let mut bits = FIRST.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(pairs: &[(&'static str, &str)]) -> Trace {
        let pairs = pairs.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        Trace::of(&pairs.collect())
    }

    #[test]
    fn an_id_is_taken_over_if_it_is_sane() {
        assert_eq!(&*trace(&[("x-request-id", "Job-7.a_b")]).request_id, "Job-7.a_b");
        for odd in ["", "a b", "a\tb", "a<b>", &"x".repeat(65)] {
            let made = trace(&[("x-request-id", odd)]).request_id;
            assert_eq!(made.len(), 16, "{odd:?}");
        }
        assert_ne!(trace(&[]).request_id, trace(&[]).request_id);
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_its_own() {
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{trace_id}-00f067aa0ba902b7-01");
        let ours = trace(&[("traceparent", &parent)]).parent();
        assert!(ours.starts_with(&format!("00-{trace_id}-")) && ours.ends_with("-01"), "{ours}");
        assert_ne!(ours, parent);
        assert_eq!(ours.len(), parent.len());
    }

    #[test]
    fn what_is_done_later_is_of_the_same_trace() {
        let ours = trace(&[]).parent();
        let passed_on = Trace::passed_on(&ours).unwrap();
        assert_eq!(passed_on[..36], ours[..36]);
        assert_ne!(passed_on, ours);
        assert_eq!(Trace::passed_on("what another version has kept"), None);
    }

    #[test]
    fn what_is_no_trace_begins_one() {
        let zeros = "0".repeat(32);
        for odd in [
            String::new(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7".to_owned(),
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x".to_owned(),
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01".to_owned(),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(parse(&odd), None, "{odd}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(parse(later).is_some());
    }
}
