//! Who may ask: whoever sends the token.

use std::fmt;
use std::sync::Arc;

use aiobpy_wire::{Problem, Scope};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header;
use subtle::ConstantTimeEq;

use crate::error::Failure;
use crate::shared::Shared;

/// The secret that every request has to carry, as `Authorization: Bearer …`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The environment variable that may give the token.
    pub const VARIABLE: &str = "AIOBPY_TOKEN";
    const SHORTEST: usize = 16;
    const RANDOM_BYTES: usize = 32;

    /// A new token of 256 random bits.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn random() -> Result<Self, Problem> {
        let mut bytes = [0_u8; Self::RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| Failure::no_randomness(&error))?;
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        Ok(Self(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()))
    }

    /// A token that somebody has chosen.
    ///
    /// # Errors
    /// It is shorter than 16 characters, or no HTTP header can carry it.
    pub fn new(text: impl Into<String>) -> Result<Self, Problem> {
        let text = text.into();
        if text.len() < Self::SHORTEST || !text.bytes().all(is_token_character) {
            return Err(Failure::unusable_token(Self::SHORTEST));
        }
        Ok(Self(text))
    }

    /// The token of `AIOBPY_TOKEN` if that is set and not empty, else a random one.
    ///
    /// # Errors
    /// As [`Token::new`] and [`Token::random`].
    pub fn from_environment_or_random() -> Result<Self, Problem> {
        match std::env::var(Self::VARIABLE) {
            Ok(text) if !text.is_empty() => Self::new(text),
            _ => Self::random(),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the same time wherever the first difference is.
    fn matches(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// Who asks, and how much that one may do: an extension of each request that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// As the user knows it; `token` for whoever has the server's own.
    pub name: Arc<str>,
    pub scope: Scope,
}

impl Principal {
    fn of_token() -> Self {
        Self { name: "token".into(), scope: Scope::Files }
    }

    pub(crate) fn may(&self, scope: Scope) -> Result<(), Failure> {
        if self.scope >= scope {
            return Ok(());
        }
        Err(Failure::NotAllowed { needed: scope, given: self.scope })
    }
}

pub(crate) async fn authorise(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    match check(&shared.token, request.headers()) {
        Ok(()) => {
            request.extensions_mut().insert(Principal::of_token());
            next.run(request).await
        }
        Err(failure) => shared.refuse(request, failure).await,
    }
}

pub(crate) fn check(token: &Token, headers: &HeaderMap) -> Result<(), Failure> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else {
        return Err(Failure::NoToken);
    };
    let Some((scheme, secret)) = split_at_space(given.as_bytes()) else {
        return Err(Failure::NoToken);
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Failure::NoToken);
    }
    if !token.matches(secret) {
        return Err(Failure::WrongToken);
    }
    Ok(())
}

fn split_at_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    Some((&text[..space], text[space..].trim_ascii()))
}

/// RFC 6750's `b64token`.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn check_with(values: &[&'static str]) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        check(&Token::new(SECRET).unwrap(), &headers)
    }

    #[test]
    fn the_token_opens_and_the_scheme_may_be_in_any_case() {
        assert!(check_with(&["Bearer 0123456789abcdef"]).is_ok());
        assert!(check_with(&["bearer  0123456789abcdef"]).is_ok());
    }

    #[test]
    fn without_one_bearer_token_there_is_no_token() {
        for values in [
            &[][..],
            &["Bearer"],
            &["Basic 0123456789abcdef"],
            &["0123456789abcdef"],
            &["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"],
        ] {
            assert!(matches!(check_with(values), Err(Failure::NoToken)), "{values:?}");
        }
    }

    #[test]
    fn any_other_token_is_wrong() {
        for value in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer ",
        ] {
            assert!(matches!(check_with(&[value]), Err(Failure::WrongToken)), "{value}");
        }
    }

    #[test]
    fn random_tokens_are_long_and_differ() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.as_str().len(), 64);
        assert_ne!(one.as_str(), other.as_str());
    }

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Token::new(SECRET).unwrap()).contains(SECRET));
    }

    #[test]
    fn a_chosen_token_must_be_long_and_fit_into_a_header() {
        assert!(Token::new("short").is_err());
        assert!(Token::new("0123456789abcdef\r\nX: y").is_err());
        assert!(Token::new("0123456789 abcdef").is_err());
    }
}
