//! What happens on a server, as it happens, also over a connection that breaks.

use std::time::Duration;

use aiobpy_wire::EventRecord;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use crate::client::{Client, Events, refused};
use crate::failure::Failure;
use crate::target::Target;

/// How often in a row a server may be out of reach, and how long each time.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// The events of one address.
pub(crate) struct Follow {
    target: Target,
    path: String,
    stream: Option<(Client, Events)>,
    last_seen: Option<u64>,
}

impl Follow {
    /// `path` as in `/api/v1/jobs/{id}/events`.
    pub(crate) fn new(target: Target, path: String) -> Self {
        Self { target, path, stream: None, last_seen: None }
    }

    /// The next event; `None` when there are no more. What was missed while the connection was broken comes
    /// then.
    pub(crate) async fn next(&mut self) -> Result<Option<EventRecord>, Failure> {
        loop {
            let Some((_, events)) = &mut self.stream else {
                if !self.connect().await? {
                    return Ok(None);
                }
                continue;
            };
            if let Ok(Some(data)) = events.next().await {
                let record: EventRecord = serde_json::from_str(&data).map_err(Failure::new)?;
                if record.event.is_kept() {
                    self.last_seen = Some(record.sequence);
                }
                return Ok(Some(record));
            }
            self.stream = None;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Makes the connection before the first event is wanted.
    pub(crate) async fn connect(&mut self) -> Result<bool, Failure> {
        let mut tries = 0;
        loop {
            match self.try_to_connect().await {
                Err(Broken::Passing(failure)) => {
                    // At the first time of all, nobody has been there yet.
                    if self.last_seen.is_none() || tries == TRIES {
                        return Err(failure);
                    }
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Broken::Lasting(failure)) => return Err(failure),
                Ok(is_there) => return Ok(is_there),
            }
        }
    }

    async fn try_to_connect(&mut self) -> Result<bool, Broken> {
        let mut client = self.target.client().map_err(Broken::Passing)?;
        let mut headers = HeaderMap::new();
        if let Some(sequence) = self.last_seen {
            headers.insert("last-event-id", HeaderValue::from(sequence));
        }
        let answer = client.exchange(Method::GET, &self.path, Bytes::new(), &headers).await;
        let answer = answer.map_err(Broken::Passing)?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(false),
            status if status.is_success() => {
                self.stream = Some((client, Events::of(answer)));
                Ok(true)
            }
            _ => Err(Broken::Lasting(refused(answer).await)),
        }
    }
}

enum Broken {
    /// Nobody answers.
    Passing(Failure),
    /// The answer is no.
    Lasting(Failure),
}
