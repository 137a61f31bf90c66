//! Sends messages over WebSockets and counts what comes back, or just holds connections open.
//! Prints a JSON object.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures_util::{SinkExt, StreamExt};
use http::Request;
use http::header::{AUTHORIZATION, HOST};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// A load of WebSockets and of server-sent events.
#[derive(Parser)]
struct Arguments {
    /// Of 127.0.0.1.
    #[arg(long)]
    port: u16,
    #[arg(long)]
    path: String,
    /// Sent as a bearer token.
    #[arg(long, env = "LOAD_TOKEN", default_value = "")]
    token: String,
    #[arg(long)]
    connections: usize,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Sends messages, so many at once over each connection, and checks that they come back.
    Echo {
        #[arg(long)]
        depth: usize,
        #[arg(long)]
        bytes: usize,
        #[arg(long)]
        seconds: f64,
    },
    /// Holds WebSockets, and so many streams of events, until its standard input ends.
    Hold {
        #[arg(long, default_value_t = 0)]
        events: usize,
        #[arg(long, default_value = "/api/v1/events")]
        events_path: String,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Failure> {
    let arguments = Arc::new(Arguments::parse());
    let found = match &arguments.what {
        What::Echo { depth, bytes, seconds } => {
            echo(&arguments, *depth, *bytes, Duration::from_secs_f64(*seconds)).await?
        }
        What::Hold { events, events_path } => hold(&arguments, *events, events_path).await?,
    };
    #[expect(clippy::print_stdout, reason = "whoever started it reads the figures")]
    {
        println!("{found}");
    }
    if matches!(arguments.what, What::Hold { .. }) {
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    }
    Ok(())
}

async fn echo(
    arguments: &Arc<Arguments>,
    depth: usize,
    bytes: usize,
    time: Duration,
) -> Result<serde_json::Value, Failure> {
    let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..arguments.connections {
        let socket = connect(arguments).await?;
        tasks.spawn(pump(socket, depth, bytes, Arc::clone(&is_over), Arc::clone(&count)));
    }
    tokio::time::sleep(time).await;
    let messages = count.load(Ordering::Relaxed);
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = messages as f64 / time.as_secs_f64();
    Ok(serde_json::json!({ "messages": messages, "per_second": rate }))
}

/// Keeps `depth` messages on their way, and looks at each that comes back.
async fn pump(
    mut socket: WebSocketStream<TcpStream>,
    depth: usize,
    bytes: usize,
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> Result<(), Error> {
    let message = Message::binary(vec![7_u8; bytes]);
    let mut under_way = 0;
    while !is_over.load(Ordering::Relaxed) {
        while under_way < depth {
            socket.feed(message.clone()).await?;
            under_way += 1;
        }
        socket.flush().await?;
        // As many as have come in one go, so that as many go out in one.
        let mut next = socket.next().await;
        while let Some(answer) = next {
            assert_eq!(answer?, message, "an echo is what was sent");
            count.fetch_add(1, Ordering::Relaxed);
            under_way -= 1;
            next = futures_util::FutureExt::now_or_never(socket.next()).flatten();
        }
    }
    socket.close(None).await
}

async fn hold(
    arguments: &Arguments,
    events: usize,
    events_path: &str,
) -> Result<serde_json::Value, Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..arguments.connections {
        let mut socket = connect(arguments).await?;
        tasks.spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    }
    for _ in 0..events {
        let mut stream = TcpStream::connect(("127.0.0.1", arguments.port)).await?;
        let request = format!(
            "GET {events_path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {}\r\n\r\n",
            arguments.port, arguments.token
        );
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = vec![0; 1024];
        let count = stream.read(&mut buffer).await?;
        let answer = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(answer.into());
        }
        tasks.spawn(async move { while let Ok(1..) = stream.read(&mut buffer).await {} });
    }
    tasks.detach_all();
    Ok(serde_json::json!({ "websockets": arguments.connections, "events": events }))
}

async fn connect(arguments: &Arguments) -> Result<WebSocketStream<TcpStream>, Failure> {
    let stream = TcpStream::connect(("127.0.0.1", arguments.port)).await?;
    stream.set_nodelay(true)?;
    let host = format!("127.0.0.1:{}", arguments.port);
    let mut request = Request::get(format!("ws://{host}{}", arguments.path))
        .header(HOST, &host)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key());
    if !arguments.token.is_empty() {
        request = request.header(AUTHORIZATION, format!("Bearer {}", arguments.token));
    }
    let (socket, _response) = client_async(request.body(())?, stream).await?;
    Ok(socket)
}
