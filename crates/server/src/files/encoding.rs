//! Which compressed neighbour of a file a client would rather have (RFC 9110, 12.5.3).

use http::header::{self, HeaderMap};

/// How a file may lie compressed beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// As in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What the neighbour's name ends with.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }

    fn is_named(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name())
            || (self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip"))
    }
}

/// What the client takes, the dearest first. The file as it is always does.
pub(crate) fn accepted(headers: &HeaderMap) -> Vec<Coding> {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let mut weighed: Vec<(Coding, u16)> = Coding::ALL
        .into_iter()
        .filter_map(|coding| Some((coding, weight_of(coding, &values)?)))
        .filter(|(_, weight)| *weight > 0)
        .collect();
    // Stable: of two that are as dear, the smaller one comes first.
    weighed.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    weighed.into_iter().map(|(coding, _)| coding).collect()
}

/// In thousandths. `*` stands for what is not named.
fn weight_of(coding: Coding, values: &[&str]) -> Option<u16> {
    let mut by_star = None;
    for item in values.iter().flat_map(|value| value.split(',')) {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        if coding.is_named(name.trim()) {
            return weight(parameters);
        }
        if name.trim() == "*" {
            by_star = weight(parameters);
        }
    }
    by_star
}

/// 1000 without a `q`; `None` if there is one that is no weight.
fn weight(parameters: &str) -> Option<u16> {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return Some(1000);
    }
    let (name, value) = parameters.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of(value: &str) -> Vec<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
        accepted(&headers)
    }

    #[test]
    fn the_dearest_comes_first_and_brotli_before_gzip() {
        use Coding::{Brotli, Gzip};
        assert_eq!(of("gzip, deflate, br"), [Brotli, Gzip]);
        assert_eq!(of("gzip;q=1.0, br;q=0.5"), [Gzip, Brotli]);
        assert_eq!(of("x-gzip"), [Gzip]);
        assert_eq!(of("*"), [Brotli, Gzip]);
        assert_eq!(of("br;q=0, *;q=0.001"), [Gzip]);
    }

    #[test]
    fn what_is_not_named_or_is_forbidden_or_malformed_is_not_taken() {
        for value in ["", "identity", "br;q=0, gzip;q=0.000", "br;q=2", "br;q=0.0001", "br;x=1"] {
            assert_eq!(of(value), [], "{value}");
        }
        assert_eq!(accepted(&HeaderMap::new()), []);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_an_end_of_ours(value in "[ -~]{0,60}") {
            of(&value);
        }
    }
}
