//! The latest state of something: served to who asks, and sent to who follows it, encoded once.
//! Who is slow misses what has been replaced meanwhile, and not the newest.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::HeaderValue;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

/// A place for a state.
pub struct Snapshot {
    newest: watch::Sender<Option<Arc<Published>>>,
    /// Cancelled to end the streams that there are.
    followers: Mutex<CancellationToken>,
}

/// One state.
pub(crate) struct Published {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: HeaderValue,
    sequence: u64,
    /// As a message of a WebSocket: text if it is said to be text, and is.
    message: Message,
    event: OnceLock<Bytes>,
}

impl Snapshot {
    pub fn new() -> Self {
        Self { newest: watch::Sender::new(None), followers: Mutex::default() }
    }

    /// Replaces the state.
    pub fn publish(&self, bytes: Bytes, content_type: HeaderValue) {
        self.newest.send_modify(|newest| {
            let clock = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
            let before = newest.as_ref().map_or(0, |before| before.sequence);
            let sequence = clock.max(before + 1);
            *newest = Some(Arc::new(Published::new(bytes, content_type, sequence)));
        });
    }

    /// Ends the streams that there are. Others may begin.
    pub fn cut(&self) {
        let followers = std::mem::take(&mut *self.lock());
        followers.cancel();
    }

    pub(crate) fn newest(&self) -> Option<Arc<Published>> {
        self.newest.borrow().clone()
    }

    /// The state that there is, if there is one, and each that follows.
    pub(crate) fn follow(&self) -> impl Stream<Item = Arc<Published>> + use<> {
        let mut receiver = self.newest.subscribe();
        receiver.mark_changed();
        let followers = self.lock().clone();
        stream::unfold((receiver, followers), |(mut receiver, cut)| async move {
            loop {
                let changed = tokio::select! {
                    biased;
                    () = cut.cancelled() => return None,
                    changed = receiver.changed() => changed,
                };
                changed.ok()?;
                let newest = receiver.borrow_and_update().clone();
                if let Some(newest) = newest {
                    return Some((newest, (receiver, cut)));
                }
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, CancellationToken> {
        // Nothing that can panic runs under the lock.
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new()
    }
}

impl Published {
    fn new(bytes: Bytes, content_type: HeaderValue, sequence: u64) -> Self {
        let text = is_text(&content_type).then(|| Utf8Bytes::try_from(bytes.clone()).ok());
        let message = match text.flatten() {
            Some(text) => Message::Text(text),
            None => Message::Binary(bytes.clone()),
        };
        Self { bytes, content_type, sequence, message, event: OnceLock::new() }
    }

    /// With its quotes.
    pub(crate) fn tag(&self) -> String {
        format!("\"{:x}\"", self.sequence)
    }

    pub(crate) fn message(&self) -> Message {
        self.message.clone()
    }

    /// As a server-sent event. Bytes are Base64, as events are text.
    pub(crate) fn event(&self) -> Bytes {
        let encoded = self.event.get_or_init(|| {
            let mut event = format!("id: {}\nevent: snapshot\n", self.sequence);
            if let Message::Text(text) = &self.message {
                for line in text.split('\n') {
                    event.push_str("data: ");
                    event.push_str(line.trim_end_matches('\r'));
                    event.push('\n');
                }
            } else {
                event.push_str("data: ");
                STANDARD.encode_string(&self.bytes, &mut event);
                event.push('\n');
            }
            event.push('\n');
            event.into()
        });
        encoded.clone()
    }
}

fn is_text(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence.starts_with("text/") || essence.ends_with("json") || essence == "image/svg+xml"
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn published(bytes: &'static [u8], content_type: &'static str) -> Arc<Published> {
        let snapshot = Snapshot::new();
        snapshot.publish(Bytes::from_static(bytes), HeaderValue::from_static(content_type));
        snapshot.newest().unwrap()
    }

    #[test]
    fn texts_are_texts_and_bytes_are_base64() {
        let text = published(b"one\r\ntwo", "text/plain; charset=utf-8");
        assert!(text.event().ends_with(b"event: snapshot\ndata: one\ndata: two\n\n"));
        assert!(matches!(text.message(), Message::Text(_)));
        let bytes = published(b"\xff\x00", "text/plain");
        assert!(bytes.event().ends_with(b"data: /wA=\n\n"));
        assert!(matches!(bytes.message(), Message::Binary(_)));
        assert!(matches!(published(b"text", "image/png").message(), Message::Binary(_)));
    }

    #[tokio::test]
    async fn who_follows_gets_the_newest_and_then_each_until_it_is_cut() {
        let snapshot = Snapshot::new();
        let plain = HeaderValue::from_static("text/plain");
        let stream = snapshot.follow();
        let mut stream = std::pin::pin!(stream);
        for text in ["one", "two"] {
            snapshot.publish(text.into(), plain.clone());
        }
        assert_eq!(stream.next().await.unwrap().bytes, "two");
        snapshot.publish("three".into(), plain);
        assert_eq!(stream.next().await.unwrap().bytes, "three");
        snapshot.cut();
        assert!(stream.next().await.is_none());
    }

    #[test]
    fn each_state_has_a_tag_of_its_own() {
        let snapshot = Snapshot::new();
        let mut tags = std::collections::HashSet::new();
        for _ in 0..100 {
            snapshot.publish("same".into(), HeaderValue::from_static("text/plain"));
            assert!(tags.insert(snapshot.newest().unwrap().tag()));
        }
    }
}
