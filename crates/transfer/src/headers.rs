//! The headers that a caller may send, and to whom.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::failure::Failure;

/// Checks the caller's headers: names and values as HTTP has them, none that we set ourselves.
pub(crate) fn parse(pairs: &[(String, String)], ours: &[HeaderName]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Failure::Argument(format!("{name:?} is no name of a header")))?;
        if OURS.contains(&parsed) || ours.contains(&parsed) {
            return Err(Failure::Argument(format!(
                "the header {name:?} is set by the transfer itself; leave it out"
            )));
        }
        // The value may be a secret: it is not repeated.
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Failure::Argument(format!(
                "the value of the header {name:?} holds a line break or another character that a \
                 header cannot hold"
            ))
        })?;
        value.set_sensitive(!HARMLESS.contains(&parsed));
        headers.append(parsed, value);
    }
    Ok(headers)
}

/// What may go to another origin than the one the caller named: it can hold no secret.
pub(crate) fn harmless(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| HARMLESS.contains(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// They say how the message is framed, or who is meant.
const OURS: &[HeaderName] = &[
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const HARMLESS: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::USER_AGENT,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn a_header_cannot_be_smuggled_into_another() {
        for (name, value) in [("X-A", "1\r\nX-B: 2"), ("X-A\r\nX-B", "2"), ("X A", ""), ("", "")] {
            assert!(parse(&pair(name, value), &[]).is_err(), "{name:?}: {value:?}");
        }
        let failure = parse(&pair("X-Token", "s3cret\n"), &[]).unwrap_err();
        assert!(!failure.to_string().contains("s3cret"));
    }

    #[test]
    fn what_frames_the_message_is_ours() {
        assert!(parse(&pair("Content-Length", "3"), &[]).is_err());
        assert!(parse(&pair("Range", "bytes=0-"), &[]).is_ok());
        assert!(parse(&pair("Range", "bytes=0-"), &[header::RANGE]).is_err());
    }

    #[test]
    fn another_origin_sees_no_secret() {
        let pairs = [("Authorization", "Bearer x"), ("X-Api-Key", "x"), ("Accept", "a/b")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let harmless = harmless(&parse(&pairs, &[]).unwrap());
        assert_eq!(harmless.keys().collect::<Vec<_>>(), ["accept"]);
    }
}
