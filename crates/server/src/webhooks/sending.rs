//! One request to one webhook: resolved, looked at, and sent to the very address that was looked at.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aiobpy_fleet::Delivery;
use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Host;

use crate::clock;
use crate::trace::Trace;
use crate::webhooks::guard::{Guard, Refusal, Target};
use crate::webhooks::secret::Secret;

/// From the look-up of a name to the head of the answer.
const LONGEST: Duration = Duration::from_secs(15);
const LONGEST_CONNECT: Duration = Duration::from_secs(5);
/// Nobody puts us off for longer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);
/// Bytes of an answer's head.
const MOST_HEAD: usize = 16 << 10;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Arrived,
    /// It is not to be told, now or later.
    Refused(String),
    /// It may be told later; not before `after`, if the receiver has said so.
    Failed {
        why: String,
        after: Option<Duration>,
    },
}

impl Outcome {
    /// As metrics have it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Refused(_) => "refused",
            Self::Failed { .. } => "failed",
        }
    }

    fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), after: None }
    }
}

pub(crate) struct Sender {
    pub(crate) guard: Guard,
    pub(crate) secret: Secret,
    /// Made with the first webhook that wants it: that reads the system's certificates.
    tls: OnceCell<TlsConnector>,
}

impl Sender {
    pub(crate) fn new(guard: Guard, secret: Secret) -> Self {
        Self { guard, secret, tls: OnceCell::new() }
    }

    pub(crate) async fn send(&self, delivery: &Delivery) -> Outcome {
        let target = match self.guard.target(&delivery.url) {
            Ok(target) => target,
            Err(refusal) => return Outcome::Refused(refusal.to_string()),
        };
        let sending = timeout(LONGEST, self.send_to(&target, delivery));
        let silent = || Outcome::failed(format!("no answer came within {} s", LONGEST.as_secs()));
        sending.await.unwrap_or_else(|_elapsed| silent())
    }

    async fn send_to(&self, target: &Target, delivery: &Delivery) -> Outcome {
        let found = match resolved(target).await {
            Ok(found) => found,
            Err(error) => {
                return Outcome::failed(format!("{} cannot be looked up: {error}", target.host));
            }
        };
        if let Err(refusal @ Refusal::Inner(_)) = self.guard.check_all(target, &found) {
            return Outcome::Refused(refusal.to_string());
        }
        let Some(stream) = connected(&found).await else {
            return Outcome::failed(format!("{} cannot be reached", target.authority));
        };
        let request = self.request(target, delivery);
        let answered = if target.is_secure {
            match self.secured(target, stream).await {
                Ok(stream) => exchanged(stream, request).await,
                Err(why) => return Outcome::failed(why),
            }
        } else {
            exchanged(stream, request).await
        };
        match answered {
            Ok((status, headers)) => judged(status, &headers),
            Err(error) => Outcome::failed(format!("the connection failed: {error}")),
        }
    }

    fn request(&self, target: &Target, delivery: &Delivery) -> Request<Full<Bytes>> {
        let Delivery { id, tenant, body, traceparent, .. } = delivery;
        let now = clock::today().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let signature = self.secret.of(tenant.as_deref()).signature(id, now, body);
        let mut request = Request::builder();
        if let Some(parent) = traceparent.as_deref().and_then(Trace::passed_on) {
            request = request.header("traceparent", parent);
        }
        let request = request
            .method(Method::POST)
            .uri(&*target.path)
            .header(header::HOST, &*target.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("aiobpy/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(body.clone())));
        // All of it was taken from a URL or made by us; what cannot be sent is refused as it arrives.
        request.unwrap_or_default()
    }

    async fn secured(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, String> {
        let tls = self.tls.get_or_try_init(|| async {
            let made = spawn_blocking(tls).await;
            made.unwrap_or_else(|panicked| Err(panicked.to_string()))
        });
        let tls = tls.await.map_err(|why| format!("there is no TLS: {why}"))?;
        let name = match &target.host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|e| e.to_string())?,
            Host::Ipv4(ip) => ServerName::IpAddress(IpAddr::V4(*ip).into()),
            Host::Ipv6(ip) => ServerName::IpAddress(IpAddr::V6(*ip).into()),
        };
        tls.connect(name, stream).await.map_err(|error| format!("TLS failed: {error}"))
    }
}

/// Looked up once: what is found here is what is connected to.
async fn resolved(target: &Target) -> std::io::Result<Vec<SocketAddr>> {
    let port = target.port;
    match &target.host {
        Host::Ipv4(ip) => Ok(vec![(*ip, port).into()]),
        Host::Ipv6(ip) => Ok(vec![(*ip, port).into()]),
        Host::Domain(name) => {
            let found = tokio::net::lookup_host((name.as_str(), port)).await?;
            Ok(found.collect())
        }
    }
}

/// The first that answers, of a few.
async fn connected(found: &[SocketAddr]) -> Option<TcpStream> {
    const TRIED: usize = 3;
    for address in found.iter().take(TRIED) {
        if let Ok(Ok(stream)) = timeout(LONGEST_CONNECT, TcpStream::connect(address)).await {
            return Some(stream);
        }
    }
    None
}

async fn exchanged(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> hyper::Result<(StatusCode, HeaderMap)> {
    let builder = http1::Builder::new().max_buf_size(MOST_HEAD).clone();
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // Both in this one future: what is left of the connection ends with it, the answer's body unread.
    let (mut answering, mut connection) = (pin!(sender.send_request(request)), pin!(connection));
    let answer = tokio::select! {
        biased;
        answer = &mut answering => answer,
        ended = &mut connection => {
            ended?;
            // It may have ended with the answer.
            answering.await
        }
    };
    answer.map(|answer| {
        let (parts, _body) = answer.into_parts();
        (parts.status, parts.headers)
    })
}

/// A redirect is no arrival, and is not followed: it could lead inside.
fn judged(status: StatusCode, headers: &HeaderMap) -> Outcome {
    if status.is_success() {
        return Outcome::Arrived;
    }
    if status == StatusCode::GONE {
        return Outcome::Refused("the receiver has answered 410: it is to be told no more".into());
    }
    let after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(crate::number::parse).map(Duration::from_secs);
    let why = format!("the receiver has answered {}", status.as_u16());
    Outcome::Failed { why, after: after.map(|after| after.min(LONGEST_RETRY_AFTER)) }
}

/// Trusts whom the system trusts.
fn tls() -> Result<TlsConnector, String> {
    let provider = Arc::new(default_provider());
    let verifier = Verifier::new(provider.clone()).map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_success_is_an_arrival() {
        let judged = |status: u16| judged(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
        assert!(matches!(judged(204), Outcome::Arrived));
        assert!(matches!(judged(410), Outcome::Refused(_)));
        for status in [302, 307, 400, 404, 429, 500, 503] {
            assert!(matches!(judged(status), Outcome::Failed { after: None, .. }), "{status}");
        }
    }

    #[test]
    fn a_receiver_may_put_us_off_but_not_for_ever() {
        let after = |text: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::RETRY_AFTER, http::HeaderValue::from_static(text))]);
            match judged(StatusCode::SERVICE_UNAVAILABLE, &headers) {
                Outcome::Failed { after, .. } => after,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(after("30"), Some(Duration::from_secs(30)));
        assert_eq!(after("999999999"), Some(LONGEST_RETRY_AFTER));
        assert_eq!(after("soon"), None);
    }
}
