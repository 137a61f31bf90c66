//! What is counted, for Prometheus.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::Problem;
use http::{Method, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::shared::Shared;
use crate::tally::Tally;

/// The content type of what [`Metrics::text`] returns.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counted since the server's start.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
    pub(crate) main_thread_seconds: Histogram,
    /// Open now.
    pub(crate) websockets: Gauge,
    /// Of the fleet.
    pub(crate) tally: Option<Tally>,
    of_the_moment: OfTheMoment,
    routes: Mutex<HashMap<String, OfRoute>>,
}

/// What is counted of a route, so that no labels need be made to find it.
struct OfRoute {
    seconds: Histogram,
    /// By method and status.
    outcomes: Vec<((&'static str, u16), Counter)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RouteLabel {
    route: String,
}

/// Asked for when they are told.
#[derive(Default)]
struct OfTheMoment {
    connections: Gauge,
    uptime: Gauge<f64, AtomicU64>,
    waiting: Gauge,
    since_tick: Gauge<f64, AtomicU64>,
    ticks: Counter,
    callbacks: Counter,
    in_callbacks: Counter<f64, AtomicU64>,
    overruns: Counter,
    workers: Family<[(&'static str, &'static str); 1], Gauge>,
}

impl Metrics {
    pub(crate) fn new(has_fleet: bool) -> Self {
        let mut registry = Registry::with_prefix("aiobpy");
        let requests = Family::default();
        registry.register("http_requests", "Requests that were answered", requests.clone());
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        let help = "From a request to the end of its answer";
        registry.register_with_unit("http_request", help, Unit::Seconds, seconds.clone());
        let main_thread_seconds = histogram();
        let help = "From handing something to the main thread to its answer's beginning";
        let kept = main_thread_seconds.clone();
        registry.register_with_unit("main_thread_answer", help, Unit::Seconds, kept);
        let websockets = Gauge::default();
        registry.register("websockets", "WebSockets that are open", websockets.clone());
        let of_the_moment = OfTheMoment::registered(&mut registry);
        let tally = has_fleet.then(|| Tally::registered(&mut registry));
        Self {
            registry,
            requests,
            seconds,
            main_thread_seconds,
            websockets,
            tally,
            of_the_moment,
            routes: Mutex::default(),
        }
    }

    pub(crate) fn answered(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let outcome = (named(method), status.as_u16());
        let mut routes = self.lock();
        let of_route = if let Some(known) = routes.get_mut(route) {
            known
        } else {
            let label = RouteLabel { route: route.to_owned() };
            let seconds = self.seconds.get_or_create_owned(&label);
            let new = OfRoute { seconds, outcomes: Vec::new() };
            routes.entry(route.to_owned()).or_insert(new)
        };
        of_route.seconds.observe(elapsed.as_secs_f64());
        if let Some((_, counter)) = of_route.outcomes.iter().find(|(known, _)| *known == outcome) {
            counter.inc();
            return;
        }
        let (method, status) = outcome;
        let labels = Labels { route: route.to_owned(), method, status };
        let counter = self.requests.get_or_create_owned(&labels);
        counter.inc();
        of_route.outcomes.push((outcome, counter));
    }

    /// A job was not taken on.
    pub(crate) fn refused(&self, problem: &Problem) {
        if problem.status == 429
            && let Some(tally) = &self.tally
        {
            tally.rejected.inc();
        }
    }

    /// A webhook was told.
    pub(crate) fn webhook(&self, outcome: &'static str) {
        if let Some(tally) = &self.tally {
            tally.webhook(outcome);
        }
    }

    /// All of it, as text.
    pub(crate) fn text(&self, shared: &Shared) -> String {
        self.of_the_moment.update(shared);
        let mut text = String::new();
        // A string takes all that is written to it.
        let _always = encode(&mut text, &self.registry);
        text
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, OfRoute>> {
        // Nothing that can panic runs under the lock.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfTheMoment {
    fn registered(registry: &mut Registry) -> Self {
        let it = Self::default();
        registry.register("connections", "Connections that are open", it.connections.clone());
        let help = "Since the server's start";
        registry.register_with_unit("uptime", help, Unit::Seconds, it.uptime.clone());
        let help = "Calls and requests that wait for the main thread";
        registry.register("main_thread_waiting", help, it.waiting.clone());
        let help = "Since Python callbacks last ran";
        let kept = it.since_tick.clone();
        registry.register_with_unit("main_thread_since_tick", help, Unit::Seconds, kept);
        registry.register("loop_ticks", "Ticks of the event loop", it.ticks.clone());
        registry.register("loop_callbacks", "Callbacks that were run", it.callbacks.clone());
        let help = "Time in callbacks";
        let kept = it.in_callbacks.clone();
        registry.register_with_unit("loop_callbacks_time", help, Unit::Seconds, kept);
        let help = "Ticks that took longer than their budget";
        registry.register("loop_overruns", help, it.overruns.clone());
        registry.register("workers", "Warm Blenders, by what they do", it.workers.clone());
        it
    }

    fn update(&self, shared: &Shared) {
        self.connections.set(i64::try_from(shared.connections()).unwrap_or(i64::MAX));
        self.uptime.set(shared.running.elapsed().as_secs_f64());
        if let Some(door) = &shared.main_thread {
            self.waiting.set(i64::try_from(door.waiting()).unwrap_or(i64::MAX));
            let status = door.status();
            self.since_tick.set(status.seconds_since_tick);
            self.ticks.inner().store(status.event_loop.ticks, Ordering::Relaxed);
            self.callbacks.inner().store(status.event_loop.callbacks, Ordering::Relaxed);
            let seconds = status.event_loop.seconds_in_callbacks.to_bits();
            self.in_callbacks.inner().store(seconds, Ordering::Relaxed);
            self.overruns.inner().store(status.event_loop.overruns, Ordering::Relaxed);
        }
        if let Some(fleet) = &shared.fleet {
            use aiobpy_wire::WorkerState::{Busy, Lost, Starting, Warm};
            let workers = fleet.workers();
            for (state, name) in
                [(Starting, "starting"), (Warm, "warm"), (Busy, "busy"), (Lost, "lost")]
            {
                let count = workers.iter().filter(|worker| worker.state == state).count();
                let gauge = self.workers.get_or_create(&[("state", name)]);
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Self { route, method, status } = self;
        let labels = [("route", route.as_str()), ("method", method)];
        labels.encode(encoder)?;
        [("status", *status)].encode(encoder)
    }
}

impl EncodeLabelSet for RouteLabel {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("route", self.route.as_str())].encode(encoder)
    }
}

/// From half a millisecond to half a minute.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 17))
}

/// Clients may make up methods; each would be a series of its own.
fn named(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// One more of what a gauge counts, until it is dropped.
pub(crate) struct OneMore(Gauge);

impl OneMore {
    pub(crate) fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.dec();
    }
}
