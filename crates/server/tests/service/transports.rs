//! Other ways to the same service: HTTP/2, TLS, and a Unix socket.

use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{TOKEN, echoing, token};
use aiobpy_server::tls::{Tls, TlsIdentity};
use aiobpy_server::{Limits, Listen, Parts, Server, ServerConfig};
use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use http::{Request, Response, StatusCode};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Ends a test that would wait for ever, with a message.
const PATIENCE: Duration = Duration::from_secs(20);

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}

async fn start(limits: Limits, also: Vec<Listen>) -> Server {
    let config = ServerConfig { limits, also, ..ServerConfig::new(token()) };
    let parts = Parts { main_thread: Some(echoing()), ..Parts::default() };
    Server::start(config, parts).await.unwrap()
}

async fn text_of(response: Response<h2::RecvStream>) -> String {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    String::from_utf8(bytes).unwrap()
}

mod http_2 {
    use super::*;

    struct Client {
        requests: SendRequest<Bytes>,
        connection: JoinSet<Result<(), h2::Error>>,
        authority: String,
    }

    impl Client {
        async fn connect(server: &Server) -> Self {
            let stream = TcpStream::connect(server.address()).await.unwrap();
            let (requests, connection) = h2::client::handshake(stream).await.unwrap();
            Self::of(requests, connection, server)
        }

        fn of<S>(requests: SendRequest<Bytes>, connection: Connection<S>, server: &Server) -> Self
        where
            S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        {
            let mut tasks = JoinSet::new();
            tasks.spawn(connection);
            Self { requests, connection: tasks, authority: server.address().to_string() }
        }

        fn request(&self, path: &str) -> http::request::Builder {
            Request::get(format!("http://{}{path}", self.authority))
                .header("authorization", format!("Bearer {TOKEN}"))
        }

        async fn send(&mut self, request: Request<()>) -> Response<h2::RecvStream> {
            poll_fn(|context| self.requests.poll_ready(context)).await.unwrap();
            let (response, _) = self.requests.send_request(request, true).unwrap();
            in_time("the answer", response).await.unwrap()
        }

        async fn get(&mut self, path: &str) -> (StatusCode, String) {
            let response = self.send(self.request(path).body(()).unwrap()).await;
            (response.status(), text_of(response).await)
        }

        /// How the connection ended.
        async fn end(&mut self) -> Result<(), h2::Error> {
            in_time("the end", self.connection.join_next()).await.unwrap().unwrap()
        }
    }

    #[tokio::test]
    async fn its_preface_is_enough_and_the_authority_is_the_host() {
        let server = start(Limits::default(), Vec::new()).await;
        let mut client = Client::connect(&server).await;
        for _ in 0..3 {
            let (status, text) = client.get("/api/v1/status").await;
            assert_eq!(status, 200);
            assert!(text.contains("\"connections\":1"), "{text}");
        }
        client.authority = "evil.com".to_owned();
        let (status, text) = client.get("/api/v1/status").await;
        assert_eq!(status, 421);
        assert!(text.contains("foreign-host"));
        server.stop().await;
    }

    #[tokio::test]
    async fn a_host_that_says_something_else_is_ambiguous() {
        let server = start(Limits::default(), Vec::new()).await;
        let mut client = Client::connect(&server).await;
        let asked = client.request("/healthz").header("host", "localhost:1").body(()).unwrap();
        let response = client.send(asked).await;
        assert_eq!(response.status(), 400);
        assert!(text_of(response).await.contains("ambiguous-host"));
        let same = client.request("/healthz").header("host", &client.authority);
        let same = same.body(()).unwrap();
        assert_eq!(client.send(same).await.status(), 200);
        server.stop().await;
    }

    #[tokio::test]
    async fn a_connection_without_requests_is_closed() {
        let limits = Limits { idle_time: Duration::from_millis(100), ..Limits::default() };
        let server = start(limits, Vec::new()).await;
        let mut client = Client::connect(&server).await;
        assert_eq!(client.get("/healthz").await.0, 200);
        client.end().await.unwrap();
        server.stop().await;
    }

    #[tokio::test]
    async fn a_stop_takes_its_leave_and_ends_what_is_under_way() {
        let server = start(Limits::default(), Vec::new()).await;
        let mut client = Client::connect(&server).await;
        let events = client.request("/api/v1/events").body(()).unwrap();
        let events = client.send(events).await;
        assert_eq!(events.status(), 200);
        in_time("the stop", server.stop()).await;
        assert!(text_of(events).await.contains("retry"));
        client.end().await.unwrap();
    }

    #[tokio::test]
    async fn headers_that_are_too_long_are_refused() {
        let server = start(Limits::default(), Vec::new()).await;
        let mut client = Client::connect(&server).await;
        let long = client.request("/healthz").header("x-long", "x".repeat(40_000));
        let response = client.send(long.body(()).unwrap()).await;
        assert_eq!(response.status(), 431);
        assert_eq!(client.get("/healthz").await.0, 200);
        server.stop().await;
    }

    #[tokio::test]
    async fn who_opens_streams_and_resets_them_is_cut_off() {
        let server = start(Limits::default(), Vec::new()).await;
        let mut client = Client::connect(&server).await;
        assert_eq!(client.get("/healthz").await.0, 200);
        let flood = async {
            for count in 1_u64.. {
                if poll_fn(|context| client.requests.poll_ready(context)).await.is_err() {
                    return;
                }
                if count % 100 == 0 {
                    // Both ends run on this thread.
                    tokio::task::yield_now().await;
                }
                let request = Request::get(format!("http://{}/healthz", client.authority));
                let sent = client.requests.send_request(request.body(()).unwrap(), false);
                let Ok((_, mut stream)) = sent else { return };
                stream.send_reset(h2::Reason::CANCEL);
            }
        };
        in_time("the flood", flood).await;
        assert!(client.end().await.is_err());
        let mut other = Client::connect(&server).await;
        assert_eq!(other.get("/healthz").await.0, 200, "the server goes on");
        server.stop().await;
    }

    #[tokio::test]
    async fn who_takes_no_byte_of_an_answer_is_cut_off_though_the_socket_is_free() {
        let limits = Limits { stall_time: Duration::from_millis(200), ..Limits::default() };
        let server = start(limits, Vec::new()).await;
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let handshake = h2::client::Builder::new().initial_window_size(0).handshake(stream);
        let (requests, connection) = handshake.await.unwrap();
        let mut client = Client::of(requests, connection, &server);
        let events = client.request("/api/v1/events").body(()).unwrap();
        let answer = client.send(events).await;
        assert_eq!(answer.status(), 200);
        let _hung_up = client.end().await;
        drop(answer);
        server.stop().await;
    }

    #[tokio::test]
    async fn a_websocket_opens_on_a_stream() {
        let server = start(Limits::default(), Vec::new()).await;
        let mut client = Client::connect(&server).await;
        assert_eq!(client.get("/healthz").await.0, 200);
        let request = client
            .request("/api/v1/echo")
            .method("CONNECT")
            .extension(h2::ext::Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .body(())
            .unwrap();
        let (response, mut sending) = client.requests.send_request(request, false).unwrap();
        let response = in_time("the answer", response).await.unwrap();
        assert_eq!(response.status(), 200);
        // A text, masked with zeros, and the closing frame.
        sending.send_data(Bytes::from_static(b"\x81\x82\0\0\0\0hi"), false).unwrap();
        let mut body = response.into_body();
        let echoed = in_time("the echo", body.data()).await.unwrap().unwrap();
        assert_eq!(&*echoed, b"\x81\x02hi");
        sending.send_data(Bytes::from_static(b"\x88\x82\0\0\0\0\x03\xe8"), false).unwrap();
        let closing = in_time("the closing frame", body.data()).await.unwrap().unwrap();
        assert_eq!(&*closing, b"\x88\x02\x03\xe8");
        server.stop().await;
    }
}

mod tls {
    use super::*;

    fn identity(name: &str) -> (TlsIdentity, RootCertStore) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([name.to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        (TlsIdentity { chain: vec![cert.der().clone()], key }, roots)
    }

    fn connector(roots: RootCertStore, protocols: &[&str]) -> TlsConnector {
        let mut config =
            rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    async fn listening(limits: Limits, tls: &Tls) -> Server {
        let address = "127.0.0.1:0".parse().unwrap();
        start(limits, vec![Listen::Secure { address, tls: tls.clone() }]).await
    }

    async fn connect(server: &Server) -> TcpStream {
        TcpStream::connect(server.also()[0].address().unwrap()).await.unwrap()
    }

    async fn asks(server: &Server, roots: RootCertStore) -> std::io::Result<String> {
        let name = ServerName::try_from("aiobpy.test").unwrap();
        let connector = connector(roots, &["http/1.1"]);
        let mut stream = connector.connect(name, connect(server).await).await?;
        let host = server.also()[0].address().unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn the_certificate_can_be_replaced_while_the_server_runs() {
        let ((first, trusting_first), (second, trusting_second)) =
            (identity("aiobpy.test"), identity("aiobpy.test"));
        let tls = Tls::new(first).unwrap();
        let server = listening(Limits::default(), &tls).await;
        assert!(asks(&server, trusting_first.clone()).await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(asks(&server, trusting_second.clone()).await.is_err());
        tls.replace(second).unwrap();
        assert!(asks(&server, trusting_second).await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(asks(&server, trusting_first).await.is_err());
        server.stop().await;
    }

    #[tokio::test]
    async fn http_2_is_agreed_on() {
        let (identity, roots) = identity("aiobpy.test");
        let server = listening(Limits::default(), &Tls::new(identity).unwrap()).await;
        let name = ServerName::try_from("aiobpy.test").unwrap();
        let stream = connector(roots, &["h2", "http/1.1"]).connect(name, connect(&server).await);
        let stream = stream.await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        let host = server.also()[0].address().unwrap();
        let request = Request::get(format!("https://{host}/healthz")).body(()).unwrap();
        let (response, _) = requests.send_request(request, true).unwrap();
        assert_eq!(in_time("the answer", response).await.unwrap().status(), 200);
        server.stop().await;
    }

    #[tokio::test]
    async fn plain_http_is_told_that_this_is_tls() {
        let (identity, _) = identity("aiobpy.test");
        let server = listening(Limits::default(), &Tls::new(identity).unwrap()).await;
        let mut stream = connect(&server).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        in_time("the answer", stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("tls-expected"), "{answer}");
        server.stop().await;
    }

    #[tokio::test]
    async fn who_does_not_finish_the_handshake_is_cut_off() {
        let (identity, _) = identity("aiobpy.test");
        let limits = Limits { handshake_time: Duration::from_millis(200), ..Limits::default() };
        let server = listening(limits, &Tls::new(identity).unwrap()).await;
        for begun in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on"]
        {
            let mut stream = connect(&server).await;
            stream.write_all(begun).await.unwrap();
            let mut answer = Vec::new();
            let _reset = in_time("the end", stream.read_to_end(&mut answer)).await;
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn what_is_closed_cuts_its_connections_and_no_others() {
        let (identity, _) = identity("aiobpy.test");
        let server = listening(Limits::default(), &Tls::new(identity).unwrap()).await;
        let mut stream = connect(&server).await;
        stream.write_all(b"\x16").await.unwrap();
        while server.connections() == 0 {
            tokio::task::yield_now().await;
        }
        let mut other = TcpStream::connect(server.address()).await.unwrap();
        server.also()[0].close();
        let mut rest = Vec::new();
        let _reset = in_time("the end", stream.read_to_end(&mut rest)).await;
        let host = server.address();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        other.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        other.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        server.stop().await;
    }

    #[tokio::test]
    async fn a_key_of_another_certificate_is_refused() {
        let ((first, _), (second, _)) = (identity("aiobpy.test"), identity("aiobpy.test"));
        let problem = Tls::new(TlsIdentity { chain: first.chain, key: second.key }).unwrap_err();
        assert_eq!(problem.kind, "unusable-certificate");
    }

    #[test]
    fn pem_files_are_read_and_those_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["aiobpy.test".to_owned()]).unwrap();
        let chain = file("chain.pem", &cert.pem());
        let key = file("key.pem", &signing_key.serialize_pem());
        assert!(Tls::new(TlsIdentity::from_pem_files(&chain, &key).unwrap()).is_ok());
        let empty = file("empty.pem", "");
        for (chain, key) in [(&empty, &key), (&chain, &empty), (&chain, &chain)] {
            let problem = TlsIdentity::from_pem_files(chain, key).unwrap_err();
            assert_eq!(problem.kind, "unusable-certificate");
        }
        assert!(TlsIdentity::from_pem_files(Path::new("/absent"), &key).is_err());
    }
}

#[cfg(unix)]
mod unix_sockets {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use tokio::net::UnixStream;

    use super::*;

    async fn asks(path: &Path, host: &str) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        let request = format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        in_time("the answer", stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_this_user_may_open_it_and_it_goes_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let server = start(Limits::default(), vec![Listen::Local(path.clone())]).await;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(asks(&path, "localhost").await.starts_with("HTTP/1.1 200"));
        assert!(asks(&path, "evil.com").await.contains("foreign-host"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no folder is left");
        server.stop().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn it_takes_the_place_of_a_dead_one_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let server = start(Limits::default(), vec![Listen::Local(path.clone())]).await;
        let open = async |path: &Path| server.open(Listen::Local(path.to_owned())).await;
        let in_use = open(&path).await.err().unwrap();
        assert_eq!((in_use.status, &*in_use.kind), (409, "cannot-listen"));
        let file = folder.path().join("file");
        fs::write(&file, "precious").unwrap();
        assert_eq!(open(&file).await.err().unwrap().status, 409);
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(open(Path::new("/absent/socket")).await.is_err());
        server.stop().await;
    }
}
