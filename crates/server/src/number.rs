//! Numbers as HTTP writes them: digits alone, where Rust allows a sign.

pub(crate) fn parse(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_alone() {
        assert_eq!(parse("007"), Some(7));
        for text in ["", "+7", "-7", " 7", "7.0", "18446744073709551616"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
