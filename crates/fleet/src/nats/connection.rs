//! The way to the servers, and what has to be there.

use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::object_store::{self, ObjectStore};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::clock;
use crate::config::NatsConfig;
use crate::engine::Answer;
use crate::error::FleetError;
use crate::nats::Shared;
use crate::nats::events::away;
use crate::nats::names::Names;

/// The oldest servers that are good enough: those before have lost streams and cannot be told how to sync.
const OLDEST: (i64, i64, i64) = (2, 12, 0);
/// How long the servers may take to be there when a node starts: three of them look for a leader first.
const OPEN_LIMIT: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// A server that does not answer two of these is left for another.
const PING_EVERY: Duration = Duration::from_secs(2);
const LONGEST_RECONNECT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(250);
/// Events of one job that are kept; the last one, which is the job, always is.
const EVENTS_OF_A_JOB: i64 = 1000;
/// As many servers keep each message, where there are so many.
const REPLICAS: usize = 3;

/// Connects, and refuses servers that would lose jobs.
pub(super) async fn connect(
    config: &NatsConfig,
    connections: watch::Sender<u64>,
) -> Result<Client, FleetError> {
    let mut addresses = Vec::new();
    for server in &config.servers {
        let address: ServerAddr = server.parse().map_err(|source| FleetError::EngineAddress {
            address: without_password(server),
            source,
        })?;
        addresses.push(address);
    }
    let deadline = clock::instant() + OPEN_LIMIT;
    let client = loop {
        match options(connections.clone()).connect(addresses.clone()).await {
            Ok(client) => break client,
            Err(error) if clock::instant() + PAUSE >= deadline => {
                let cause = error.to_string();
                return Err(FleetError::EngineAway { servers: shown(&addresses), cause });
            }
            Err(error) => tracing::debug!(%error, "the engine is not there yet"),
        }
        sleep(PAUSE).await;
    };
    let info = client.server_info();
    if !client.is_server_compatible(OLDEST.0, OLDEST.1, OLDEST.2) {
        return Err(FleetError::EngineTooOld { version: info.version });
    }
    if !info.jetstream {
        return Err(FleetError::EngineWithoutJetStream { servers: shown(&addresses) });
    }
    Ok(client)
}

/// Makes what the fleet keeps on the servers, unless it is there.
pub(super) async fn prepare(
    context: &Context,
    names: &Names,
    keep: Duration,
) -> Result<ObjectStore, FleetError> {
    let deadline = clock::instant() + OPEN_LIMIT;
    let failed = |cause: String| FleetError::EngineSetUp { cause };
    until(deadline, || find_or_make_stream(context, names, keep, None)).await.map_err(failed)?;
    until(deadline, || find_or_make_bucket(context, names, keep)).await.map_err(failed)
}

/// The stream as it is now.
pub(super) async fn stream_info(shared: &Shared) -> Answer<Info> {
    let stream = shared.context.get_stream(shared.names.stream()).await;
    Ok(stream.map_err(|error| away(&error.into()))?.cached_info().clone())
}

/// Makes the stream anew, if it is gone. Its numbers go on above those that were seen, so that who has
/// seen them misses nothing.
pub(super) async fn make_stream(shared: &Shared, seen: u64) -> Answer<Info> {
    let (context, names, keep) = (&shared.context, &shared.names, shared.keep);
    let first = (seen > 0).then_some(seen + 1);
    find_or_make_stream(context, names, keep, first).await.map_err(|error| away(&error))
}

async fn find_or_make_stream(
    context: &Context,
    names: &Names,
    keep: Duration,
    first_sequence: Option<u64>,
) -> Result<Info, async_nats::Error> {
    match context.get_stream(names.stream()).await {
        Ok(stream) => {
            let info = stream.cached_info().clone();
            if info.config.max_age == keep {
                return Ok(info);
            }
            let config = Config { max_age: keep, ..info.config };
            return Ok(context.update_stream(config).await?);
        }
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(error.into()),
        },
    }
    let config = Config {
        name: names.stream(),
        description: Some("aiobpy: what happens to jobs".into()),
        subjects: names.kept(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_age: keep,
        max_messages_per_subject: EVENTS_OF_A_JOB,
        num_replicas: replicas(context),
        first_sequence,
        ..Config::default()
    };
    match context.create_stream(config).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => match error.kind() {
            // Another node was faster.
            CreateStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                Ok(context.get_stream(names.stream()).await?.cached_info().clone())
            }
            _ => Err(error.into()),
        },
    }
}

async fn find_or_make_bucket(
    context: &Context,
    names: &Names,
    keep: Duration,
) -> Result<ObjectStore, async_nats::Error> {
    if let Ok(store) = context.get_object_store(names.bucket()).await {
        return Ok(store);
    }
    let config = object_store::Config {
        bucket: names.bucket(),
        description: Some("aiobpy: what jobs leave behind".into()),
        // Bytes that a later job leaves behind as well are put again once they are half as old.
        max_age: keep * 2,
        storage: StorageType::File,
        num_replicas: replicas(context),
        ..object_store::Config::default()
    };
    Ok(context.create_object_store(config).await?)
}

fn replicas(context: &Context) -> usize {
    let is_cluster = context.client().server_info().cluster.is_some();
    if is_cluster { REPLICAS } else { 1 }
}

fn options(connections: watch::Sender<u64>) -> ConnectOptions {
    ConnectOptions::new()
        .name("aiobpy")
        .connection_timeout(CONNECT_LIMIT)
        .ping_interval(PING_EVERY)
        .reconnect_delay_callback(|tries| {
            (PAUSE * u32::try_from(tries).unwrap_or(u32::MAX)).min(LONGEST_RECONNECT)
        })
        .event_callback(move |event| {
            let connections = connections.clone();
            async move {
                match event {
                    Event::Connected => connections.send_modify(|count| *count += 1),
                    Event::SlowConsumer(_) => tracing::warn!("this node reads too slowly"),
                    other => tracing::info!("the NATS servers: {other}"),
                }
            }
        })
}

/// Tries until it is done or too late.
async fn until<T, F>(deadline: Instant, work: impl Fn() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, async_nats::Error>>,
{
    loop {
        let error = match work().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if clock::instant() + PAUSE >= deadline {
            return Err(error.to_string());
        }
        sleep(PAUSE).await;
    }
}

fn shown(addresses: &[ServerAddr]) -> String {
    let shown = addresses.iter().map(|it| format!("{}:{}", it.host(), it.port()));
    shown.collect::<Vec<_>>().join(", ")
}

/// An address as it may be shown.
fn without_password(address: &str) -> String {
    address.rsplit_once('@').map_or(address, |(_, place)| place).to_owned()
}
