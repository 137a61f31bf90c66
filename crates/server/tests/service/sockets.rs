//! The server on a real socket: what clients do that no library lets them do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{StandIn, TOKEN, echoing, token};
use aiobpy_server::discovery::Discovery;
use aiobpy_server::{Limits, MainThread, Parts, Server, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Ends a test that would wait for ever, with a message.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start_with(limits: Limits, main_thread: Arc<dyn MainThread>) -> Server {
    let config = ServerConfig { limits, ..ServerConfig::new(token()) };
    let parts = Parts { main_thread: Some(main_thread), ..Parts::default() };
    Server::start(config, parts).await.unwrap()
}

async fn start(limits: Limits) -> Server {
    start_with(limits, echoing()).await
}

struct Client {
    stream: TcpStream,
    host: String,
}

impl Client {
    async fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        Self { stream, host: server.address().to_string() }
    }

    async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        let host = &self.host;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
        self.write(&request).await;
    }

    /// What comes until the server closes the connection, or resets it.
    async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.stream.read_to_end(&mut bytes);
        let _reset = tokio::time::timeout(PATIENCE, read).await.expect("the server hung up");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What comes until `end` has come.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let reading = async {
            while !text.contains(end) {
                let mut bytes = [0; 4096];
                let count = self.stream.read(&mut bytes).await.unwrap();
                assert_ne!(count, 0, "the server hung up after {text:?}");
                text.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, reading).await;
        assert!(outcome.is_ok(), "{end:?} did not come");
        text
    }

    /// The status and the JSON of the next answer; the connection stays open.
    async fn read_json(&mut self) -> (u16, Value) {
        let mut text = self.read_until("\r\n\r\n").await;
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let body_at = head.len() + 4;
        while text.len() < body_at + length {
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).await.unwrap();
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        (status, serde_json::from_str(&text[body_at..]).unwrap())
    }
}

mod slow_clients {
    use super::*;

    fn short() -> Limits {
        Limits { header_time: Duration::from_millis(200), ..Limits::default() }
    }

    #[tokio::test]
    async fn who_does_not_finish_the_headers_is_cut_off() {
        let server = start(short()).await;
        let mut client = Client::connect(&server).await;
        client.write("GET /api/v1/status HTTP/1.1\r\nHost: 127").await;
        assert!(!client.read_to_end().await.contains("200 OK"));
        server.stop().await;
    }

    #[tokio::test]
    async fn who_says_nothing_is_cut_off() {
        let server = start(short()).await;
        let mut client = Client::connect(&server).await;
        assert_eq!(client.read_to_end().await, "");
        server.stop().await;
    }

    #[tokio::test]
    async fn who_keeps_a_connection_for_nothing_is_cut_off() {
        let server = start(short()).await;
        let mut client = Client::connect(&server).await;
        client.get("/healthz").await;
        assert!(client.read_to_end().await.contains("200 OK"));
        server.stop().await;
    }

    #[tokio::test]
    async fn who_does_not_send_the_body_is_told_so() {
        let server = start(Limits { body_time: Duration::from_millis(200), ..Limits::default() });
        let server = server.await;
        let mut client = Client::connect(&server).await;
        let head = format!(
            "POST /api/v1/rpc/echo HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
            server.address()
        );
        client.write(&head).await;
        assert!(client.read_to_end().await.contains("body-too-slow"));
        server.stop().await;
    }

    #[tokio::test]
    async fn who_does_not_read_is_cut_off() {
        let limits = Limits { stall_time: Duration::from_millis(300), ..Limits::default() };
        let server = start(limits).await;
        let mut client = Client::connect(&server).await;
        client.get("/api/v1/events").await;
        client.read_until("retry").await;
        assert_eq!(server.connections(), 1);
        // More than the buffers of both sockets hold.
        for _ in 0..64 {
            server.publish("big".to_owned(), json!("x".repeat(1 << 20)));
        }
        let gone = async {
            while server.connections() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("the connection was closed");
        server.stop().await;
    }
}

mod malformed {
    use super::*;

    async fn answer_to(request: &str) -> String {
        let server = start(Limits::default()).await;
        let mut client = Client::connect(&server).await;
        client.write(&request.replace("{host}", &server.address().to_string())).await;
        // No more will come from us: what the server still waits for, it will not get.
        client.stream.shutdown().await.unwrap();
        let answer = client.read_to_end().await;
        let mut next = Client::connect(&server).await;
        next.get("/healthz").await;
        assert_eq!(next.read_json().await.0, 200, "the server goes on");
        server.stop().await;
        answer
    }

    #[tokio::test]
    async fn what_is_no_http_gets_a_400() {
        for garbage in [
            "garbage\r\n\r\n",
            "{\"jsonrpc\": \"2.0\", \"method\": \"x\"}\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n",
            "GET /healthz HTTP/9.9\r\nHost: {host}\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: {host}\r\nBad Header: x\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost : {host}\r\n\r\n",
        ] {
            let answer = answer_to(garbage).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{garbage}: {answer}");
            assert!(answer.contains("malformed-request"), "{garbage}: {answer}");
            assert_is_ours(&answer);
        }
    }

    #[tokio::test]
    async fn a_body_of_two_lengths_gets_a_400() {
        for headers in [
            "Content-Length: 2\r\nContent-Length: 3\r\n",
            "Content-Length: -1\r\n",
            "Transfer-Encoding: gzip\r\n",
        ] {
            let request = format!(
                "POST /api/v1/rpc/echo HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Bearer {TOKEN}\r\n\
                 Content-Type: application/json\r\n{headers}\r\n{{}}"
            );
            let answer = answer_to(&request).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{headers}: {answer}");
            assert_is_ours(&answer);
        }
    }

    #[tokio::test]
    async fn headers_without_end_get_a_431() {
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: {{host}}\r\nX: {}", "x".repeat(40_000));
        let many = "X: y\r\n".repeat(200);
        let many = format!("GET /healthz HTTP/1.1\r\nHost: {{host}}\r\n{many}\r\n");
        for request in [request, many] {
            let answer = answer_to(&request).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
            assert!(answer.contains("headers-too-large") && answer.contains("32 KiB"), "{answer}");
            assert_is_ours(&answer);
        }
    }

    #[tokio::test]
    async fn what_is_no_request_after_one_that_is_gets_an_answer_of_its_own() {
        let answers =
            answer_to("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\ngarbage\r\n\r\n").await;
        let (first, second) = answers.split_once("{\"ok\":true}").unwrap();
        assert!(first.starts_with("HTTP/1.1 200"), "{first}");
        assert!(second.starts_with("HTTP/1.1 400"), "{second}");
        assert_is_ours(second);
    }

    /// Whole, a problem, and with the headers that keep a browser from making more of it.
    fn assert_is_ours(answer: &str) {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        for part in ["content-type: application/problem+json", "nosniff", "x-request-id: "] {
            assert!(head.contains(part), "{part}: {answer}");
        }
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
        let problem: Value = serde_json::from_str(body).unwrap();
        assert!(head.contains(&format!("HTTP/1.1 {}", problem["status"])), "{answer}");
    }

    #[tokio::test]
    async fn an_absolute_target_is_held_to_the_gate() {
        let foreign = "GET http://evil.com/healthz HTTP/1.1\r\nHost: {host}\r\n\r\n";
        assert!(answer_to(foreign).await.contains("foreign-host"));
        let ours = "GET http://{host}/healthz HTTP/1.1\r\nHost: {host}\r\n\r\n";
        assert!(answer_to(ours).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn the_authority_of_connect_is_held_to_the_gate() {
        let tunnel = "CONNECT evil.com:443 HTTP/1.1\r\nHost: {host}\r\n\r\n";
        assert!(answer_to(tunnel).await.contains("foreign-host"));
    }

    #[tokio::test]
    async fn http_1_0_without_a_host_is_refused() {
        assert!(answer_to("GET /healthz HTTP/1.0\r\n\r\n").await.contains("missing-host"));
    }

    #[tokio::test]
    async fn a_large_body_is_taken_from_the_wire_so_that_the_answer_arrives() {
        let body = "x".repeat(4 << 20);
        for (token, problem) in [(TOKEN, "body-too-large"), ("wrong", "wrong-token")] {
            let request = format!(
                "POST /api/v1/rpc/echo HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            assert!(answer_to(&request).await.contains(problem));
        }
    }

    #[tokio::test]
    async fn a_client_that_asks_before_it_sends_is_answered_without_its_body() {
        let server = start(Limits::default()).await;
        let mut client = Client::connect(&server).await;
        let head = format!(
            "POST /api/v1/rpc/echo HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer wrong\r\n\
             Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
            server.address()
        );
        client.write(&head).await;
        assert!(client.read_to_end().await.starts_with("HTTP/1.1 401"));
        server.stop().await;
    }
}

mod many_clients {
    use super::*;

    #[tokio::test]
    async fn one_connection_serves_many_requests() {
        let server = start(Limits::default()).await;
        let mut client = Client::connect(&server).await;
        for _ in 0..3 {
            client.get("/api/v1/status").await;
            let (status, body) = client.read_json().await;
            assert_eq!((status, &body["connections"]), (200, &json!(1)));
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told_so_and_closed() {
        let limits = Limits { connections: 2, ..Limits::default() };
        let server = start(limits).await;
        let (mut one, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
        for client in [&mut one, &mut other] {
            client.get("/healthz").await;
            assert_eq!(client.read_json().await.0, 200);
        }
        let mut extra = Client::connect(&server).await;
        extra.get("/healthz").await;
        let answer = extra.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after: 1") && answer.contains("too-many-connections"));
        assert_eq!(server.connections(), 2);
        drop(one);
        let mut again = Client::connect(&server).await;
        let mut status = 0;
        while status != 200 {
            // The server may not yet have seen that `one` has gone.
            again = Client::connect(&server).await;
            again.get("/healthz").await;
            status = again.read_json().await.0;
        }
        drop(again);
        server.stop().await;
    }

    #[tokio::test]
    async fn an_address_has_a_limit_of_its_own() {
        let limits = Limits { connections_per_address: 1, ..Limits::default() };
        let server = start(limits).await;
        let mut client = Client::connect(&server).await;
        client.get("/healthz").await;
        assert_eq!(client.read_json().await.0, 200);
        let mut extra = Client::connect(&server).await;
        extra.get("/healthz").await;
        assert_eq!(extra.read_json().await.0, 503);
        server.stop().await;
    }
}

mod events {
    use super::*;

    #[tokio::test]
    async fn who_comes_back_with_the_last_id_misses_nothing() {
        let server = start(Limits::default()).await;
        let mut client = Client::connect(&server).await;
        client.get("/api/v1/events?topics=my_addon").await;
        client.read_until("retry").await;
        server.publish("other".to_owned(), json!(0));
        server.publish("my_addon.saved".to_owned(), json!({"n": 1}));
        let text = client.read_until("\n\n").await;
        let id = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
        assert!(text.contains("event: message\n"), "{text}");
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let record: Value = serde_json::from_str(data).unwrap();
        assert_eq!(record["type"], "message");
        assert_eq!(
            (&record["topic"], &record["data"]),
            (&json!("my_addon.saved"), &json!({"n": 1}))
        );
        assert_eq!(record["sequence"].to_string(), id);
        drop(client);

        server.publish("my_addon.saved".to_owned(), json!({"n": 2}));
        let mut client = Client::connect(&server).await;
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Last-Event-ID: {id}\r\n\r\n",
            server.address()
        );
        client.write(&request).await;
        assert!(client.read_until("\"n\":2").await.contains("id: "));
        server.stop().await;
    }
}

mod stopping {
    use super::*;

    #[tokio::test]
    async fn a_stop_ends_streams_and_calls_and_idle_connections() {
        let (main_thread, mut calls) = StandIn::new();
        let server = start_with(Limits::default(), main_thread).await;
        let address = server.address();
        let mut idle = Client::connect(&server).await;
        idle.get("/healthz").await;
        idle.read_json().await;
        let mut watcher = Client::connect(&server).await;
        watcher.get("/api/v1/events").await;
        watcher.read_until("retry").await;
        let mut caller = Client::connect(&server).await;
        let head = format!(
            "POST /api/v1/rpc/x HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        caller.write(&head).await;
        let call = calls.recv().await.unwrap();
        server.stop().await;
        assert!(call.answer.is_abandoned());
        assert_eq!(idle.read_to_end().await, "");
        assert!(watcher.read_to_end().await.ends_with("0\r\n\r\n"));
        assert!(caller.read_to_end().await.contains("closing"));
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn an_answer_that_is_there_counts_though_the_server_stops() {
        for _ in 0..20 {
            let (main_thread, mut calls) = StandIn::new();
            let server = start_with(Limits::default(), main_thread).await;
            let mut client = Client::connect(&server).await;
            let head = format!(
                "POST /api/v1/rpc/x HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
                server.address()
            );
            client.write(&head).await;
            calls.recv().await.unwrap().answer.send(Ok("42".to_owned()));
            server.stop().await;
            let answer = client.read_to_end().await;
            assert!(answer.ends_with("\r\n\r\n42"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_does_not_hold_up_the_stop() {
        let limits = Limits { farewell: Duration::from_millis(100), ..Limits::default() };
        let server = start(limits).await;
        let mut client = Client::connect(&server).await;
        client.get("/api/v1/events").await;
        client.read_until("retry").await;
        for _ in 0..64 {
            server.publish("big".to_owned(), json!("x".repeat(1 << 20)));
        }
        tokio::time::timeout(PATIENCE, server.stop()).await.expect("the server stops");
    }

    #[tokio::test]
    async fn a_client_that_leaves_abandons_its_call() {
        let (main_thread, mut calls) = StandIn::new();
        let server = start_with(Limits::default(), main_thread).await;
        let mut client = Client::connect(&server).await;
        let head = format!(
            "POST /api/v1/rpc/x HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
            server.address()
        );
        client.write(&head).await;
        let call = calls.recv().await.unwrap();
        assert!(!call.answer.is_abandoned());
        drop(client);
        let gone = async {
            while !call.answer.is_abandoned() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("the server notices");
        server.stop().await;
    }
}

mod starting {
    use super::*;

    async fn start(config: ServerConfig) -> Server {
        Server::start(config, Parts::default()).await.unwrap()
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let taken = start(ServerConfig::new(token())).await;
        let port = taken.address().port();
        let config = ServerConfig { port: Some(port), ..ServerConfig::new(token()) };
        let problem = Server::start(config, Parts::default()).await.err().unwrap();
        assert_eq!(problem.kind, "port-in-use");
        assert!(problem.detail.contains(&port.to_string()), "{problem}");
        assert!(problem.hint.is_some());
        taken.stop().await;
    }

    #[tokio::test]
    async fn an_address_that_others_see_is_refused() {
        let listen = "0.0.0.0".parse().unwrap();
        let config = ServerConfig { listen, ..ServerConfig::new(token()) };
        let problem = Server::start(config, Parts::default()).await.err().unwrap();
        assert_eq!(problem.kind, "not-loopback");
    }

    #[tokio::test]
    async fn the_port_is_remembered_and_given_up_when_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("aiobpy").join("port");
        let config = || ServerConfig {
            remembered_port_file: Some(file.clone()),
            ..ServerConfig::new(token())
        };
        let first = start(config()).await;
        let port = first.address().port();
        let other = start(config()).await;
        assert_ne!(other.address().port(), port, "the first still has it");
        let last = other.address().port();
        first.stop().await;
        other.stop().await;
        let again = start(config()).await;
        assert_eq!(again.address().port(), last);
        again.stop().await;
    }

    #[tokio::test]
    async fn the_discovery_file_leads_to_the_server_and_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.json");
        let config =
            ServerConfig { discovery_file: Some(file.clone()), ..ServerConfig::new(token()) };
        let server = start(config).await;
        let discovery = Discovery::read(&file).unwrap();
        assert_eq!(discovery.address, format!("http://{}", server.address()));
        assert_eq!(discovery.token, server.token().as_str());
        server.stop().await;
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_discovery_file_that_cannot_be_written_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        let file = in_the_way.join("one.json");
        let config = ServerConfig { discovery_file: Some(file), ..ServerConfig::new(token()) };
        let problem = Server::start(config, Parts::default()).await.err().unwrap();
        assert_eq!(problem.kind, "unwritable-file");
    }
}
