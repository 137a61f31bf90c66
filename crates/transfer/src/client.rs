//! The HTTP clients: how they connect, whom they trust, and that they are made once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy, Proxy};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::failure::Failure;

/// Addresses of proxies, as the environment of a process names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    pub http: Option<String>,
    pub https: Option<String>,
    /// Hosts that are asked without a proxy, separated by commas.
    pub none_for: Option<String>,
}

/// What a client is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) cafile: Option<PathBuf>,
    pub(crate) connect_timeout: Duration,
    pub(crate) proxies: Proxies,
}

/// Clients that were made already: each keeps its connections for the next request.
#[derive(Default)]
pub(crate) struct Clients {
    made: Mutex<Vec<Made>>,
}

struct Made {
    wanted: Wanted,
    /// Of the file with the certificates, which may be replaced.
    written_at: Option<SystemTime>,
    client: Client,
}

/// More kinds than anybody has at once.
const MOST_KEPT: usize = 8;
const IDLE_CONNECTIONS_END_AFTER: Duration = Duration::from_secs(30);
/// What an HTTP/2 server may send ahead of the disk, per download and per connection.
const WINDOW: u32 = 8 << 20;

impl Clients {
    /// Reads files: run it where that may block.
    pub(crate) fn get(&self, wanted: Wanted) -> Result<Client, Failure> {
        let written_at =
            wanted.cafile.as_ref().and_then(|file| file.metadata().ok()?.modified().ok());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) =
            made.iter().find(|one| one.wanted == wanted && one.written_at == written_at)
        {
            return Ok(same.client.clone());
        }
        let client = make(&wanted)?;
        made.retain(|one| one.wanted != wanted);
        if made.len() == MOST_KEPT {
            made.remove(0);
        }
        made.push(Made { wanted, written_at, client: client.clone() });
        Ok(client)
    }
}

fn make(wanted: &Wanted) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls(wanted.cafile.as_deref())?)
        .user_agent(concat!("aiobpy/", env!("CARGO_PKG_VERSION")))
        // `redirect.rs` follows them.
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(wanted.connect_timeout)
        .pool_idle_timeout(IDLE_CONNECTIONS_END_AFTER)
        .http2_initial_stream_window_size(WINDOW)
        .http2_initial_connection_window_size(2 * WINDOW)
        // Of the process: they come as arguments, read by a thread that may.
        .no_proxy();
    let none_for = wanted.proxies.none_for.as_deref().and_then(NoProxy::from_string);
    // The errors' own texts would repeat the address, which may hold a password.
    let unusable = |name: &str| {
        Failure::Argument(format!("{name} in the environment is no address of a proxy"))
    };
    if let Some(address) = &wanted.proxies.http {
        let proxy = Proxy::http(address).map_err(|_| unusable("http_proxy"))?;
        builder = builder.proxy(proxy.no_proxy(none_for.clone()));
    }
    if let Some(address) = &wanted.proxies.https {
        let proxy = Proxy::https(address).map_err(|_| unusable("https_proxy"))?;
        builder = builder.proxy(proxy.no_proxy(none_for));
    }
    builder
        .build()
        .map_err(|error| Failure::Argument(format!("no HTTP client could be made: {error}")))
}

/// Trusts whom the system trusts, and those in `cafile` besides.
fn tls(cafile: Option<&Path>) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = cafile.map(certificates).transpose()?.unwrap_or_default();
    let unusable =
        |error| Failure::Argument(format!("the certificates of `cafile` are unusable: {error}"));
    let has_extra = !extra.is_empty();
    let verifier = match Verifier::new_with_extra_roots(extra, Arc::clone(&provider)) {
        Ok(verifier) => Some(verifier),
        Err(error) if has_extra => return Err(unusable(error)),
        // A system without certificates trusts nobody, and can still ask by plain HTTP.
        Err(error) => {
            tracing::warn!(%error, "no https: the system has no root certificates");
            None
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let mut config = match verifier {
        Some(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        None => {
            builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = std::fs::read(file).map_err(|source| Failure::File {
        doing: "read",
        path: file.to_owned(),
        source,
    })?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Failure::Argument(format!(
            "`{}` holds no certificates in PEM format (\"-----BEGIN CERTIFICATE-----\")",
            file.display()
        ))),
    }
}
