//! What each server is told.

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// One server's place and its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) folder: PathBuf,
    name: String,
    port: u16,
    /// Where it talks to the others, and where they do; none for a server on its own.
    cluster: Option<(u16, Vec<u16>)>,
}

/// Of `count` servers whose ports begin at `first`; with 0, at any that are free.
pub(super) fn of(count: u16, first: u16, data: &Path) -> Result<Vec<Settings>, Failure> {
    let free = free_ports(2 * usize::from(count)).map_err(Failure::new)?;
    let (clients, routes) = free.split_at(usize::from(count));
    let mut all = Vec::new();
    for number in 0..count {
        let port = match first.checked_add(number) {
            _ if first == 0 => clients[usize::from(number)],
            Some(port) => port,
            None => {
                return Err(Failure::new(format!("there are no {count} ports from {first} on"))
                    .with_hint("choose a lower one with `--port`"));
            }
        };
        let others = routes.iter().copied().filter(|it| *it != routes[usize::from(number)]);
        let cluster = (routes[usize::from(number)], others.collect());
        let name = format!("aiobpy-{}", number + 1);
        all.push(Settings {
            folder: data.join(&name),
            name,
            port,
            cluster: (count > 1).then_some(cluster),
        });
    }
    Ok(all)
}

impl Settings {
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Writes its configuration; returns where that is and where its log goes.
    pub(super) fn write(&self) -> io::Result<(PathBuf, PathBuf)> {
        fs::create_dir_all(&self.folder)?;
        let config = self.folder.join("server.conf");
        fs::write(&config, self.text())?;
        Ok((config, self.folder.join("server.log")))
    }

    /// What it says once it is ready: on its own, or when it knows who leads.
    pub(super) fn last_words(&self) -> &'static str {
        if self.cluster.is_some() { " metadata leader" } else { "Server is ready" }
    }

    fn text(&self) -> String {
        let Self { name, port, folder, cluster } = self;
        let store = quoted(&folder.join("store").display().to_string());
        let mut text = format!(
            "# Written by `aiobpy engine start`, anew each time.\n\
             server_name: {name}\n\
             listen: \"127.0.0.1:{port}\"\n\
             jetstream {{\n  store_dir: {store}\n  \
             # What is acknowledged is on the disk: without this, two minutes later.\n  \
             sync_interval: always\n}}\n"
        );
        if let Some((own, others)) = cluster {
            let routes: Vec<String> =
                others.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
            let routes = routes.join(", ");
            // A `String` takes whatever is written to it.
            let _ = write!(
                text,
                "cluster {{\n  name: aiobpy\n  listen: \"127.0.0.1:{own}\"\n  routes: [{routes}]\n}}\n"
            );
        }
        text
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Ports that nobody listened at a moment ago.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_know_each_other_and_sync_at_once() {
        let all = of(3, 4222, Path::new("/data")).unwrap();
        let addresses: Vec<String> = all.iter().map(Settings::address).collect();
        assert_eq!(addresses, ["127.0.0.1:4222", "127.0.0.1:4223", "127.0.0.1:4224"]);
        for settings in &all {
            let text = settings.text();
            assert!(text.contains("sync_interval: always"), "{text}");
            let (own, others) = settings.cluster.as_ref().unwrap();
            assert_eq!((others.len(), others.contains(own)), (2, false));
            assert_eq!(text.matches("nats://127.0.0.1:").count(), 2);
        }
    }

    #[test]
    fn a_server_on_its_own_has_no_neighbours() {
        let all = of(1, 0, Path::new("/a \"folder\"")).unwrap();
        let text = all[0].text();
        assert!(!text.contains("cluster"), "{text}");
        assert!(text.contains("store_dir: \"/a \\\"folder\\\"/aiobpy-1/store\""), "{text}");
    }
}
