//! A certificate authority of this user's own, which vouches for nothing but this user's servers on
//! private networks: whoever gets its key can pretend to be no site of the internet.
//!
//! Devices are made to trust its certificate once; what it signs is short-lived and follows the
//! network. The key stands in the user's configuration folder, for the user alone.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use aiobpy_wire::Problem;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::error::Failure;
use crate::private_file;
use crate::tls::TlsIdentity;
use crate::token::random_digits;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const LIFE: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// Browsers refuse what is valid for much longer.
const LIFE_OF_WHAT_IT_SIGNS: SignedDuration = SignedDuration::from_hours(24 * 365 - 48);
/// With less life than that left, another one is signed.
const NEAR_ITS_END: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Clocks of other devices may be slow.
const BEFORE: SignedDuration = DAY;

/// The private and link-local networks of RFC 1918, 3927, 4193 and 4291, and this computer itself.
const NETWORKS: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
];

/// The authority, with its key.
pub(crate) struct Authority {
    kept: Kept,
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

/// As it stands in its file.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Tells apart the authorities of several computers, in a device's settings.
    name: String,
    made_at: Timestamp,
    certificate: String,
    key: String,
}

/// What the authority has signed: for which addresses, and until when it is good.
#[derive(Debug)]
pub(crate) struct Signed {
    addresses: Vec<IpAddr>,
    ends_at: Timestamp,
}

impl Signed {
    /// Whether another one is to be signed: the network has changed, or the end is near.
    pub(crate) fn is_stale(&self, addresses: &[IpAddr], now: Timestamp) -> bool {
        self.addresses != addresses || now + NEAR_ITS_END > self.ends_at
    }
}

impl Authority {
    /// The user's authority; made, and written to its file, if there is none or it has ended.
    ///
    /// # Errors
    /// There is no randomness, or the file cannot be written.
    pub(crate) fn load_or_make(file: &Path, host: &str, now: Timestamp) -> Result<Self, Problem> {
        if let Some(authority) = Self::load(file)
            && authority.kept.made_at + LIFE > now + LIFE_OF_WHAT_IT_SIGNS
        {
            return Ok(authority);
        }
        let authority = Self::make(host, now)?;
        let text = serde_json::to_vec_pretty(&authority.kept).unwrap_or_default();
        private_file::write(file, &text).map_err(|error| Failure::cannot_write(file, &error))?;
        Ok(authority)
    }

    fn load(file: &Path) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        let key = KeyPair::from_pem(&kept.key).ok()?;
        let certificate = CertificateDer::from_pem_slice(kept.certificate.as_bytes()).ok()?;
        Some(Self { kept, key, certificate })
    }

    fn make(host: &str, now: Timestamp) -> Result<Self, Problem> {
        const NUMBER_BYTES: usize = 4;
        let number = random_digits::<NUMBER_BYTES>()?;
        let name = format!("aiobpy on {} ({number})", short_name(host));
        let key = new_key()?;
        let params = params_of_authority(&name, now)?;
        let certificate = params.self_signed(&key).map_err(failed)?;
        let kept =
            Kept { name, made_at: now, certificate: certificate.pem(), key: key.serialize_pem() };
        Ok(Self { kept, key, certificate: certificate.der().clone() })
    }

    /// Signs a certificate for these addresses and for `host`.local.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn sign(
        &self,
        addresses: &[IpAddr],
        host: &str,
        now: Timestamp,
    ) -> Result<(TlsIdentity, Signed), Problem> {
        let name = local_name(host);
        let ends_at = now + LIFE_OF_WHAT_IT_SIGNS;
        let mut params = CertificateParams::default();
        params.not_before = date(now - BEFORE);
        params.not_after = date(ends_at);
        params.serial_number = Some(serial_number()?);
        params.distinguished_name = named(&format!("aiobpy at {name}"));
        params.subject_alt_names = addresses.iter().map(|it| SanType::IpAddress(*it)).collect();
        let dns_name = name.as_str().try_into().map_err(failed)?;
        params.subject_alt_names.push(SanType::DnsName(dns_name));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = new_key()?;
        let issuer_params = params_of_authority(&self.kept.name, self.kept.made_at)?;
        let issuer = Issuer::from_params(&issuer_params, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let identity = TlsIdentity { chain: vec![certificate.der().clone()], key };
        Ok((identity, Signed { addresses: addresses.to_vec(), ends_at }))
    }

    /// What a device is made to trust.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Authority({})", self.kept.name)
    }
}

/// What certificates call this computer: its first name, below `.local` (RFC 6762).
pub(crate) fn local_name(host: &str) -> String {
    format!("{}.local", short_name(host).to_ascii_lowercase())
}

/// SHA-256 of a certificate, as devices show it: `AB:CD:…`.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let pairs: Vec<_> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn params_of_authority(name: &str, made_at: Timestamp) -> Result<CertificateParams, Problem> {
    let mut params = CertificateParams::default();
    params.not_before = date(made_at - BEFORE);
    params.not_after = date(made_at + LIFE);
    params.serial_number = Some(serial_number()?);
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut permitted: Vec<_> = NETWORKS
        .iter()
        .filter_map(|network| network.parse::<CidrSubnet>().ok())
        .map(GeneralSubtree::IpAddress)
        .collect();
    permitted.push(GeneralSubtree::DnsName("local".to_owned()));
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    Ok(params)
}

fn new_key() -> Result<KeyPair, Problem> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)
}

fn serial_number() -> Result<SerialNumber, Problem> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::no_randomness(&error))?;
    // Positive, in as few bytes as it has (RFC 5280, 4.1.2.2).
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn date(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn short_name(host: &str) -> String {
    let first = host.split('.').next().unwrap_or_default();
    let fits = |character: &char| character.is_ascii_alphanumeric() || *character == '-';
    let name: String = first.chars().filter(fits).take(40).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "blender".to_owned() } else { name.to_owned() }
}

fn failed(error: impl std::fmt::Display) -> Problem {
    Failure::cannot_sign(&error)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};
    use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring};

    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn signed(addresses: &[&str]) -> (Authority, (TlsIdentity, Signed)) {
        let authority = Authority::make("Studio.example.com", now()).unwrap();
        let addresses: Vec<IpAddr> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let signed = authority.sign(&addresses, "Studio.example.com", now()).unwrap();
        (authority, signed)
    }

    /// As a browser that trusts the authority sees it.
    fn is_trusted(
        authority: &Authority,
        signed: &(TlsIdentity, Signed),
        name: &str,
        at: Timestamp,
    ) -> bool {
        let certificate = EndEntityCert::try_from(&signed.0.chain[0]).unwrap();
        let anchors = [anchor_from_trusted_cert(authority.certificate()).unwrap()];
        let seconds = u64::try_from(at.as_second()).unwrap();
        let path = certificate.verify_for_usage(
            &[ring::ECDSA_P256_SHA256],
            &anchors,
            &[],
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
            KeyUsage::server_auth(),
            None,
            None,
        );
        let name = ServerName::try_from(name).unwrap();
        path.is_ok() && certificate.verify_is_valid_for_subject_name(&name).is_ok()
    }

    #[test]
    fn what_it_signs_is_trusted_for_the_addresses_of_the_network_and_the_local_name() {
        let (authority, signed) = signed(&["192.168.1.2", "fd00::2"]);
        for name in ["192.168.1.2", "fd00::2", "studio.local"] {
            assert!(is_trusted(&authority, &signed, name, now()), "{name}");
        }
        assert!(!is_trusted(&authority, &signed, "192.168.1.3", now()));
    }

    #[test]
    fn it_vouches_for_nothing_of_the_internet() {
        let (authority, signed) = signed(&["192.168.1.2", "8.8.8.8"]);
        assert!(!is_trusted(&authority, &signed, "8.8.8.8", now()));
        assert!(!is_trusted(&authority, &signed, "192.168.1.2", now()), "nor for what has both");
    }

    #[test]
    fn what_it_signs_lives_for_less_than_366_days_and_is_renewed_before_that() {
        let (authority, signed) = signed(&["192.168.1.2"]);
        let is_trusted = |at| is_trusted(&authority, &signed, "192.168.1.2", at);
        assert!(is_trusted(now() - SignedDuration::from_hours(23)));
        assert!(is_trusted(now() + DAY * 360));
        assert!(!is_trusted(now() + DAY * 365));
        let addresses = ["192.168.1.2".parse().unwrap()];
        assert!(!signed.1.is_stale(&addresses, now() + DAY * 300));
        assert!(signed.1.is_stale(&addresses, now() + DAY * 340));
        assert!(signed.1.is_stale(&["192.168.1.3".parse().unwrap()], now()));
    }

    #[test]
    fn it_is_made_once_and_made_anew_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authority.json");
        let load = |at| {
            Authority::load_or_make(&file, "studio", at)
                .map(|it| fingerprint(it.certificate()))
                .unwrap()
        };
        let first = load(now());
        assert_eq!(load(now() + DAY), first);
        let later = load(now() + DAY * 3400);
        assert_ne!(later, first);
        assert_eq!(load(now() + DAY * 3400), later);
    }

    #[test]
    fn what_a_loaded_one_signs_is_trusted_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authority.json");
        let made = Authority::load_or_make(&file, "studio", now()).unwrap();
        let loaded = Authority::load_or_make(&file, "studio", now()).unwrap();
        let addresses = ["10.0.0.2".parse().unwrap()];
        let signed = loaded.sign(&addresses, "studio", now()).unwrap();
        assert!(is_trusted(&made, &signed, "10.0.0.2", now()));
    }

    #[cfg(unix)]
    #[test]
    fn its_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aiobpy").join("authority.json");
        Authority::load_or_make(&file, "studio", now()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_computer_is_called_by_its_first_name() {
        assert_eq!(local_name("Studio.example.com"), "studio.local");
        assert_eq!(local_name("-ä_ß-"), "blender.local");
    }
}
