//! What a client would like: the `Prefer` header of RFC 7240.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

use crate::number;

const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client would wait for the answer, `longest` at most; `None` if it does not say.
///
/// What cannot be understood is passed over, as the RFC wants.
pub(crate) fn wait(headers: &HeaderMap, longest: Duration) -> Option<Duration> {
    let values = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| value.split(','));
    let mut named_wait = preferences.filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    });
    // The first counts, if there are several.
    let seconds = number::parse(named_wait.next()?)?;
    Some(Duration::from_secs(seconds).min(longest))
}

/// Whether the client would rather not wait for the answer.
pub(crate) fn wants_no_wait(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    let mut names = values
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split([';', '=']).next());
    names.any(|name| name.trim().eq_ignore_ascii_case("respond-async"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn seconds(values: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_static(value));
        }
        wait(&headers, Duration::from_mins(5)).map(|wait| wait.as_secs())
    }

    #[test]
    fn the_first_wait_counts_wherever_it_stands() {
        assert_eq!(seconds(&["wait=30"]), Some(30));
        assert_eq!(seconds(&["respond-async, Wait = \"10\"; x=y, wait=20"]), Some(10));
        assert_eq!(seconds(&["return=minimal", "wait=5"]), Some(5));
        assert_eq!(seconds(&["wait=0"]), Some(0));
    }

    #[test]
    fn a_client_may_say_that_it_would_not_wait() {
        let says = |value: &'static str| {
            let headers = HeaderMap::from_iter([(PREFER, HeaderValue::from_static(value))]);
            wants_no_wait(&headers)
        };
        assert!(says("respond-async") && says("wait=10, Respond-Async; x"));
        assert!(!says("wait=10") && !says("respond-asynchronously"));
    }

    #[test]
    fn nobody_waits_longer_than_the_longest_wait() {
        assert_eq!(seconds(&["wait=100000"]), Some(300));
    }

    #[test]
    fn what_cannot_be_understood_is_passed_over() {
        for value in ["", "wait", "wait=", "wait=-1", "wait=soon", "waiting=5", "respond-async"] {
            assert_eq!(seconds(&[value]), None, "{value}");
        }
        assert_eq!(seconds(&[]), None);
    }
}
