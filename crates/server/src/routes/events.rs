//! What happens, as it happens: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use aiobpy_wire::EventRecord;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use serde::Deserialize;

use crate::error::Failure;
use crate::events::{Interest, Start};
use crate::limits::Limits;
use crate::number;
use crate::principal::Principal;
use crate::shared::Shared;

/// How soon a client whose stream was cut should come back.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    /// Separated by commas; all if left out.
    #[serde(default)]
    topics: String,
}

/// `GET /api/v1/events?topics=job,my_addon.saved`
#[tracing::instrument(name = "routes/events", skip_all)]
pub(crate) async fn follow(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    choice: Result<Query<Choice>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(choice) =
        choice.map_err(|rejection| Failure::BadQuery { detail: rejection.body_text() })?;
    let start = match last_event_id(&headers)? {
        Some(sequence) => Start::After(sequence),
        None => Start::Now,
    };
    let topics = choice.topics.split(',').map(str::trim).filter(|topic| !topic.is_empty());
    let topics = topics.map(str::to_owned).collect();
    let interest = Interest { topics, tenant: principal.tenant_name(), ..Interest::default() };
    let records = shared.events.watch(start, interest, shared.stopping.clone());
    Ok(streamed(records, &shared.limits))
}

/// Events as a response that lasts as long as they do.
pub(crate) fn streamed(
    records: impl Stream<Item = EventRecord> + Send + 'static,
    limits: &Limits,
) -> Response {
    let opening = stream::once(async { Event::default().retry(RETRY).comment("aiobpy") });
    let events = opening.chain(records.map(|record| to_event(&record))).map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::new().interval(limits.heartbeat)).into_response()
}

/// The number of the last event that the client has seen, if it has seen one.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(given) = headers.get("last-event-id") else { return Ok(None) };
    let text = String::from_utf8_lossy(given.as_bytes());
    match text.trim() {
        "" => Ok(None),
        text => match number::parse(text) {
            Some(sequence) => Ok(Some(sequence)),
            None => Err(Failure::BadEventId { given: text.to_owned() }),
        },
    }
}

fn to_event(record: &EventRecord) -> Event {
    // Written without line breaks, which is what `data` requires.
    let data = serde_json::to_string(record).unwrap_or_default();
    let event = Event::default().event(record.event.name()).data(data);
    // Who comes back says which number it has seen, and what is not kept has none.
    if record.event.is_kept() { event.id(record.sequence.to_string()) } else { event }
}
