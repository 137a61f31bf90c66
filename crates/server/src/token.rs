//! Secrets: the server's own token, and how secrets of others are kept.

use std::fmt;
use std::sync::Arc;

use aiobpy_wire::Problem;
use subtle::ConstantTimeEq;

use crate::error::Failure;

/// What is kept of a secret that is not ours to know: enough to know it again. Secrets have 256 random
/// bits, so that nothing is to be guessed from when a look-up by digest takes how long.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(secret: &[u8]) -> Digest {
    *blake3::hash(secret).as_bytes()
}

/// The secret that every request has to carry, as `Authorization: Bearer …`.
#[derive(Clone)]
pub struct Token(Arc<str>);

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
        Ok(Self(random_digits::<{ Self::RANDOM_BYTES }>()?.into()))
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
        Ok(Self(text.into()))
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
    pub(crate) fn matches(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// So many random bytes, as hexadecimal digits.
pub(crate) fn random_digits<const BYTES: usize>() -> Result<String, Problem> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::no_randomness(&error))?;
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    Ok(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
}

/// RFC 6750's `b64token`.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    #[test]
    fn only_the_very_same_text_matches() {
        let token = Token::new(SECRET).unwrap();
        assert!(token.matches(SECRET.as_bytes()));
        for other in ["0123456789abcdeF", "0123456789abcde", "0123456789abcdef0", ""] {
            assert!(!token.matches(other.as_bytes()), "{other}");
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
