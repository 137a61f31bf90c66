//! The accept loop: hyper on our own terms, so that no client can hold what it does not use.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::IntoResponse;
use axum::{Extension, Router};
use http::header;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::error::Failure;
use crate::shared::Shared;
use crate::stalling::Stalling;

/// After a failed `accept`, as when the process is out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// So many connections beyond the limit are told that they are too many; the rest are just closed.
const TOLD: usize = 32;

/// Accepts connections and serves them until the server stops.
pub(crate) async fn accept_until_stopped(
    listener: TcpListener,
    router: Router,
    shared: Shared,
    cut: CancellationToken,
) {
    let counts = Arc::new(Mutex::new(Counts::default()));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = Place::take(&counts, peer, &shared) else { continue };
                shared.tasks.spawn(serve(
                    stream,
                    place,
                    router.clone(),
                    shared.clone(),
                    cut.clone(),
                ));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    place: Place,
    router: Router,
    shared: Shared,
    cut: CancellationToken,
) {
    // Answers are whole when they are written; waiting to fill a packet only delays them.
    let _unsupported = stream.set_nodelay(true);
    let router = if place.is_extra { router_that_refuses() } else { router };
    let router = router.layer(Extension(place.connection));
    let io = TokioIo::new(Stalling::new(stream, shared.limits.stall_time));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.header_time)
        .max_buf_size(shared.limits.header_bytes)
        .keep_alive(!place.is_extra)
        .serve_connection(io, TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let serving = async {
        tokio::select! {
            served = connection.as_mut() => served,
            () = shared.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    tokio::select! {
        served = serving => {
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended early");
            }
        }
        () = cut.cancelled() => {}
    }
}

fn router_that_refuses() -> Router {
    Router::new().fallback(|| async {
        ([(header::CONNECTION, "close")], Failure::TooManyConnections).into_response()
    })
}

/// How many connections there are.
#[derive(Debug, Default)]
struct Counts {
    served: usize,
    refused: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to a connection, until it is dropped.
struct Place {
    counts: Arc<Mutex<Counts>>,
    address: IpAddr,
    connection: Connection,
    shared: Shared,
    /// One too many: to be told so.
    is_extra: bool,
}

impl Place {
    fn take(counts: &Arc<Mutex<Counts>>, peer: SocketAddr, shared: &Shared) -> Option<Self> {
        let address = peer.ip();
        let is_extra = {
            let mut counts = lock(counts);
            let from_address = counts.by_address.get(&address).copied().unwrap_or_default();
            let has_room = counts.served < shared.limits.connections
                && from_address < shared.limits.connections_per_address;
            if has_room {
                counts.served += 1;
                counts.by_address.insert(address, from_address + 1);
                shared.connections.fetch_add(1, Ordering::Relaxed);
            } else if counts.refused < TOLD {
                counts.refused += 1;
            } else {
                return None;
            }
            !has_room
        };
        let connection = Connection { peer: Some(peer), is_secure: false };
        Some(Self {
            counts: Arc::clone(counts),
            address,
            connection,
            shared: shared.clone(),
            is_extra,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        if self.is_extra {
            counts.refused -= 1;
            return;
        }
        counts.served -= 1;
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    // Nothing that can panic runs under the lock.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Errors of `accept` that belong to a connection that is gone already, not to the listener.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
