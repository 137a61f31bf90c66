//! `aiobpy mcp`: the Model Context Protocol on standard input and output, for clients that start a
//! program, bridged to the server of a Blender that runs.
//!
//! One message a line, both ways. What the two revisions say in headers is taken from the messages;
//! the server is looked for anew at each, so that Blender may come and go.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aiobpy_server::discovery::{self, Discovery};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::client::{Client, Events, read};
use crate::failure::Failure;
use crate::terminal::Terminal;

const PATH: &str = "/mcp";
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `Internal error` of JSON-RPC.
const FAILED: i64 = -32603;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The server; that of the Blender that this user started last if left out.
    #[arg(long, value_name = "ADDRESS", requires = "token_file")]
    url: Option<String>,
    /// A file that holds what the server at `--url` wants to see.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let lines = lines_of_input()?;
    runtime.block_on(bridge(arguments, lines, terminal))
}

/// The lines of standard input, which a thread waits for.
fn lines_of_input() -> Result<mpsc::Receiver<String>, Failure> {
    const WAITING: usize = 64;
    let (sender, lines) = mpsc::channel(WAITING);
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    // It ends with the input, or with the process.
    std::thread::Builder::new().name("aiobpy-mcp".to_owned()).spawn(read).map_err(Failure::new)?;
    Ok(lines)
}

async fn bridge(
    arguments: Arguments,
    mut lines: mpsc::Receiver<String>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let (said, mut answers) = mpsc::unbounded_channel();
    let bridge = Arc::new(Bridge { arguments, session: Mutex::default(), said });
    let mut under_way = JoinSet::new();
    let mut by_id: HashMap<String, AbortHandle> = HashMap::new();
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { break };
                if line.trim().is_empty() {
                    continue;
                }
                let message: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(cancelled) = cancelled_by(&message) {
                    // In the newer revision, the end of the stream is what cancels.
                    if let Some(task) = by_id.remove(&cancelled).filter(|_| bridge.is_stateless()) {
                        task.abort();
                        continue;
                    }
                }
                let id = message.get("id").map(ToString::to_string);
                let task = under_way.spawn(Arc::clone(&bridge).pass(line, message));
                if let Some(id) = id {
                    by_id.insert(id, task);
                }
            }
            Some(answer) = answers.recv() => terminal.say(&answer),
            Some(_ended) = under_way.join_next() => by_id.retain(|_, task| !task.is_finished()),
        }
    }
    under_way.abort_all();
    bridge.end_session().await;
    Ok(())
}

struct Bridge {
    arguments: Arguments,
    /// The session's id and version, of the older revisions.
    session: Mutex<Option<(HeaderValue, HeaderValue)>>,
    said: mpsc::UnboundedSender<String>,
}

impl Bridge {
    /// Hands a message on, and what comes back for it.
    async fn pass(self: Arc<Self>, line: String, message: Value) {
        let result = self.exchange(line, &message).await;
        let (Err(failure), Some(id)) = (result, message.get("id")) else { return };
        if message.get("method").is_some() {
            let error = json!({ "code": FAILED, "message": failure.to_string() });
            self.say(json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string());
        }
    }

    async fn exchange(&self, line: String, message: &Value) -> Result<(), Failure> {
        let mut client = self.client()?;
        let headers = self.headers(message)?;
        let response = client.exchange(Method::POST, PATH, line.into(), &headers).await?;
        if response.status() == http::StatusCode::ACCEPTED {
            return self.follow(message).await;
        }
        let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        if kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
            let mut events = Events::of(response);
            while let Some(data) = events.next().await? {
                self.say(data);
            }
            return Ok(());
        }
        let session = response.headers().get(SESSION).cloned();
        let is_problem = kind.is_some_and(|kind| kind.starts_with(b"application/problem+json"));
        let body = read(response).await?;
        let text = String::from_utf8_lossy(&body);
        if is_problem {
            return Err(Failure::new(text.into_owned()));
        }
        if let Some(id) = session {
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            let version = answer["result"]["protocolVersion"].as_str().unwrap_or_default();
            let version = HeaderValue::from_str(version).map_err(Failure::new)?;
            *self.session() = Some((id, version));
        }
        self.say(text.into_owned());
        Ok(())
    }

    /// Of the older revisions: what the server says by itself comes on a stream of its own.
    async fn follow(&self, message: &Value) -> Result<(), Failure> {
        if message["method"] != "notifications/initialized" {
            return Ok(());
        }
        let mut client = self.client()?;
        let headers = self.headers(&Value::Null)?;
        let response = client.exchange(Method::GET, PATH, Bytes::new(), &headers).await?;
        let mut events = Events::of(response);
        while let Some(data) = events.next().await? {
            self.say(data);
        }
        Ok(())
    }

    async fn end_session(&self) {
        let Ok(headers) = self.headers(&Value::Null) else { return };
        if headers.contains_key(SESSION)
            && let Ok(mut client) = self.client()
        {
            let _gone = client.exchange(Method::DELETE, PATH, Bytes::new(), &headers).await;
        }
    }

    /// What the transport over HTTP wants to see besides the message.
    fn headers(&self, message: &Value) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        let accepted = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(header::ACCEPT, accepted);
        let value = |text: &str| HeaderValue::from_str(text).map_err(Failure::new);
        let params = &message["params"];
        if let Some(version) = params["_meta"][VERSION].as_str() {
            headers.insert("mcp-protocol-version", value(version)?);
            headers.insert("mcp-method", value(message["method"].as_str().unwrap_or_default())?);
            if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
                headers.insert("mcp-name", value(&encoded(name))?);
            }
        } else if let Some((id, version)) = self.session().clone() {
            headers.insert(SESSION, id);
            headers.insert("mcp-protocol-version", version);
        }
        Ok(headers)
    }

    fn client(&self) -> Result<Client, Failure> {
        if let (Some(url), Some(file)) = (&self.arguments.url, &self.arguments.token_file) {
            let token = std::fs::read_to_string(file).map_err(|error| {
                Failure::new(format!("could not read `{}`: {error}", file.display()))
            })?;
            return Client::new(url, token.trim().to_owned());
        }
        let servers = discovery::user_folder().map(|folder| Discovery::read_all(&folder));
        let mut servers = servers.into_iter().flatten();
        let found = servers.find(|server| !server.takes_jobs).ok_or_else(|| {
            Failure::new("no Blender with a web server runs")
                .with_hint("start Blender, and switch the web server on in aiobpy's panel")
        })?;
        Client::new(&found.address, found.token)
    }

    fn is_stateless(&self) -> bool {
        self.session().is_none()
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Option<(HeaderValue, HeaderValue)>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One message is one line.
    fn say(&self, message: String) {
        let _ended = self.said.send(message);
    }
}

/// The id of the request that a message cancels, if it does.
fn cancelled_by(message: &Value) -> Option<String> {
    (message["method"] == "notifications/cancelled")
        .then(|| message["params"]["requestId"].to_string())
}

/// As the protocol writes in a header what is no plain ASCII.
fn encoded(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain && name.trim() == name {
        return name.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_a_header() {
        assert_eq!(encoded("cup.fill"), "cup.fill");
        assert_eq!(encoded("blend://texts/Tüte"), "=?base64?YmxlbmQ6Ly90ZXh0cy9Uw7x0ZQ==?=");
        assert_eq!(encoded(" x"), "=?base64?IHg=?=");
    }

    #[test]
    fn a_cancellation_names_a_request() {
        let message = json!({ "method": "notifications/cancelled", "params": { "requestId": 7 } });
        assert_eq!(cancelled_by(&message).as_deref(), Some("7"));
        assert_eq!(cancelled_by(&json!({ "method": "ping" })), None);
    }
}
