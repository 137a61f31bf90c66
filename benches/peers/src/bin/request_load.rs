//! Sends requests at a given rate, or one after the other, and says how they were answered. Prints a
//! JSON object.
//!
//! At a given rate a request's time begins when it was due, not when it was sent: a server that
//! stalls is not spared the requests that would have come meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A load of requests over connections that are kept.
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
    connections: u32,
    /// Requests a second over all connections; as many as are answered if left out.
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long)]
    seconds: f64,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Default)]
struct Seen {
    statuses: BTreeMap<String, u64>,
    latencies: Vec<Duration>,
    bytes: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Failure> {
    let arguments = Arc::new(Arguments::parse());
    let began = tokio::time::Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..arguments.connections {
        tasks.spawn(load(Arc::clone(&arguments), number, began));
    }
    let mut all = Seen::default();
    while let Some(ended) = tasks.join_next().await {
        let seen = ended??;
        for (status, count) in seen.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
        all.latencies.extend(seen.latencies);
        all.bytes += seen.bytes;
    }
    let seconds = began.elapsed().as_secs_f64();
    all.latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    let found = serde_json::json!({
        "requests": all.latencies.len(),
        "per_second": all.latencies.len() as f64 / seconds,
        "mebibytes_per_second": all.bytes as f64 / seconds / f64::from(1 << 20),
        "statuses": all.statuses,
        "p50_ms": quantile(&all.latencies, 50),
        "p99_ms": quantile(&all.latencies, 99),
        "max_ms": quantile(&all.latencies, 100),
    });
    #[expect(clippy::print_stdout, reason = "whoever started it reads the figures")]
    {
        println!("{found}");
    }
    Ok(())
}

async fn load(arguments: Arc<Arguments>, number: u32, began: Instant) -> Result<Seen, Failure> {
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {}\r\n\r\n",
        arguments.path, arguments.port, arguments.token
    );
    let interval = arguments.rate.map(|rate| f64::from(arguments.connections) / rate);
    let end = began + Duration::from_secs_f64(arguments.seconds);
    let mut due = match interval {
        Some(interval) => {
            let share = f64::from(number) / f64::from(arguments.connections);
            began + Duration::from_secs_f64(interval * share)
        }
        None => began,
    };
    let mut connection = Connection::open(arguments.port).await?;
    let mut seen = Seen::default();
    while due < end {
        sleep_until(due).await;
        let sent = if interval.is_some() { due } else { Instant::now() };
        connection.stream.write_all(request.as_bytes()).await?;
        let (status, bytes) = connection.answer().await?;
        *seen.statuses.entry(status).or_default() += 1;
        seen.bytes += bytes;
        seen.latencies.push(sent.elapsed());
        due = match interval {
            Some(interval) => due + Duration::from_secs_f64(interval),
            None => Instant::now(),
        };
    }
    Ok(seen)
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// The status and the bytes of the body of one answer, which must say its length.
    async fn answer(&mut self) -> Result<(String, u64), Failure> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).ok_or("no status")?.to_owned();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .ok_or_else(|| format!("no length: {head}"))?
            .trim()
            .parse()?;
        while self.buffer.len() < end + length {
            self.more().await?;
        }
        self.buffer.drain(..end + length);
        Ok((status, length as u64))
    }

    async fn more(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server has closed the connection".into());
        }
        Ok(())
    }
}

fn quantile(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
}
