//! What all requests of one server share.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aiobpy_fleet::Fleet;
use arc_swap::ArcSwapOption;
use axum::extract::{FromRef, Request};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body;
use crate::cache::Cache;
use crate::clock::Stopwatch;
use crate::conversation::Encoded;
use crate::conversation::by_events::ByEvents;
use crate::cookies::CookieName;
use crate::devices::Devices;
use crate::error::Failure;
use crate::events::EventLog;
use crate::files::FileCache;
use crate::gate::Gate;
use crate::idempotency::Answers;
use crate::journal::Journal;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::main_thread::{Door, MainThread};
use crate::mcp;
use crate::metrics::Metrics;
use crate::offers::Offers;
use crate::openapi;
use crate::operations::Operations;
use crate::pairing::Pairing;
use crate::principal::ExecSwitch;
use crate::sharing::Sharing;
use crate::sites::Sites;
use crate::tenants::Tenants;
use crate::token::Token;
use crate::webhooks::Webhooks;

/// What stands behind the server.
#[derive(Default)]
pub struct Parts {
    /// The Python main thread, if the server is to offer its methods.
    pub main_thread: Option<Arc<dyn MainThread>>,
    /// The fleet, if the server is to take jobs. It is not stopped with the server.
    pub fleet: Option<Fleet>,
    /// What add-ons have hung on the server.
    pub sites: Arc<Sites>,
    /// What Python offers to programs.
    pub offers: Arc<Offers>,
    /// Whether Python may be run from outside: off, until somebody switches it on.
    pub exec: ExecSwitch,
    /// Where paired devices are kept; in memory alone if left out.
    pub devices_file: Option<PathBuf>,
    /// Who tells webhooks what becomes of jobs, if any are to be told.
    pub webhooks: Option<Webhooks>,
    /// Those who share the fleet.
    pub tenants: Tenants,
}

/// A handle to what all requests of one server share.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

pub struct Inner {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Gate,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    pub(crate) running: Stopwatch,
    pub(crate) connections: AtomicU64,
    pub(crate) events: EventLog,
    pub(crate) main_thread: Option<Door>,
    pub(crate) fleet: Option<Fleet>,
    pub(crate) webhooks: Option<Webhooks>,
    pub(crate) sites: Arc<Sites>,
    pub(crate) cache: Cache,
    pub(crate) files: Arc<FileCache>,
    pub(crate) offers: Arc<Offers>,
    pub(crate) openapi: openapi::Kept,
    pub(crate) operations: Arc<Operations>,
    pub(crate) mcp: mcp::State,
    pub(crate) pairing: Pairing,
    pub(crate) sharing: ArcSwapOption<Sharing>,
    pub(crate) journal: Journal,
    pub(crate) metrics: Metrics,
    /// Events, as they are sent.
    pub(crate) encoded: Encoded,
    pub(crate) by_events: ByEvents,
    /// To requests that may be sent again.
    pub(crate) answers: Answers,
    /// What goes on beside the connections; the stop waits for it.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the server begins to stop.
    pub(crate) stopping: CancellationToken,
}

impl Shared {
    /// `address` is where the server listens: requests have to name it.
    pub fn new(address: SocketAddr, token: Token, limits: Limits, parts: Parts) -> Self {
        let (stopping, metrics) = (CancellationToken::new(), Metrics::new(parts.fleet.is_some()));
        let main_thread = parts.main_thread.map(|thread| {
            Door::new(thread, &limits, stopping.clone(), metrics.main_thread_seconds.clone())
        });
        Self(Arc::new(Inner {
            address,
            gate: Gate::new(address),
            keys: Keys::new(
                token,
                parts.tenants,
                parts.exec.clone(),
                CookieName::new(address.port()),
                Devices::new(parts.devices_file, parts.exec),
            ),
            running: Stopwatch::start(),
            connections: AtomicU64::new(0),
            events: match &parts.fleet {
                Some(fleet) => EventLog::Fleet(fleet.clone()),
                None => EventLog::in_memory(),
            },
            main_thread,
            fleet: parts.fleet,
            webhooks: parts.webhooks,
            sites: parts.sites,
            cache: Cache::default(),
            files: Arc::default(),
            offers: parts.offers,
            openapi: openapi::Kept::default(),
            operations: Arc::default(),
            mcp: mcp::State::default(),
            pairing: Pairing::default(),
            sharing: ArcSwapOption::empty(),
            journal: Journal::default(),
            metrics,
            encoded: Encoded::default(),
            by_events: ByEvents::default(),
            answers: Answers::default(),
            tasks: TaskTracker::new(),
            stopping,
            limits,
        }))
    }

    /// Begins what goes on beside the requests, on the tokio runtime of the caller.
    pub(crate) fn start_tasks(&self) {
        let Some(fleet) = &self.fleet else { return };
        if let Some(webhooks) = &self.webhooks {
            webhooks.run(fleet.clone(), self);
        }
        if let Some(tally) = self.metrics.tally.clone() {
            let (fleet, stopping) = (fleet.clone(), self.stopping.clone());
            self.tasks.spawn(async move { tally.follow(&fleet, stopping).await });
        }
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Answers with a failure, after taking the rest of the request from the wire: closing a
    /// connection that still has bytes to read would reset it, and the answer could be lost.
    pub(crate) async fn refuse(&self, request: Request, failure: Failure) -> Response {
        body::discard(request, &self.limits).await;
        failure.into_response()
    }
}

impl Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What requests share where there is a fleet.
#[derive(Clone)]
pub(crate) struct WithFleet {
    pub(crate) fleet: Fleet,
    pub(crate) shared: Shared,
}

impl FromRef<WithFleet> for Shared {
    fn from_ref(state: &WithFleet) -> Self {
        state.shared.clone()
    }
}
