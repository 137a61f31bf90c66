//! Requests that depend on what the client has already (RFC 9110, 13).

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName};
use httpdate::HttpDate;

/// What tells one state of a file from another.
#[derive(Clone, Debug)]
pub(crate) struct Validators {
    /// With its quotes.
    pub(crate) tag: String,
    pub(crate) modified: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request is answered as if there were no condition.
    Go,
    NotModified,
    Failed,
}

/// Decides a `GET` or a `HEAD`, in the order of RFC 9110, 13.2.2.
pub(crate) fn verdict(headers: &HeaderMap, validators: &Validators) -> Verdict {
    let Validators { tag, modified } = validators;
    if headers.contains_key(header::IF_MATCH) {
        if !names_tag(headers, header::IF_MATCH, tag, |listed| listed) {
            return Verdict::Failed;
        }
    } else if let Some(since) = date(headers, header::IF_UNMODIFIED_SINCE)
        && modified.is_some_and(|modified| HttpDate::from(modified) > since)
    {
        return Verdict::Failed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        if names_tag(headers, header::IF_NONE_MATCH, tag, strip_weakness) {
            return Verdict::NotModified;
        }
    } else if let Some(since) = date(headers, header::IF_MODIFIED_SINCE)
        && modified.is_some_and(|modified| HttpDate::from(modified) <= since)
    {
        return Verdict::NotModified;
    }
    Verdict::Go
}

/// Whether a `Range` is to be looked at: not if `If-Range` names another state of the file.
///
/// A date names one state only if the file did not change again in the same second.
pub(crate) fn if_range_holds(
    headers: &HeaderMap,
    validators: &Validators,
    now: SystemTime,
) -> bool {
    let mut values = headers.get_all(header::IF_RANGE).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return !headers.contains_key(header::IF_RANGE);
    };
    let Ok(text) = value.to_str() else { return false };
    if text.trim() == validators.tag {
        return true;
    }
    let (Some(modified), Ok(date)) = (validators.modified, text.parse::<HttpDate>()) else {
        return false;
    };
    let age = now.duration_since(modified).unwrap_or_default();
    HttpDate::from(modified) == date && age >= Duration::from_secs(2)
}

/// Whether a header lists a tag, or `*`.
fn names_tag(headers: &HeaderMap, name: HeaderName, tag: &str, key: fn(&str) -> &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|listed| listed == "*" || key(listed) == tag)
}

fn strip_weakness(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// A header that is no date counts as absent.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<HttpDate> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const CHANGED: &str = "Sat, 21 Nov 2026 07:00:00 GMT";
    const BEFORE: &str = "Sat, 21 Nov 2026 06:59:59 GMT";
    const AFTER: &str = "Sat, 21 Nov 2026 07:00:01 GMT";

    fn validators() -> Validators {
        let modified = SystemTime::from(CHANGED.parse::<HttpDate>().unwrap());
        // What lies within the second is not told, and must not count.
        let modified = modified + Duration::from_millis(500);
        Validators { tag: "\"tag\"".to_owned(), modified: Some(modified) }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn of(pairs: &[(&'static str, &'static str)]) -> Verdict {
        verdict(&headers(pairs), &validators())
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        assert_eq!(of(&[]), Verdict::Go);
        for tags in ["\"tag\"", "W/\"tag\"", "\"other\", \"tag\"", "*"] {
            assert_eq!(of(&[("if-none-match", tags)]), Verdict::NotModified, "{tags}");
        }
        assert_eq!(of(&[("if-none-match", "\"other\"")]), Verdict::Go);
        assert_eq!(of(&[("if-modified-since", CHANGED)]), Verdict::NotModified);
        assert_eq!(of(&[("if-modified-since", AFTER)]), Verdict::NotModified);
        assert_eq!(of(&[("if-modified-since", BEFORE)]), Verdict::Go);
        assert_eq!(of(&[("if-modified-since", "yesterday")]), Verdict::Go);
    }

    #[test]
    fn a_tag_says_more_than_a_date() {
        let both = [("if-none-match", "\"other\""), ("if-modified-since", AFTER)];
        assert_eq!(of(&both), Verdict::Go);
        let both = [("if-match", "\"tag\""), ("if-unmodified-since", BEFORE)];
        assert_eq!(of(&both), Verdict::Go);
    }

    #[test]
    fn who_wants_a_certain_state_and_no_other_is_refused_when_it_is_gone() {
        assert_eq!(of(&[("if-match", "\"tag\"")]), Verdict::Go);
        assert_eq!(of(&[("if-match", "*")]), Verdict::Go);
        assert_eq!(of(&[("if-match", "\"other\"")]), Verdict::Failed);
        assert_eq!(of(&[("if-match", "W/\"tag\"")]), Verdict::Failed);
        assert_eq!(of(&[("if-unmodified-since", BEFORE)]), Verdict::Failed);
        assert_eq!(of(&[("if-unmodified-since", CHANGED)]), Verdict::Go);
        let both = [("if-match", "\"tag\""), ("if-none-match", "\"tag\"")];
        assert_eq!(of(&both), Verdict::NotModified);
    }

    #[test]
    fn a_part_is_sent_of_the_state_that_it_belongs_to_alone() {
        let at = |date: &str| SystemTime::from(date.parse::<HttpDate>().unwrap());
        let holds = |value: &'static str, now: &str| {
            if_range_holds(&headers(&[("if-range", value)]), &validators(), at(now))
        };
        let later = "Sat, 21 Nov 2026 08:00:00 GMT";
        assert!(holds("\"tag\"", later));
        assert!(!holds("W/\"tag\"", later));
        assert!(!holds("\"other\"", later));
        assert!(holds(CHANGED, later));
        assert!(!holds(CHANGED, AFTER), "it may change once more within that second");
        assert!(!holds(AFTER, later));
        assert!(if_range_holds(&headers(&[]), &validators(), at(later)));
        let twice = headers(&[("if-range", "\"tag\""), ("if-range", "\"tag\"")]);
        assert!(!if_range_holds(&twice, &validators(), at(later)));
    }
}
