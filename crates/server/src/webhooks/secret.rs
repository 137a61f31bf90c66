//! How requests to webhooks are signed.

use std::io::ErrorKind;
use std::path::Path;

use aiobpy_wire::Problem;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::error::Failure;
use crate::private_file;

/// Signs, by HMAC with SHA-256.
#[derive(Clone)]
pub(crate) struct Secret([u8; Self::BYTES]);

impl Secret {
    const BYTES: usize = 32;
    const PREFIX: &str = "whsec_";

    /// The secret of a file, which is made if it is not there: for its owner alone.
    ///
    /// # Errors
    /// It cannot be read, written or understood, or there is no randomness.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Problem> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(text.trim()).ok_or_else(|| {
                Problem::new(
                    500,
                    "unusable-webhook-secret",
                    "The secret for webhooks cannot be used",
                    format!("`{}` does not hold a secret as `whsec_…`", path.display()),
                )
                .with_hint("remove the file to have another one made; receivers have to learn it")
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut bytes = [0; Self::BYTES];
                getrandom::fill(&mut bytes).map_err(|error| Failure::no_randomness(&error))?;
                let secret = Self(bytes);
                private_file::write(path, secret.shown().as_bytes())
                    .map_err(|error| Failure::cannot_write(path, &error))?;
                Ok(secret)
            }
            Err(error) => Err(Failure::cannot_write(path, &error)),
        }
    }

    /// That of a tenant: known to it alone, and to whoever has the server's.
    pub(crate) fn of(&self, tenant: Option<&str>) -> Self {
        let Some(tenant) = tenant else { return self.clone() };
        let tag = sign(&Key::new(HMAC_SHA256, &self.0), format!("tenant {tenant}").as_bytes());
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(tag.as_ref());
        Self(bytes)
    }

    /// As receivers are told it.
    pub(crate) fn shown(&self) -> String {
        format!("{}{}", Self::PREFIX, BASE64_STANDARD.encode(self.0))
    }

    /// The value of `webhook-signature`.
    pub(crate) fn signature(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let tag = sign(&Key::new(HMAC_SHA256, &self.0), signed.as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag.as_ref()))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(Self::PREFIX)?).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_id_time_and_body() {
        // By Python: base64(hmac.new(bytes(range(32)), b"msg_1.1674087231.{}", "sha256")).
        let secret = Secret(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        assert_eq!(secret.signature("msg_1", 1_674_087_231, "{}"), EXPECTED);
    }

    const EXPECTED: &str = "v1,BxU1mYCBV2ldG2HAG6MnEv0UJfY6XIfbCpPpj/9VI/Y=";

    #[test]
    fn a_secret_is_made_once_and_each_tenants_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("webhook-secret");
        let secret = Secret::of_file(&path).unwrap();
        assert_eq!(Secret::of_file(&path).unwrap().shown(), secret.shown());
        let shown = [None, Some("one"), Some("two")].map(|tenant| secret.of(tenant).shown());
        assert!(shown.iter().all(|shown| Secret::parse(shown).is_some()));
        assert!(shown[0] != shown[1] && shown[1] != shown[2] && shown[0] != shown[2]);
        std::fs::write(&path, "something else").unwrap();
        assert!(Secret::of_file(&path).is_err());
    }
}
