//! A server from its start to its stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aiobpy_wire::Problem;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::accept::{Listening, Serving, accept_until_closed};
use crate::devices::Device;
use crate::discovery::{Discovery, DiscoveryFile};
use crate::error::Failure;
use crate::http::Ending;
use crate::journal::Asked;
use crate::limits::Limits;
use crate::places::Places;
use crate::principal::ExecSwitch;
use crate::router::Front;
use crate::shared::{Parts, Shared};
use crate::sharing::{Share, Sharing};
use crate::sys::LocalListener;
use crate::tls::Tls;
use crate::token::Token;

/// Where a server listens and who may ask.
#[derive(Debug)]
pub struct ServerConfig {
    /// A loopback address.
    pub listen: IpAddr,
    /// `None` for any free port.
    pub port: Option<u16>,
    /// Without a `port`: a file that holds the port of the last time, which is taken again if it is
    /// free. Written with the port that was taken.
    pub remembered_port_file: Option<PathBuf>,
    pub token: Token,
    /// Written at the start with the address and the token, readable by its owner alone, and
    /// removed at the stop.
    pub discovery_file: Option<PathBuf>,
    pub limits: Limits,
    /// Where it listens besides.
    pub also: Vec<Listen>,
}

/// Where a server may listen besides loopback.
#[derive(Clone, Debug)]
pub enum Listen {
    /// On any address, which others may reach, with TLS.
    Secure { address: SocketAddr, tls: Tls },
    /// At a path, for this user alone (mode 0600). There is none on Windows.
    Local(PathBuf),
}

impl ServerConfig {
    /// On 127.0.0.1, on any free port, leaving no file behind.
    pub fn new(token: Token) -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: None,
            remembered_port_file: None,
            token,
            discovery_file: None,
            limits: Limits::default(),
            also: Vec::new(),
        }
    }
}

/// A server that runs. Stop it with [`Server::stop`]: dropping it alone lets connections live on.
pub struct Server {
    listeners: Listeners,
    /// What it listens on besides, in the order in which it was told to.
    also: Vec<Opened>,
    discovery_file: Option<DiscoveryFile>,
}

impl Server {
    /// Listens and serves, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// The address is not on loopback, the port is in use, or the discovery file cannot be written.
    pub async fn start(config: ServerConfig, parts: Parts) -> Result<Self, Problem> {
        let listener = listen(&config).await?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::cannot_listen((config.listen, 0).into(), &error))?;
        let discovery_file = match &config.discovery_file {
            Some(path) => {
                let takes_jobs = parts.fleet.is_some();
                let discovery =
                    Discovery::of_this_process(address, config.token.as_str(), takes_jobs);
                Some(DiscoveryFile::write(path, &discovery)?)
            }
            None => None,
        };
        let also = config.also;
        let shared = Shared::new(address, config.token, config.limits, parts);
        shared.start_tasks();
        let front = Front::new(shared.clone());
        let serving = Serving { front, shared, places: Places::default() };
        let listeners = Listeners { serving, cut: CancellationToken::new() };
        listeners.accept(Listening::Plain(listener));
        let mut server = Self { listeners, also: Vec::new(), discovery_file };
        for listen in also {
            match server.open(listen).await {
                Ok(opened) => server.also.push(opened),
                Err(problem) => {
                    server.stop().await;
                    return Err(problem);
                }
            }
        }
        Ok(server)
    }

    /// Listens somewhere else as well, until that is closed or the server stops.
    ///
    /// # Errors
    /// The address or the path is in use, or cannot be had.
    pub async fn open(&self, listen: Listen) -> Result<Opened, Problem> {
        self.listeners.open(listen).await
    }

    /// What the configuration had it listen on besides.
    pub fn also(&self) -> &[Opened] {
        &self.also
    }

    pub fn address(&self) -> SocketAddr {
        self.listeners.serving.shared.address
    }

    /// The server's own token as it is now.
    pub fn token(&self) -> Token {
        self.listeners.serving.shared.keys.token()
    }

    /// Puts another token in the place of the server's own. Who came in by the old one is out, at
    /// once; programs find the new one in the discovery file.
    ///
    /// # Errors
    /// The discovery file cannot be written.
    pub fn change_token(&mut self, token: Token) -> Result<(), Problem> {
        if let Some(file) = &mut self.discovery_file {
            file.change_token(token.as_str())?;
        }
        self.listeners.serving.shared.keys.change_token(token);
        Ok(())
    }

    /// Lets devices on the network reach the server, by TLS at its own port; in the place of how it
    /// was shared before.
    ///
    /// # Errors
    /// There is no network, the port is in use there, or the certificate cannot be made or used.
    pub async fn share(&self, share: Share) -> Result<(), Problem> {
        self.unshare();
        let shared = &self.listeners.serving.shared;
        let port = shared.address.port();
        let sharing = Sharing::prepare(share, port, shared.stopping.child_token())?;
        if let Err(problem) = sharing.follow(&self.listeners).await {
            sharing.end();
            return Err(problem);
        }
        shared.gate.share(&sharing.names, port);
        let sharing = Arc::new(sharing);
        shared.sharing.store(Some(Arc::clone(&sharing)));
        let listeners = self.listeners.clone();
        shared.tasks.spawn(async move { sharing.keep_following(&listeners).await });
        Ok(())
    }

    /// Is there for this computer alone again; cuts the connections of others.
    pub fn unshare(&self) {
        let shared = &self.listeners.serving.shared;
        if let Some(sharing) = shared.sharing.swap(None) {
            sharing.end();
            shared.gate.share(&[], shared.address.port());
        }
    }

    /// Where others reach the server, as in `https://192.168.1.2:43210`; empty if it is not shared.
    pub fn shared_at(&self) -> Vec<String> {
        let sharing = self.listeners.serving.shared.sharing.load();
        sharing.as_ref().map(|sharing| sharing.addresses()).unwrap_or_default()
    }

    /// What a person compares before a device trusts the user's own authority; `None` if there is no
    /// need to.
    pub fn authority_fingerprint(&self) -> Option<String> {
        self.listeners.serving.shared.sharing.load().as_ref()?.fingerprint()
    }

    /// Whether Python may be run from outside.
    pub fn exec(&self) -> &ExecSwitch {
        &self.listeners.serving.shared.keys.exec
    }

    /// The devices that were paired, the last one first.
    pub fn devices(&self) -> Vec<Device> {
        self.listeners.serving.shared.keys.devices.list()
    }

    /// Lets a device in no more, and cuts what it has open. Whether there was one.
    ///
    /// # Errors
    /// The list of devices cannot be written.
    pub fn revoke(&self, device: &str) -> Result<bool, Problem> {
        Ok(self.listeners.serving.shared.keys.devices.revoke(device)?.is_some())
    }

    /// Makes a code that lets one device ask to be let in, and returns the address to open there.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn open_pairing(&self) -> Result<String, Problem> {
        let code = self
            .listeners
            .serving
            .shared
            .pairing
            .open(self.listeners.serving.shared.running.elapsed())?;
        Ok(format!("{}/pair#{code}", self.address_for_devices()))
    }

    /// Makes a link that signs one browser in, once, as whoever has the server's own token.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn sign_in_link(&self) -> Result<String, Problem> {
        crate::routes::dashboard::sign_in_link(&self.listeners.serving.shared)
    }

    /// Makes the code of [`Self::open_pairing`] good no more.
    pub fn close_pairing(&self) {
        self.listeners.serving.shared.pairing.close();
    }

    /// How much longer the code is good; `None` if there is none.
    pub fn pairing_remaining(&self) -> Option<Duration> {
        self.listeners
            .serving
            .shared
            .pairing
            .remaining(self.listeners.serving.shared.running.elapsed())
    }

    /// The newest requests, newest first.
    pub fn requests(&self, limit: usize) -> Vec<Asked> {
        self.listeners.serving.shared.journal.requests(limit)
    }

    /// The newest requests that changed something or were refused, newest first.
    pub fn audit(&self, limit: usize) -> Vec<Asked> {
        self.listeners.serving.shared.journal.audit(limit)
    }

    fn address_for_devices(&self) -> String {
        let own = || format!("http://{}", self.listeners.serving.shared.address);
        self.shared_at().into_iter().next().unwrap_or_else(own)
    }

    /// How many connections are open.
    pub fn connections(&self) -> u64 {
        self.listeners.serving.shared.connections()
    }

    /// Tells those who follow `GET /api/v1/events`. From any thread; never waits.
    pub fn publish(&self, topic: String, data: Value) {
        self.listeners.serving.shared.events.publish(topic, data);
    }

    /// Listens no more, lets answers under way end, and cuts those that take too long.
    pub async fn stop(self) {
        if let Some(file) = self.discovery_file {
            file.remove();
        }
        let Listeners { serving: Serving { shared, .. }, cut } = self.listeners;
        shared.stopping.cancel();
        shared.tasks.close();
        if tokio::time::timeout(shared.limits.farewell, shared.tasks.wait()).await.is_err() {
            cut.cancel();
            if tokio::time::timeout(shared.limits.farewell, shared.tasks.wait()).await.is_err() {
                let left = shared.tasks.len();
                tracing::warn!(
                    left,
                    "connections have not ended though they were cut; they are left"
                );
            }
        }
    }
}

/// Opens listeners of one server.
#[derive(Clone)]
pub(crate) struct Listeners {
    serving: Serving,
    /// Cancelled to cut the connections that have not ended by themselves.
    cut: CancellationToken,
}

impl Listeners {
    pub(crate) async fn open(&self, listen: Listen) -> Result<Opened, Problem> {
        let (listening, address) = match listen {
            Listen::Secure { address, tls } => {
                let cannot = |error: std::io::Error| Failure::cannot_listen(address, &error);
                let listener = TcpListener::bind(address).await.map_err(cannot)?;
                let address = listener.local_addr().map_err(cannot)?;
                (Listening::Secure(listener, tls), Some(address))
            }
            Listen::Local(path) => {
                let listener = LocalListener::bind(&path)
                    .map_err(|error| Failure::cannot_listen_at(&path, &error))?;
                (Listening::Local(listener), None)
            }
        };
        Ok(Opened { address, ending: self.accept(listening) })
    }

    fn accept(&self, listening: Listening) -> Ending {
        let ending = Ending {
            closing: self.serving.shared.stopping.child_token(),
            cut: self.cut.child_token(),
        };
        let accepting = accept_until_closed(listening, self.serving.clone(), ending.clone());
        self.serving.shared.tasks.spawn(accepting);
        ending
    }
}

/// Something that a server listens on besides loopback. Dropped, it goes on.
pub struct Opened {
    address: Option<SocketAddr>,
    ending: Ending,
}

impl Opened {
    /// `None` for a path.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Listens there no more, and cuts the connections that came by it.
    pub fn close(&self) {
        self.ending.closing.cancel();
        self.ending.cut.cancel();
    }
}

async fn listen(config: &ServerConfig) -> Result<TcpListener, Problem> {
    if !config.listen.is_loopback() {
        return Err(Failure::not_loopback(config.listen));
    }
    if let Some(port) = config.port {
        return bind(config.listen, port).await;
    }
    let Some(file) = &config.remembered_port_file else { return bind(config.listen, 0).await };
    if let Some(port) = read_port(file)
        && let Ok(listener) = bind(config.listen, port).await
    {
        return Ok(listener);
    }
    let listener = bind(config.listen, 0).await?;
    if let Ok(address) = listener.local_addr() {
        remember_port(file, address.port());
    }
    Ok(listener)
}

async fn bind(ip: IpAddr, port: u16) -> Result<TcpListener, Problem> {
    let address = SocketAddr::new(ip, port);
    TcpListener::bind(address).await.map_err(|error| Failure::cannot_listen(address, &error))
}

fn read_port(file: &Path) -> Option<u16> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok().filter(|port| *port != 0)
}

/// Only a convenience: without it the next port is another one.
fn remember_port(file: &Path, port: u16) {
    let written = match file.parent() {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    }
    .and_then(|()| std::fs::write(file, format!("{port}\n")));
    if let Err(error) = written {
        tracing::warn!(%error, file = %file.display(), "could not remember the port");
    }
}
