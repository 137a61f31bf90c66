//! TLS by rustls: what the server shows of itself, which can be replaced while it runs.
//!
//! What is here is for clients on other machines. Who makes the certificates is not its business.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aiobpy_wire::Problem;
use arc_swap::ArcSwap;
use data_encoding::BASE64;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::Failure;

/// A certificate, those that it stands on, and the key of the first.
#[derive(Debug)]
pub struct TlsIdentity {
    /// The server's own first.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl TlsIdentity {
    /// Reads what somebody has had certified elsewhere.
    ///
    /// # Arguments
    /// * `chain`: a PEM file with the certificates, the server's own first.
    /// * `key`: a PEM file with its key, not encrypted. May be the same file.
    ///
    /// # Errors
    /// A file cannot be read, or has no such thing in it.
    pub fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, Problem> {
        let of_chain = |error: pem::Error| Failure::unusable_certificate(chain, &error);
        let certificates = CertificateDer::pem_file_iter(chain).map_err(of_chain)?;
        let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(of_chain)?;
        if certificates.is_empty() {
            return Err(of_chain(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| Failure::unusable_certificate(key, &error))?;
        Ok(Self { chain: certificates, key })
    }
}

/// What listeners for TLS share: how they speak it, and as whom.
#[derive(Clone)]
pub struct Tls {
    config: Arc<rustls::ServerConfig>,
    identity: Arc<Shown>,
}

impl Tls {
    /// # Errors
    /// The key is not that of the certificate, or of a kind that is not known.
    pub fn new(identity: TlsIdentity) -> Result<Self, Problem> {
        let provider = Arc::new(ring::default_provider());
        let certified = certified(identity, &provider)?;
        let identity = Arc::new(Shown(ArcSwap::from_pointee(certified)));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| Failure::unusable_identity(&error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&identity) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), identity })
    }

    /// Shows another certificate from the next handshake on. Connections that are open go on.
    ///
    /// # Errors
    /// As [`Tls::new`]; the one before is shown still.
    pub fn replace(&self, identity: TlsIdentity) -> Result<(), Problem> {
        let certified = certified(identity, self.config.crypto_provider())?;
        self.identity.0.store(Arc::new(certified));
        Ok(())
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// It has gone, or does not speak what we do.
    pub(crate) async fn accept<S>(
        &self,
        stream: S,
    ) -> std::io::Result<(TlsStream<S>, Arc<TlsFacts>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let identity = self.identity.0.load_full();
        let stream = TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await?;
        let (_, connection) = stream.get_ref();
        let facts = TlsFacts {
            version: connection.protocol_version().map(u16::from),
            cipher_suite: connection.negotiated_cipher_suite().map(|it| it.suite().into()),
            certificate: identity.cert.first().cloned(),
            is_http_2: connection.alpn_protocol() == Some(b"h2"),
        };
        Ok((stream, Arc::new(facts)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls(…)")
    }
}

/// What a handshake has led to.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// As in the protocol: 0x0304 for TLS 1.3.
    pub version: Option<u16>,
    /// As in the protocol: 0x1301 for `TLS_AES_128_GCM_SHA256`.
    pub cipher_suite: Option<u16>,
    /// What the server has shown, as DER.
    pub certificate: Option<CertificateDer<'static>>,
    pub(crate) is_http_2: bool,
}

impl TlsFacts {
    /// What the server has shown, as PEM (RFC 7468).
    pub fn certificate_pem(&self) -> Option<String> {
        let certificate = self.certificate.as_ref()?;
        let text = BASE64.encode(certificate);
        let lines: String = text
            .as_bytes()
            .chunks(64)
            .flat_map(|line| line.iter().map(|byte| char::from(*byte)).chain(['\n']))
            .collect();
        Some(format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n"))
    }
}

/// The identity that is shown to whoever asks.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(identity: TlsIdentity, provider: &CryptoProvider) -> Result<CertifiedKey, Problem> {
    let TlsIdentity { chain, key } = identity;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| Failure::unusable_identity(&error))
}
