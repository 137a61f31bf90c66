//! Those who share a fleet: a file of the names, tokens and quotas of each.
//!
//! ```toml
//! [[tenant]]
//! name = "shop"
//! token_sha256 = "…"      # or token_file = "shop.token", beside this file
//! most_waiting = 100
//! most_running = 2
//! highest_priority = 10
//! ```

use std::collections::HashMap;
use std::path::Path;

use aiobpy_fleet::Tenant;
use aiobpy_wire::Problem;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::principal::Principal;
use crate::token::Token;

/// Characters of a name.
const LONGEST_NAME: usize = 60;

/// Those who share a fleet, by the SHA-256 of their tokens: the tokens themselves are nowhere.
#[derive(Debug, Default)]
pub struct Tenants(HashMap<[u8; 32], Principal>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tenant: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    token_sha256: Option<String>,
    token_file: Option<String>,
    most_waiting: Option<usize>,
    most_running: Option<usize>,
    #[serde(default)]
    highest_priority: i8,
}

impl Tenants {
    /// Reads the file, and those with tokens that it names.
    ///
    /// # Errors
    /// A file cannot be read or makes no sense. What it says holds no token.
    pub fn of_file(path: &Path) -> Result<Self, Problem> {
        let unusable = |detail: String| {
            let detail = format!("`{}`: {detail}", path.display());
            Problem::new(400, "unusable-tenants", "The tenants cannot be read", detail).with_hint(
                "write `[[tenant]]`, `name = \"…\"` and `token_sha256 = \"…\"`, the SHA-256 of its \
                 token as hexadecimal digits, or `token_file = \"…\"`",
            )
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        // The error's own text would show the line, which may hold what should not be shown.
        let file: File = toml::from_str(&text)
            .map_err(|error: toml::de::Error| unusable(error.message().to_owned()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut tenants = HashMap::new();
        for entry in file.tenant {
            let name = entry.name.clone();
            let (hash, tenant) = entry.read(folder).map_err(&unusable)?;
            let is_known = tenants.values().any(|known: &Principal| *known.name == *name);
            if is_known || tenants.insert(hash, Principal::of_tenant(tenant)).is_some() {
                return Err(unusable(format!("`{name}` has the name or the token of another")));
            }
        }
        Ok(Self(tenants))
    }

    /// As the fleet has to know them.
    pub fn all(&self) -> Vec<Tenant> {
        self.0.values().filter_map(|it| it.tenant.as_deref().cloned()).collect()
    }

    /// Whose token it is. Tokens have too many bits for it to matter how long a look-up takes.
    pub(crate) fn find(&self, token: &[u8]) -> Option<Principal> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&sha256(token)).cloned()
    }
}

impl Entry {
    fn read(self, folder: &Path) -> Result<([u8; 32], Tenant), String> {
        let Self { name, token_sha256, token_file, most_waiting, most_running, highest_priority } =
            self;
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            return Err(format!(
                "a name has 1 to {LONGEST_NAME} of the characters a-z, A-Z, 0-9, `-`, `_` and `.`"
            ));
        }
        let hash = match (token_sha256, token_file) {
            (Some(digits), None) => data_encoding::HEXLOWER_PERMISSIVE
                .decode(digits.as_bytes())
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| {
                    format!("`token_sha256` of `{name}` is not 64 hexadecimal digits")
                })?,
            (None, Some(file)) => {
                let file = folder.join(file);
                let text = std::fs::read_to_string(&file)
                    .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
                let token = Token::new(text.trim())
                    .map_err(|problem| format!("`{}`: {}", file.display(), problem.detail))?;
                sha256(token.as_str().as_bytes())
            }
            _ => return Err(format!("`{name}` needs either `token_sha256` or `token_file`")),
        };
        Ok((hash, Tenant { name, most_waiting, most_running, highest_priority }))
    }
}

fn sha256(token: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> Result<Tenants, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop.token"), format!("{TOKEN}\n")).unwrap();
        std::fs::write(folder.path().join("short.token"), "short").unwrap();
        let path = folder.path().join("tenants.toml");
        std::fs::write(&path, text).unwrap();
        Tenants::of_file(&path).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_tenant_is_known_by_its_token_in_a_file_or_by_the_hash_of_it() {
        let hash = data_encoding::HEXLOWER.encode(&sha256(TOKEN.as_bytes()));
        for token in [format!("token_sha256 = '{hash}'"), "token_file = 'shop.token'".into()] {
            let text = format!("[[tenant]]\nname = 'shop'\n{token}\nmost_running = 2");
            let tenants = read(&text).unwrap();
            let principal = tenants.find(TOKEN.as_bytes()).unwrap();
            assert!(principal.may_see(Some("shop")));
            assert!(!principal.may_see(Some("other")) && !principal.may_see(None));
            assert_eq!(tenants.all()[0].most_running, Some(2));
            assert!(tenants.find(b"0123456789abcdef0123456789abcdeX").is_none());
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_without_a_token() {
        let one = "[[tenant]]\nname = 'shop'\ntoken_file = 'shop.token'\n";
        for (text, said) in [
            ("[[tenant]]\nname = 'shop'", "needs either"),
            ("[[tenant]]\nname = 'a b'\ntoken_sha256 = '00'", "a name has"),
            ("[[tenant]]\nname = 'shop'\ntoken_sha256 = 'secret'", "64 hexadecimal digits"),
            ("[[tenant]]\nname = 'shop'\ntoken_file = 'none.token'", "cannot read"),
            ("[[tenant]]\nname = 'shop'\ntoken_file = 'short.token'", "16 characters"),
            ("[[tenant]]\nname = 'shop'\ntoken = 'secret secret'", "token"),
            (&format!("{one}{one}"), "of another"),
        ] {
            let detail = read(text).unwrap_err();
            assert!(detail.contains(said) && !detail.contains("secret"), "{text}: {detail}");
        }
    }
}
