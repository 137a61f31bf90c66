//! Sharing on the network: TLS at each private address of this computer, by a certificate that follows
//! them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::Problem;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;
use webpki::EndEntityCert;

use crate::authority::{Authority, Signed, fingerprint, local_name};
use crate::error::Failure;
use crate::server::{Listen, Listeners, Opened};
use crate::tls::{Tls, TlsIdentity};

/// How often the addresses of this computer are looked at.
const LOOK: Duration = Duration::from_secs(15);

/// How a server is shared on the network.
#[derive(Clone, Debug)]
pub struct Share {
    /// `None` for all private addresses of this computer, as they come and go.
    pub addresses: Option<Vec<IpAddr>>,
    /// What this computer is called.
    pub host: String,
    pub certificate: Certificate,
}

/// Who vouches for the server.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// The user's own authority, kept in a file; made if there is none.
    OfAuthority(PathBuf),
    /// Somebody else: PEM files with the certificates and their key.
    Own { chain: PathBuf, key: PathBuf },
}

/// A server that is shared, until this is told to end.
pub(crate) struct Sharing {
    share: Share,
    port: u16,
    authority: Option<Authority>,
    tls: Tls,
    /// What it is called, besides its addresses.
    pub(crate) names: Vec<String>,
    state: Mutex<State>,
    ended: CancellationToken,
}

#[derive(Default)]
struct State {
    signed: Option<Signed>,
    opened: Vec<(IpAddr, Opened)>,
}

impl Sharing {
    /// # Errors
    /// There is no private address, or the certificate cannot be made or used.
    pub(crate) fn prepare(
        share: Share,
        port: u16,
        ended: CancellationToken,
    ) -> Result<Self, Problem> {
        let addresses = share.addresses_now();
        if addresses.is_empty() {
            return Err(Failure::no_network());
        }
        let now = Timestamp::now();
        let mut state = State::default();
        let (authority, identity, names) = match &share.certificate {
            Certificate::OfAuthority(file) => {
                let authority = Authority::load_or_make(file, &share.host, now)?;
                let (identity, signed) = authority.sign(&addresses, &share.host, now)?;
                state.signed = Some(signed);
                (Some(authority), identity, vec![local_name(&share.host)])
            }
            Certificate::Own { chain, key } => {
                let identity = TlsIdentity::from_pem_files(chain, key)?;
                let names = names_in(&identity.chain[0]);
                (None, identity, names)
            }
        };
        let (tls, state) = (Tls::new(identity)?, Mutex::new(state));
        Ok(Self { share, port, authority, tls, names, state, ended })
    }

    /// Listens at the addresses that there are now, and at no others; shows a certificate for them.
    ///
    /// # Errors
    /// Nothing can be listened on, or no certificate can be made.
    pub(crate) async fn follow(&self, listeners: &Listeners) -> Result<(), Problem> {
        let addresses = self.share.addresses_now();
        self.sign_anew(&addresses)?;
        self.close_all_but(&addresses);
        let mut failure = None;
        for address in addresses {
            if self.is_open(address) {
                continue;
            }
            match self.open(address, listeners).await {
                Ok(opened) => self.lock().opened.push((address, opened)),
                Err(problem) => failure = Some(problem),
            }
        }
        match failure {
            Some(problem) if self.lock().opened.is_empty() => Err(problem),
            _ => Ok(()),
        }
    }

    /// Goes on to follow the network, until it is ended.
    pub(crate) async fn keep_following(&self, listeners: &Listeners) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.ended.cancelled() => return,
            }
            if let Err(problem) = self.follow(listeners).await {
                tracing::warn!(%problem, "the server is not shared on the network just now");
            }
        }
    }

    /// Listens no more, and cuts the connections that came by it.
    pub(crate) fn end(&self) {
        self.ended.cancel();
        self.close_all_but(&[]);
    }

    /// Where others reach the server, as in `https://192.168.1.2:43210`.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let state = self.lock();
        let addresses = state.opened.iter().filter_map(|(_, opened)| opened.address());
        addresses.map(|address| format!("https://{address}")).collect()
    }

    /// What devices are made to trust, as DER; `None` with a certificate of the user's own.
    pub(crate) fn authority(&self) -> Option<&CertificateDer<'static>> {
        self.authority.as_ref().map(Authority::certificate)
    }

    /// What a person compares with what a device shows before it trusts the authority.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.authority().map(fingerprint)
    }

    async fn open(&self, address: IpAddr, listeners: &Listeners) -> Result<Opened, Problem> {
        let listen = |port| Listen::Secure {
            address: SocketAddr::new(address, port),
            tls: self.tls.clone(),
        };
        match listeners.open(listen(self.port)).await {
            // Another program has the port there; the QR code tells the one that is taken instead.
            Err(problem) if problem.kind == "port-in-use" => listeners.open(listen(0)).await,
            opened => opened,
        }
    }

    fn sign_anew(&self, addresses: &[IpAddr]) -> Result<(), Problem> {
        let Some(authority) = &self.authority else { return Ok(()) };
        let now = Timestamp::now();
        if self.lock().signed.as_ref().is_some_and(|signed| !signed.is_stale(addresses, now)) {
            return Ok(());
        }
        let (identity, signed) = authority.sign(addresses, &self.share.host, now)?;
        self.tls.replace(identity)?;
        self.lock().signed = Some(signed);
        Ok(())
    }

    fn close_all_but(&self, addresses: &[IpAddr]) {
        self.lock().opened.retain(|(address, opened)| {
            let stays = addresses.contains(address);
            if !stays {
                opened.close();
            }
            stays
        });
    }

    fn is_open(&self, address: IpAddr) -> bool {
        self.lock().opened.iter().any(|(open, _)| *open == address)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    fn addresses_now(&self) -> Vec<IpAddr> {
        match &self.addresses {
            Some(addresses) => addresses.clone(),
            None => private_addresses(),
        }
    }
}

/// The private addresses of this computer, those of IPv4 first.
fn private_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the addresses of this computer cannot be listed");
        Vec::new()
    });
    let mut addresses: Vec<_> =
        interfaces.iter().map(if_addrs::Interface::ip).filter(is_private).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// Of a home's or an office's network, and with a meaning outside of this computer. The link-local
/// addresses of IPv6 mean nothing in a URL without an interface's name.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

/// The names that a certificate is for; `*.example.com` stands for names that nobody tells us.
fn names_in(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    let names = certificate.valid_dns_names().filter(|name| !name.contains('*'));
    names.map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_private_networks_are_shared() {
        for address in ["192.168.1.2", "10.0.0.2", "172.16.0.2", "169.254.1.2", "fd00::2"] {
            assert!(is_private(&address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1", "8.8.8.8", "172.32.0.1", "::1", "2001:db8::1", "fe80::1"] {
            assert!(!is_private(&address.parse().unwrap()), "{address}");
        }
        assert!(private_addresses().iter().all(is_private));
    }
}
