//! The accept loop: hyper on our own terms, so that no client can hold what it does not use.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Facts};
use crate::error::Failure;
use crate::http::{Answering, Ending, Service, serve_http_1, serve_http_2};
use crate::places::{Place, Places};
use crate::preface::{Spoken, listen_to};
use crate::rarely::Rarely;
use crate::router::Front;
use crate::shared::Shared;
use crate::sys::{LocalListener, LocalStream};
use crate::tls::Tls;

/// After a failed `accept`, as when the process is out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that clients connect to.
pub(crate) enum Listening {
    Plain(TcpListener),
    Secure(TcpListener, Tls),
    /// Whoever gets so far is the user, or root.
    Local(LocalListener),
}

/// What all listeners of a server have in common.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) front: Front,
    pub(crate) shared: Shared,
    pub(crate) places: Places,
}

/// Accepts connections and serves them until the listener is closed.
pub(crate) async fn accept_until_closed(listening: Listening, serving: Serving, ending: Ending) {
    let listening = Arc::new(listening);
    loop {
        let accepted = tokio::select! {
            accepted = listening.accept() => accepted,
            () = ending.closing.cancelled() => return,
        };
        match accepted {
            Ok(accepted) => {
                let address = accepted.peer().map(|peer| peer.ip());
                let place = serving.places.take(address, &serving.shared);
                let Some(place) = place else { continue };
                let tls = listening.tls().cloned();
                let connecting =
                    Connecting { place, tls, serving: serving.clone(), ending: ending.clone() };
                serving.shared.tasks.spawn(connecting.serve(accepted));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Listening {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Plain(listener) | Self::Secure(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are whole when they are written; waiting to fill a packet only delays them.
                let _unsupported = stream.set_nodelay(true);
                Accepted::Tcp(stream, peer)
            }
            Self::Local(listener) => Accepted::Local(listener.accept().await?),
        })
    }

    fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Secure(_, tls) => Some(tls),
            Self::Plain(_) | Self::Local(_) => None,
        }
    }
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Local(LocalStream),
}

impl Accepted {
    fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, peer) => Some(*peer),
            Self::Local(_) => None,
        }
    }
}

/// A connection of which nothing is known yet but where it comes from.
struct Connecting {
    place: Place,
    tls: Option<Tls>,
    serving: Serving,
    ending: Ending,
}

impl Connecting {
    async fn serve(self, accepted: Accepted) {
        let cut = self.ending.cut.clone();
        let peer = accepted.peer();
        let served = async {
            match accepted {
                Accepted::Tcp(stream, _) => {
                    let local = stream.local_addr().ok();
                    match self.tls.clone() {
                        Some(tls) => self.serve_secure(stream, tls, peer, local).await,
                        None => self.serve_plain(stream, peer, local).await,
                    }
                }
                Accepted::Local(stream) => self.serve_plain(stream, None, None).await,
            }
        };
        let cut = std::pin::pin!(cut.cancelled());
        tokio::select! {
            biased;
            served = served => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
            }
            () = Rarely::new(cut) => {}
        }
    }

    /// HTTP/1.1, or HTTP/2 if the client begins with its preface.
    async fn serve_plain<S>(
        self,
        stream: S,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limit = self.serving.shared.limits.header_time;
        let (spoken, stream) = self.in_time(limit, listen_to(stream)).await?;
        let (service, ending) = self.service(peer, local, None);
        match spoken {
            Spoken::Http2 => serve_http_2(stream, service, ending).await,
            // What is neither gets hyper's 400.
            Spoken::Http1 | Spoken::Tls => serve_http_1(stream, service, ending).await,
        }
    }

    async fn serve_secure(
        self,
        stream: TcpStream,
        tls: Tls,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
    ) -> io::Result<()> {
        let limit = self.serving.shared.limits.handshake_time;
        let (spoken, stream) = self.in_time(limit, listen_to(stream)).await?;
        if spoken != Spoken::Tls {
            let (mut service, ending) = self.service(peer, local, None);
            service.answering = Answering::Refusals(|| Failure::NotTls);
            return serve_http_1(stream, service, ending).await;
        }
        let (stream, facts) = self.in_time(limit, tls.accept(stream)).await?;
        let is_http_2 = facts.is_http_2;
        let (service, ending) = self.service(peer, local, Some(facts));
        if is_http_2 {
            serve_http_2(stream, service, ending).await
        } else {
            serve_http_1(stream, service, ending).await
        }
    }

    async fn in_time<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        tokio::select! {
            done = timeout(limit, work) => done.map_err(io::Error::from)?,
            () = self.ending.closing.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn service(
        self,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
        tls: Option<Arc<crate::tls::TlsFacts>>,
    ) -> (Service, Ending) {
        let Self { place, serving, ending, .. } = self;
        let answering = if place.is_extra {
            Answering::Refusals(|| Failure::TooManyConnections)
        } else {
            Answering::Answers(serving.front)
        };
        let is_extra = place.is_extra;
        let closing: CancellationToken = ending.closing.clone();
        let connection =
            Connection::new(Facts { peer, local, tls, closing, heads: OnceLock::new(), place });
        (
            Service {
                answering,
                connection,
                limits: serving.shared.limits.clone(),
                is_extra,
                tasks: serving.shared.tasks.clone(),
            },
            ending,
        )
    }
}

/// Errors of `accept` that belong to a connection that is gone already, not to the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
