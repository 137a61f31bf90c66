//! Requests that are sent again: the same `Idempotency-Key` gets the same answer, and nothing is
//! done twice.
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>
//!
//! The fleet's jobs are not in here: their keys are kept on disk, with them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::auth::Principal;
use crate::body;
use crate::clock::Stopwatch;
use crate::error::Failure;
use crate::shared::Shared;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is the one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Characters of a key.
const LONGEST_KEY: usize = 255;
/// So many answers are kept.
const MOST: usize = 1024;
/// Bytes of all bodies that are kept.
const MOST_BYTES: usize = 32 << 20;
/// Bytes of an answer that is kept.
const LARGEST: usize = 1 << 20;
const RETENTION: Duration = Duration::from_hours(24);
/// The fleet keeps the keys of these, on disk.
const OF_FLEET: [&str; 3] = ["/api/v1/jobs", "/api/v1/batches", "/api/v1/templates/"];

/// Hands a request with a key on once, and its answer to all that have the same key.
pub(crate) async fn once<N, F>(shared: &Shared, request: Request, next: N) -> Response
where
    N: FnOnce(Request) -> F + Send + 'static,
    F: Future<Output = Response> + Send,
{
    match answer(shared, request, next).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

/// Whether a request is to be answered once: a `POST` that has a key.
pub(crate) fn is_asked_for(shared: &Shared, request: &Request) -> bool {
    let has_key = request.method() == Method::POST && request.headers().contains_key(KEY);
    let path = request.uri().path();
    let is_of_fleet =
        || shared.fleet.is_some() && OF_FLEET.iter().any(|prefix| path.starts_with(prefix));
    has_key && !is_of_fleet()
}

async fn answer<N, F>(shared: &Shared, request: Request, next: N) -> Result<Response, Failure>
where
    N: FnOnce(Request) -> F + Send + 'static,
    F: Future<Output = Response> + Send,
{
    let key = key_of(&request)?;
    let (parts, body) = request.into_parts();
    let limits = &shared.limits;
    let bytes = body::read_bytes(&parts.headers, body, limits, limits.body_bytes).await?;
    let mut fingerprint = blake3::Hasher::new();
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    for part in [parts.uri.to_string().as_bytes(), content_type.unwrap_or_default(), &bytes] {
        fingerprint.update(&part.len().to_le_bytes()).update(part);
    }
    let fingerprint = fingerprint.finalize();
    if let Some(kept) = shared.answers.begin(&key, fingerprint)? {
        return Ok(kept.respond());
    }
    let begun = Begun { shared: shared.clone(), key, is_kept: false };
    let request = Request::from_parts(parts, Body::from(bytes));
    // Goes on when the client has gone: the next one with the key is to get the answer.
    let answered = shared.tasks.spawn(async move { begun.finish(next(request).await).await });
    answered.await.map_err(|_ended| Failure::Closing)
}

/// A request whose answer is awaited. Dropped without one, its key may be used again.
struct Begun {
    shared: Shared,
    key: Key,
    is_kept: bool,
}

impl Begun {
    async fn finish(mut self, response: Response) -> Response {
        // Whoever comes too often, or at a bad time, tries again.
        let is_final = !response.status().is_server_error()
            && response.status() != StatusCode::TOO_MANY_REQUESTS;
        let length = http_body::Body::size_hint(response.body()).exact();
        if !is_final || length.is_none_or(|length| length > LARGEST as u64) {
            return response;
        }
        let (parts, body) = response.into_parts();
        let Ok(bytes) = to_bytes(body, LARGEST).await else {
            return Failure::Closing.into_response();
        };
        let kept =
            Kept { status: parts.status, headers: parts.headers.clone(), body: bytes.clone() };
        self.shared.answers.keep(&self.key, kept);
        self.is_kept = true;
        Response::from_parts(parts, Body::from(bytes))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_kept {
            self.shared.answers.forget(&self.key);
        }
    }
}

/// Who asks, and the key.
type Key = (Arc<str>, String);

fn key_of(request: &Request) -> Result<Key, Failure> {
    let principal = request.extensions().get::<Principal>().ok_or(Failure::NoToken)?;
    let mut given = request.headers().get_all(KEY).iter();
    let text = match (given.next(), given.next()) {
        (Some(text), None) => text.to_str().unwrap_or_default(),
        _ => "",
    };
    if text.is_empty() || text.len() > LONGEST_KEY || !text.bytes().all(|it| it.is_ascii_graphic())
    {
        return Err(Failure::BadIdempotencyKey { longest: LONGEST_KEY });
    }
    Ok((Arc::clone(&principal.name), text.to_owned()))
}

/// The answers that are kept, the one that was given first in front.
#[derive(Default)]
pub(crate) struct Answers(Mutex<VecDeque<Entry>>);

struct Entry {
    key: Key,
    /// Of the request.
    fingerprint: blake3::Hash,
    began: Stopwatch,
    /// `None` while it is awaited.
    kept: Option<Kept>,
}

#[derive(Clone)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Kept {
    fn respond(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        *response.headers_mut() = self.headers;
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

impl Answers {
    /// The answer that is kept; `None` if the request is the first with its key.
    fn begin(&self, key: &Key, fingerprint: blake3::Hash) -> Result<Option<Kept>, Failure> {
        let mut entries = self.lock();
        while entries.front().is_some_and(|entry| entry.began.elapsed() > RETENTION) {
            entries.pop_front();
        }
        if let Some(entry) = entries.iter().find(|entry| entry.key == *key) {
            return match &entry.kept {
                _ if entry.fingerprint != fingerprint => Err(Failure::ReusedIdempotencyKey),
                None => Err(Failure::IdempotencyKeyInUse),
                Some(kept) => Ok(Some(kept.clone())),
            };
        }
        if entries.len() >= MOST {
            entries.pop_front();
        }
        let began = Stopwatch::start();
        entries.push_back(Entry { key: key.clone(), fingerprint, began, kept: None });
        Ok(None)
    }

    fn keep(&self, key: &Key, kept: Kept) {
        let mut entries = self.lock();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) {
            entry.kept = Some(kept);
        }
        let bytes = |entry: &Entry| entry.kept.as_ref().map_or(0, |kept| kept.body.len());
        let mut in_all: usize = entries.iter().map(bytes).sum();
        while in_all > MOST_BYTES
            && let Some(oldest) = entries.pop_front()
        {
            in_all -= bytes(&oldest);
        }
    }

    fn forget(&self, key: &Key) {
        self.lock().retain(|entry| entry.key != *key);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
