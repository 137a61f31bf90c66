//! Answers of handlers that may be given again for a while, without asking Python.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::Scope;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::clock::Stopwatch;
use crate::exchange::Start;

/// Addresses of which an answer may be kept.
const MOST_ENTRIES: usize = 1024;
/// Bytes of one answer that is kept.
const LARGEST: usize = 1 << 20;
/// Bytes of all answers that are kept.
const MOST_BYTES: usize = 32 << 20;

/// What tells one answer from another. Who asks does not matter beyond what he may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) handler: u64,
    /// With the query.
    pub(crate) target: String,
    pub(crate) scope: Scope,
}

/// The answers that are kept.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Table>);

#[derive(Default)]
struct Table {
    entries: HashMap<Key, Arc<Entry>>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

/// One address.
#[derive(Default)]
pub(crate) struct Entry {
    kept: ArcSwapOption<Kept>,
    /// Held by who asks for all others.
    pub(crate) asking: tokio::sync::Mutex<()>,
    /// Whether its answers were none to keep: then nobody waits for another's.
    is_not_kept: AtomicBool,
}

/// One answer.
pub(crate) struct Kept {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// With its quotes.
    pub(crate) tag: String,
    since: Stopwatch,
}

impl Cache {
    pub(crate) fn entry(&self, key: &Key) -> Arc<Entry> {
        let mut table = self.lock();
        if let Some(entry) = table.entries.get(key) {
            return Arc::clone(entry);
        }
        let entry = Arc::<Entry>::default();
        table.entries.insert(key.clone(), Arc::clone(&entry));
        table.order.push_back(key.clone());
        table.make_room();
        entry
    }

    /// Keeps an answer, if it is one to keep.
    pub(crate) fn keep(
        &self,
        key: &Key,
        entry: &Arc<Entry>,
        start: &Start,
        body: &Bytes,
    ) -> Option<Arc<Kept>> {
        let is_kept = may_be_kept(start) && body.len() <= LARGEST;
        entry.is_not_kept.store(!is_kept, Ordering::Relaxed);
        if !is_kept {
            return None;
        }
        let tag = start.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let tag = tag
            .map_or_else(|| format!("\"{}\"", &blake3::hash(body).to_hex()[..32]), str::to_owned);
        let kept = Arc::new(Kept {
            headers: start.headers.clone(),
            body: body.clone(),
            tag,
            since: Stopwatch::start(),
        });
        let mut table = self.lock();
        // It may have had to make room meanwhile.
        if table.entries.get(key).is_some_and(|known| Arc::ptr_eq(known, entry)) {
            let before = entry.kept.swap(Some(Arc::clone(&kept)));
            table.bytes = table.bytes.saturating_sub(before.map_or(0, |before| before.body.len()));
            table.bytes += body.len();
            table.make_room();
        }
        drop(table);
        Some(kept)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn make_room(&mut self) {
        while self.order.len() > MOST_ENTRIES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            let entry = self.entries.remove(&oldest);
            let kept = entry.and_then(|entry| entry.kept.swap(None));
            self.bytes = self.bytes.saturating_sub(kept.map_or(0, |kept| kept.body.len()));
        }
    }
}

impl Entry {
    /// The answer, if it is younger than that.
    pub(crate) fn fresh(&self, longest: Duration) -> Option<Arc<Kept>> {
        self.kept.load_full().filter(|kept| kept.age() < longest)
    }

    pub(crate) fn is_not_kept(&self) -> bool {
        self.is_not_kept.load(Ordering::Relaxed)
    }
}

impl Kept {
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

fn may_be_kept(start: &Start) -> bool {
    let headers = &start.headers;
    let control = headers.get_all(header::CACHE_CONTROL).into_iter();
    let is_forbidden = control
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("no-store"));
    start.status == StatusCode::OK
        && !headers.contains_key(header::SET_COOKIE)
        && !headers.contains_key(header::VARY)
        && !is_forbidden
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(target: &str) -> Key {
        Key { handler: 1, target: target.to_owned(), scope: Scope::Read }
    }

    fn start(status: u16, name: header::HeaderName, value: &'static str) -> Start {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        Start { status: StatusCode::from_u16(status).unwrap(), headers }
    }

    #[test]
    fn an_answer_is_fresh_for_a_while() {
        let cache = Cache::default();
        let entry = cache.entry(&key("/"));
        assert!(entry.fresh(Duration::MAX).is_none());
        let start = start(200, header::CONTENT_TYPE, "text/plain");
        cache.keep(&key("/"), &entry, &start, &Bytes::from_static(b"body")).unwrap();
        let again = cache.entry(&key("/"));
        assert_eq!(again.fresh(Duration::from_hours(1)).unwrap().body, "body");
        assert!(again.fresh(Duration::ZERO).is_none());
    }

    #[test]
    fn what_is_for_one_client_or_a_failure_is_not_kept() {
        let cache = Cache::default();
        for start in [
            start(404, header::CONTENT_TYPE, "text/plain"),
            start(200, header::SET_COOKIE, "a=b"),
            start(200, header::VARY, "accept"),
            start(200, header::CACHE_CONTROL, "private, No-Store"),
        ] {
            let entry = cache.entry(&key("/"));
            assert!(cache.keep(&key("/"), &entry, &start, &Bytes::new()).is_none());
            assert!(entry.is_not_kept());
        }
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let cache = Cache::default();
        let start = start(200, header::CONTENT_TYPE, "text/plain");
        let body = Bytes::from(vec![0; LARGEST]);
        for number in 0..MOST_ENTRIES + 10 {
            let key = key(&number.to_string());
            let entry = cache.entry(&key);
            cache.keep(&key, &entry, &start, &body).unwrap();
        }
        let table = cache.lock();
        assert!(table.bytes <= MOST_BYTES);
        assert!(table.entries.len() <= MOST_ENTRIES);
        assert_eq!(table.entries.len(), table.order.len());
    }
}
