//! Which file below a folder a path means. Decided by its text alone.

/// A file or a folder, by the names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Below the folder that is served, with `/` between names; empty for that folder itself.
    pub(crate) path: String,
    /// Whether the path ends with a slash, and so can mean no file.
    pub(crate) is_folder: bool,
}

/// Reads the part of a path that lies below the folder.
///
/// `None` for what no file that is served may be called: names that begin with a dot, and those that
/// some system takes for more than a name, as Windows does `C:`, `NUL` and `..\`. They are refused on
/// every system, so that a site serves the same everywhere.
///
/// # Arguments
/// * `raw`: the whole path as it was sent: a slash that is encoded is no slash.
/// * `below`: the part below the folder, percent-decoded once.
pub(crate) fn address(raw: &str, below: &str) -> Option<Address> {
    if hides_a_separator(raw) {
        return None;
    }
    let (path, is_folder) = match below.strip_suffix('/') {
        Some(path) => (path, true),
        None => (below, below.is_empty()),
    };
    if !path.is_empty() && !path.split('/').all(is_plain_name) {
        return None;
    }
    Some(Address { path: path.to_owned(), is_folder })
}

impl Address {
    /// The last name, which tells the kind of a file.
    pub(crate) fn has_extension(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.contains('.') && !self.is_folder
    }

    /// Of a file in this folder.
    pub(crate) fn of_file(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

fn hides_a_separator(raw: &str) -> bool {
    let is_separator =
        |bytes: &[u8]| matches!(bytes, [b'%', b'2', b'f' | b'F'] | [b'%', b'5', b'c' | b'C']);
    raw.as_bytes().windows(3).any(is_separator)
}

fn is_plain_name(name: &str) -> bool {
    let is_odd = |letter: char| letter.is_control() || "\\<>:\"|?*".contains(letter);
    !name.is_empty()
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.contains(is_odd)
        && !is_device(name)
}

/// As Windows knows them, whatever follows a dot.
fn is_device(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = |port: &str| {
        let number = stem.strip_prefix(port);
        number.is_some_and(|number| {
            let mut letters = number.chars();
            let is_digit = |letter: char| letter.is_ascii_digit() || "¹²³".contains(letter);
            letters.next().is_some_and(is_digit) && letters.next().is_none()
        })
    };
    DEVICES.contains(&stem.as_str()) || is_port("COM") || is_port("LPT")
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn of(raw: &str) -> Option<Address> {
        address(raw, &percent_decode_str(raw).decode_utf8().ok()?)
    }

    #[test]
    fn names_lead_to_files_and_a_slash_at_the_end_to_a_folder() {
        let path = |raw| of(raw).map(|address| (address.path, address.is_folder));
        assert_eq!(path("a/b.txt"), Some(("a/b.txt".to_owned(), false)));
        assert_eq!(path("a/b/"), Some(("a/b".to_owned(), true)));
        assert_eq!(path(""), Some((String::new(), true)));
        assert_eq!(path("a%20b/%C3%BC.txt"), Some(("a b/ü.txt".to_owned(), false)));
        assert_eq!(path("concert.txt"), Some(("concert.txt".to_owned(), false)));
        assert_eq!(path("COM10"), Some(("COM10".to_owned(), false)));
        // Decoded once: this is a name with a percent sign.
        assert_eq!(path("%252e%252e"), Some(("%2e%2e".to_owned(), false)));
    }

    #[test]
    fn what_could_lead_elsewhere_leads_nowhere() {
        for raw in [
            "..",
            "../x",
            "a/../b",
            "a/./b",
            "%2e%2e/x",
            "%2e%2e%2fx",
            "a%2Fb",
            "..%5cx",
            "a\\b",
            "a%00b",
            "a//b",
            "//",
            "/etc/passwd",
            ".git/config",
            "a/.env",
            "c:/x",
            "C%3A/x",
            "x::$DATA",
            "x.txt.",
            "x.txt%20",
            "NUL",
            "a/con.txt",
            "aux .txt",
            "lpt1",
            "COM%C2%B9",
            "a%0ab",
        ] {
            assert_eq!(of(raw), None, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn an_address_stays_below(raw in "[a-c./\\\\%2e5cfF:~ ]{0,20}") {
            if let Some(address) = of(&raw) {
                prop_assert!(!address.path.starts_with('/'));
                prop_assert!(address.path.split('/').all(|name| !name.starts_with('.')));
                prop_assert!(!address.path.contains(['\\', ':', '\0']));
            }
        }
    }
}
