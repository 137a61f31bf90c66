//! How much of anything one client, or all of them, may take.

use std::time::Duration;

/// Bounds on what clients may hold. The defaults suit one machine with a few dozen programs.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections that are open at once.
    pub connections: usize,
    /// Connections that are open at once from one address.
    pub connections_per_address: usize,
    /// From the opening of a connection to the end of its TLS handshake.
    pub handshake_time: Duration,
    /// From the first byte of a request, or from the answer before it, to the end of its headers.
    pub header_time: Duration,
    /// From the end of the headers to the end of the body. A body that a handler reads as it comes
    /// may be waited for that long in all, and a second more for each KiB that has come.
    pub body_time: Duration,
    /// How long a client may take no byte of an answer that is ready for it.
    pub stall_time: Duration,
    /// How long a connection of HTTP/2 may be open without a request.
    pub idle_time: Duration,
    /// How long a WebSocket, or a connection of HTTP/2, may be silent before it is asked whether it is
    /// there; and how long it has to answer.
    pub silence: Duration,
    /// Requests that are under way at once on one connection of HTTP/2.
    pub streams: u32,
    /// Bytes of all headers of one request. hyper wants 8192 at least.
    pub header_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a file that a job is to use.
    pub input_bytes: usize,
    /// Bytes of one message of a WebSocket.
    pub message_bytes: usize,
    /// Calls of the main thread that are not answered yet.
    pub calls: usize,
    /// How long a call of the main thread may take.
    pub call_time: Duration,
    /// The longest `Prefer: wait=…` that is honoured.
    pub longest_wait: Duration,
    /// Between two comments on a silent stream of events, so that proxies and clients see it live.
    pub heartbeat: Duration,
    /// How long answers under way have to end when the server stops.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            connections_per_address: 384,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(15),
            stall_time: Duration::from_secs(30),
            idle_time: Duration::from_mins(1),
            silence: Duration::from_secs(30),
            streams: 128,
            header_bytes: 32 << 10,
            body_bytes: 1 << 20,
            input_bytes: 1 << 30,
            message_bytes: 16 << 20,
            calls: 256,
            call_time: Duration::from_secs(30),
            longest_wait: Duration::from_mins(5),
            heartbeat: Duration::from_secs(15),
            farewell: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/web_server_limits.md");

    fn is_told(what: &str, bound: &str) {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {what}")));
        let told = row.and_then(|row| row.split('|').nth(2)).map(str::trim);
        assert_eq!(told, Some(bound), "docs/web_server_limits.md, {what}");
    }

    fn seconds(time: Duration) -> String {
        format!("{} s", time.as_secs())
    }

    #[test]
    fn the_page_of_limits_is_true() {
        let limits = Limits::default();
        is_told("connections, ", &limits.connections.to_string());
        is_told("connections from", &limits.connections_per_address.to_string());
        is_told("a TLS handshake", &seconds(limits.handshake_time));
        is_told("the headers of a request, from", &seconds(limits.header_time));
        is_told("the headers of a request |", &format!("{} KiB", limits.header_bytes >> 10));
        let body = format!("{}, {} MiB", seconds(limits.body_time), limits.body_bytes >> 20);
        is_told("a body that has to be whole", &body);
        is_told("a file for a job", &format!("{} MiB", limits.input_bytes >> 20));
        is_told("a body that a handler reads", &seconds(limits.body_time));
        is_told("an answer of which", &seconds(limits.stall_time));
        is_told("an HTTP/2 connection", &seconds(limits.idle_time));
        is_told("requests at once", &limits.streams.to_string());
        is_told("silence of", &seconds(limits.silence));
        is_told("a message of", &format!("{} MiB", limits.message_bytes >> 20));
        is_told("requests that wait", &limits.calls.to_string());
        is_told("a handler's answer", &seconds(limits.call_time));
    }
}
