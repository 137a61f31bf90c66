//! A link by TCP on loopback, where a process cannot be started with one end of a socket pair.
//!
//! Any program on the machine can connect: the first words have to be the secret that only the worker was
//! told.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StandardTcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Where a worker finds the address and the secret, as in `127.0.0.1:50123 2f6c…`.
const VARIABLE: &str = "AIOBPY_WORKER_LINK";
/// How long who connects may take to tell the secret.
const SECRET_LIMIT: Duration = Duration::from_secs(5);

/// The supervisor's end, before the worker has connected.
#[derive(Debug)]
pub(crate) struct Connecting {
    listener: TcpListener,
    secret: blake3::Hash,
}

/// The end that a worker is to get.
pub(crate) struct WorkersEnd {
    address: SocketAddr,
    secret: blake3::Hash,
}

pub(crate) fn open_link() -> io::Result<(Connecting, WorkersEnd)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let mut random = [0; blake3::OUT_LEN];
    getrandom::fill(&mut random)?;
    let secret = blake3::Hash::from_bytes(random);
    let listener = TcpListener::from_std(listener)?;
    Ok((Connecting { listener, secret }, WorkersEnd { address, secret }))
}

impl Connecting {
    /// Waits for the worker to connect, and turns others away.
    pub(crate) async fn connected(self) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            match timeout(SECRET_LIMIT, told_secret(&mut stream)).await {
                // Compared in constant time.
                Ok(Ok(told)) if told == self.secret => {
                    stream.set_nodelay(true)?;
                    return Ok(stream.into_split());
                }
                _ => tracing::warn!("turned away who is not the worker that was started"),
            }
        }
    }
}

async fn told_secret(stream: &mut TcpStream) -> io::Result<blake3::Hash> {
    let mut told = [0; blake3::OUT_LEN * 2];
    stream.read_exact(&mut told).await?;
    blake3::Hash::from_hex(told).map_err(io::Error::other)
}

impl WorkersEnd {
    /// Tells what is about to be started where to connect.
    pub(crate) fn give_to(self, command: &mut Command) {
        command.stdin(Stdio::null());
        command.env(VARIABLE, format!("{} {}", self.address, self.secret.to_hex()));
    }

    #[cfg(test)]
    pub(crate) fn into_stream(self) -> StandardTcpStream {
        connect(self.address, &self.secret.to_hex()).unwrap()
    }
}

/// Connects to the supervisor that started this process.
///
/// # Errors
///
/// Fails if no supervisor started it, or if that is gone.
pub(crate) fn take_link() -> io::Result<StandardTcpStream> {
    let not_started = || {
        io::Error::other(format!(
            "the environment has no link in `{VARIABLE}`: only `aiobpy serve` starts a worker"
        ))
    };
    let link = std::env::var(VARIABLE).map_err(|_| not_started())?;
    let (address, secret) = link.split_once(' ').ok_or_else(not_started)?;
    connect(address.parse().map_err(|_| not_started())?, secret)
}

fn connect(address: SocketAddr, secret: &str) -> io::Result<StandardTcpStream> {
    let mut stream = StandardTcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(secret.as_bytes())?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn the_worker_is_let_in_and_others_are_turned_away() {
        let (connecting, workers_end) = open_link().unwrap();
        let mut stranger = StandardTcpStream::connect(workers_end.address).unwrap();
        stranger.write_all(&[b'0'; 64]).unwrap();
        let mut worker = workers_end.into_stream();
        worker.write_all(b"hello\n").unwrap();
        let (mut reading, mut writing) = connecting.connected().await.unwrap();
        let mut words = [0; 6];
        reading.read_exact(&mut words).await.unwrap();
        assert_eq!(&words, b"hello\n");
        writing.write_all(b"job\n").await.unwrap();
        let mut words = [0; 4];
        worker.read_exact(&mut words).unwrap();
        assert_eq!(&words, b"job\n");
        assert_eq!(stranger.read(&mut words).unwrap_or(0), 0);
    }
}
