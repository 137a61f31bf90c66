//! Digests of what passes by.

use ring::digest::{self, Context};

/// A digest under way.
#[derive(Clone)]
pub(crate) enum Digest {
    Sha(Box<Context>),
    Blake3(Box<blake3::Hasher>),
}

impl Digest {
    /// By its name, as in Python's `hashlib`; `blake3` besides.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let algorithm = match name {
            "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            "sha256" => &digest::SHA256,
            "sha384" => &digest::SHA384,
            "sha512" => &digest::SHA512,
            "blake3" => return Some(Self::Blake3(Box::default())),
            _ => return None,
        };
        Some(Self::Sha(Box::new(Context::new(algorithm))))
    }

    pub(crate) fn sha256() -> Self {
        Self::Sha(Box::new(Context::new(&digest::SHA256)))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha(context) => context.update(bytes),
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    /// In lower-case hexadecimal digits.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Sha(context) => hex(context.finish().as_ref()),
            Self::Blake3(hasher) => hasher.finalize().to_hex().to_string(),
        }
    }
}

pub(crate) const NAMES: &str = "sha1, sha256, sha384, sha512 and blake3";

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        let of_abc = |name| {
            let mut digest = Digest::named(name).unwrap();
            digest.update(b"a");
            digest.update(b"bc");
            digest.text()
        };
        assert!(of_abc("sha256").starts_with("ba7816bf8f01cfea414140de5dae2223b00361a3"));
        assert_eq!(of_abc("sha1"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(of_abc("blake3").starts_with("6437b3ac38465133ffb63b75273a8db5"));
        assert!(Digest::named("md5").is_none());
    }
}
