//! A server from its start to its stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use aiobpy_wire::Problem;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::accept::accept_until_stopped;
use crate::auth::Token;
use crate::discovery::{Discovery, DiscoveryFile};
use crate::error::Failure;
use crate::limits::Limits;
use crate::router::router;
use crate::shared::{Parts, Shared};

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
        }
    }
}

/// A server that runs. Stop it with [`Server::stop`]: dropping it alone lets connections live on.
pub struct Server {
    shared: Shared,
    /// Cancelled to cut the connections that have not ended by themselves.
    cut: CancellationToken,
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
        let shared = Shared::new(address, config.token, config.limits, parts);
        let cut = CancellationToken::new();
        shared.tasks.spawn(accept_until_stopped(
            listener,
            router(shared.clone()),
            shared.clone(),
            cut.clone(),
        ));
        Ok(Self { shared, cut, discovery_file })
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    pub fn token(&self) -> &Token {
        &self.shared.token
    }

    /// How many connections are open.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// Tells those who follow `GET /api/v1/events`. From any thread; never waits.
    pub fn publish(&self, topic: String, data: Value) {
        self.shared.events.publish(topic, data);
    }

    /// Listens no more, lets answers under way end, and cuts those that take too long.
    pub async fn stop(self) {
        if let Some(file) = self.discovery_file {
            file.remove();
        }
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        let farewell = self.shared.limits.farewell;
        if tokio::time::timeout(farewell, self.shared.tasks.wait()).await.is_err() {
            self.cut.cancel();
            self.shared.tasks.wait().await;
        }
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
