//! As much of an HTTP client as a command needs to talk to a server of ours on loopback.

use aiobpy_wire::Problem;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::failure::Failure;

/// Where a server is, what it wants to see, and the connections to it.
#[derive(Debug)]
pub(crate) struct Client {
    /// As in `127.0.0.1:43210`.
    authority: String,
    token: String,
    /// Ended with the client.
    connections: JoinSet<()>,
}

impl Client {
    /// `address` as in `http://127.0.0.1:43210`.
    pub(crate) fn new(address: &str, token: String) -> Result<Self, Failure> {
        let authority = address
            .parse::<http::Uri>()
            .ok()
            .filter(|uri| uri.scheme_str() == Some("http"))
            .and_then(|uri| uri.authority().map(ToString::to_string))
            .ok_or_else(|| {
                Failure::new(format!("`{address}` is no address of a server"))
                    .with_hint("write it as in `--url http://127.0.0.1:43210`")
            })?;
        Ok(Self { authority, token, connections: JoinSet::new() })
    }

    /// Sends a request. An answer that is a problem is returned as a failure.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let response = self.exchange(method, path, body, &HeaderMap::new()).await?;
        if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
    }

    /// Sends a request with more headers, and returns whatever is answered.
    pub(crate) async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        headers: &HeaderMap,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| {
            Failure::new(format!("could not connect to {}: {error}", self.authority))
                .with_hint("start a server with `aiobpy serve --templates PATH`")
        })?;
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(Failure::new)?;
        self.connections.spawn(async {
            // Its errors are those of the request and of the body.
            let _told_elsewhere = connection.await;
        });
        let mut request = self.request(method, path, body)?;
        request.headers_mut().extend(headers.clone());
        sender.send_request(request).await.map_err(Failure::new)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(Failure::new)
    }
}

/// All of a body.
pub(crate) async fn read(response: Response<Incoming>) -> Result<Bytes, Failure> {
    Ok(response.into_body().collect().await.map_err(Failure::new)?.to_bytes())
}

/// What an answer that is no success says.
pub(crate) async fn refused(response: Response<Incoming>) -> Failure {
    let status = response.status();
    match read(response).await {
        Ok(body) => match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => problem.into(),
            Err(_) => Failure::new(format!("the server answered {status}")),
        },
        Err(failure) => failure,
    }
}

/// The server-sent events of a body, one at a time.
pub(crate) struct Events {
    body: Incoming,
    received: BytesMut,
}

impl Events {
    pub(crate) fn of(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), received: BytesMut::new() }
    }

    /// The `data` of the next event; `None` when the server has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Failure> {
        loop {
            while let Some(event) = self.cut_event() {
                if let Some(data) = data_of(&event) {
                    return Ok(Some(data));
                }
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame.map_err(Failure::new)?.into_data() {
                        self.received.extend_from_slice(&data);
                    }
                }
                None => return Ok(None),
            }
        }
    }

    /// Cuts off the text up to the next empty line.
    fn cut_event(&mut self) -> Option<String> {
        let end = self.received.windows(2).position(|pair| pair == b"\n\n")?;
        let event = self.received.split_to(end + 2);
        Some(String::from_utf8_lossy(&event).into_owned())
    }
}

/// Comments, which keep a connection alive, have no data.
fn data_of(event: &str) -> Option<String> {
    let lines: Vec<_> =
        event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_data_and_a_comment_has_none() {
        assert_eq!(
            data_of("id: 1\nevent: x\ndata: {\"a\":\ndata: 1}\n\n").as_deref(),
            Some("{\"a\":\n1}")
        );
        assert_eq!(data_of(": still here\n\n"), None);
    }

    #[test]
    fn an_address_without_a_scheme_is_refused_with_an_example() {
        let failure = Client::new("127.0.0.1:80", String::new()).unwrap_err();
        assert!(failure.to_string().contains("hint: write it as in `--url http://"));
    }
}
