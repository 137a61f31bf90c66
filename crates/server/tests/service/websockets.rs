//! WebSockets by their bytes: what a client does that no library lets it do, and what it is told.

use std::time::Duration;

use crate::common::{TOKEN, echoing, token};
use aiobpy_server::{Limits, Parts, Server, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Ends a test that would wait for ever, with a message.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start(limits: Limits) -> Server {
    let config = ServerConfig { limits, ..ServerConfig::new(token()) };
    let parts = Parts { main_thread: Some(echoing()), ..Parts::default() };
    Server::start(config, parts).await.unwrap()
}

struct Client(TcpStream);

impl Client {
    /// Opens `/api/v1/echo`.
    async fn open(server: &Server) -> Self {
        let mut client = Self(TcpStream::connect(server.address()).await.unwrap());
        let request = format!(
            "GET /api/v1/echo HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.address()
        );
        client.send(request.as_bytes()).await;
        let head = client.read_until(b"\r\n\r\n").await;
        let head = String::from_utf8_lossy(&head).to_lowercase();
        assert!(head.starts_with("http/1.1 101"), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// A frame, masked with zeros, so that its payload can be read as it stands.
    async fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match u8::try_from(payload.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.send(&frame).await;
    }

    async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            bytes.push(in_time(self.0.read_u8()).await.unwrap());
        }
        bytes
    }

    /// The first byte and the payload of the next frame.
    async fn next(&mut self) -> (u8, Vec<u8>) {
        let first = in_time(self.0.read_u8()).await.unwrap();
        let length = match in_time(self.0.read_u8()).await.unwrap() {
            126 => usize::from(self.0.read_u16().await.unwrap()),
            127 => usize::try_from(self.0.read_u64().await.unwrap()).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        in_time(self.0.read_exact(&mut payload)).await.unwrap();
        (first, payload)
    }

    /// The code of the closing frame that comes next, before the server hangs up.
    async fn code(&mut self) -> u16 {
        let (first, payload) = self.next().await;
        assert_eq!(first, 0x88, "a closing frame was expected");
        self.0.shutdown().await.unwrap();
        let mut rest = Vec::new();
        in_time(self.0.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty());
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("the server answers")
}

#[tokio::test]
async fn messages_come_back_as_they_were() {
    let server = start(Limits::default()).await;
    let mut client = Client::open(&server).await;
    client.frame(0x81, "grüß".as_bytes()).await;
    client.frame(0x82, &[0; 200]).await;
    assert_eq!(client.next().await, (0x81, "grüß".as_bytes().to_vec()));
    assert_eq!(client.next().await, (0x82, vec![0; 200]));
    // In parts, with a ping between them.
    client.frame(0x01, b"one ").await;
    client.frame(0x89, b"there?").await;
    client.frame(0x80, b"two").await;
    assert_eq!(client.next().await, (0x8a, b"there?".to_vec()));
    assert_eq!(client.next().await, (0x81, b"one two".to_vec()));
    server.stop().await;
}

#[tokio::test]
async fn each_mistake_is_told_by_its_code() {
    let limits = Limits { message_bytes: 1 << 16, ..Limits::default() };
    let server = start(limits).await;
    let too_large = vec![b'x'; (1 << 16) + 1];
    for (first, payload, code) in [
        (0x88, &[0x03, 0xe8][..], 1000),
        (0x83, b"", 1002),
        (0xc1, b"reserved", 1002),
        (0x80, b"continues nothing", 1002),
        (0x09, b"a ping in parts", 1002),
        (0x81, b"\xff", 1007),
        (0x81, &too_large, 1009),
    ] {
        let mut client = Client::open(&server).await;
        client.frame(first, payload).await;
        assert_eq!(client.code().await, code, "{first:#x}");
    }
    let mut client = Client::open(&server).await;
    client.send(b"\x81\x02hi").await;
    assert_eq!(client.code().await, 1002, "a client masks what it sends");
    server.stop().await;
}

#[tokio::test]
async fn parts_without_end_are_not_gathered_without_end() {
    let server = start(Limits { message_bytes: 1 << 16, ..Limits::default() }).await;
    let mut client = Client::open(&server).await;
    client.frame(0x02, &[0; 1000]).await;
    for _ in 0..65 {
        client.frame(0x00, &[0; 1000]).await;
    }
    assert_eq!(client.code().await, 1009);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_is_silent_is_asked_and_then_cut_off() {
    let server = start(Limits { silence: Duration::from_millis(200), ..Limits::default() }).await;
    let mut client = Client::open(&server).await;
    for _ in 0..3 {
        assert_eq!(client.next().await, (0x89, Vec::new()));
        client.frame(0x8a, b"").await;
    }
    assert_eq!(client.next().await, (0x89, Vec::new()));
    let mut rest = Vec::new();
    let _reset = in_time(client.0.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn who_stops_the_server_says_goodbye() {
    let server = start(Limits::default()).await;
    let mut client = Client::open(&server).await;
    let (code, ()) = tokio::join!(client.code(), server.stop());
    assert_eq!(code, 1001);
}

#[tokio::test]
async fn a_websocket_counts_as_a_connection() {
    let server = start(Limits { connections: 1, ..Limits::default() }).await;
    let client = Client::open(&server).await;
    assert_eq!(server.connections(), 1);
    let mut other = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    other.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    in_time(other.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(client);
    in_time(async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_burst_comes_back_whole_though_it_is_read_late() {
    let server = start(Limits::default()).await;
    let mut client = Client::open(&server).await;
    let (mut reading, mut writing) = client.0.split();
    let payload = vec![7; 1 << 20];
    let frame = [&[0x82, 0x80 | 127][..], &(1_u64 << 20).to_be_bytes(), &[0; 4], &payload];
    let frame = frame.concat();
    let write = async {
        for _ in 0..16 {
            writing.write_all(&frame).await.unwrap();
        }
    };
    let read = async {
        let mut bytes = vec![0; 16 * (frame.len() - 4)];
        reading.read_exact(&mut bytes).await.unwrap();
        bytes
    };
    let ((), bytes) = in_time(async { tokio::join!(write, read) }).await;
    assert!(bytes.ends_with(&payload));
    server.stop().await;
}
