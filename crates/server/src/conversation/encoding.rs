//! JSON and MessagePack, and events that are encoded once for all who hear of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aiobpy_wire::{Event, EventRecord};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::error::Failure;
use crate::json_rpc::notification;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    MessagePack,
}

impl Encoding {
    const SUBPROTOCOLS: [(&str, Self); 2] =
        [("aiobpy.v1.json", Self::Json), ("aiobpy.v1.msgpack", Self::MessagePack)];

    /// The first of ours that a client offers, with its name; JSON without a name if it offers none.
    pub(crate) fn chosen<'offer>(
        mut offered: impl Iterator<Item = &'offer str>,
    ) -> (Option<&'static str>, Self) {
        let ours = |name: &str| Self::SUBPROTOCOLS.into_iter().find(|(ours, _)| *ours == name);
        match offered.find_map(ours) {
            Some((name, encoding)) => (Some(name), encoding),
            None => (None, Self::Json),
        }
    }
}

/// # Errors
/// It is no MessagePack, or something that JSON cannot say.
pub(super) fn to_json(bytes: &[u8]) -> Result<String, Failure> {
    let value: Value = rmp_serde::from_slice(bytes).map_err(|error| Failure::NotJson {
        detail: format!("the message is no MessagePack that JSON could say: {error}"),
    })?;
    Ok(value.to_string())
}

/// What was written by us as JSON.
pub(super) fn of_json(json: &str) -> Vec<u8> {
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    rmp_serde::to_vec(&value).unwrap_or_default()
}

/// The newest events, as they are sent: whoever hears of one first encodes it.
#[derive(Default)]
pub(crate) struct Encoded(Mutex<VecDeque<Arc<One>>>);

struct One {
    sequence: u64,
    json: OnceLock<Utf8Bytes>,
    message_pack: OnceLock<Bytes>,
}

impl One {
    fn new(sequence: u64) -> Self {
        Self { sequence, json: OnceLock::new(), message_pack: OnceLock::new() }
    }
}

impl Encoded {
    /// So many are kept: those whom a slow client hears of later are encoded again.
    const KEPT: usize = 64;

    pub(super) fn message(&self, record: &EventRecord, encoding: Encoding) -> Message {
        let one = self.of(record);
        let json = one.json.get_or_init(|| told(record).into());
        match encoding {
            Encoding::Json => Message::Text(json.clone()),
            Encoding::MessagePack => {
                let bytes = one.message_pack.get_or_init(|| of_json(json.as_str()).into());
                Message::Binary(bytes.clone())
            }
        }
    }

    fn of(&self, record: &EventRecord) -> Arc<One> {
        let sequence = record.sequence;
        if !record.event.is_kept() {
            // Its number is another's.
            return Arc::new(One::new(sequence));
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = kept.iter().rev().find(|one| one.sequence == sequence) {
            return Arc::clone(one);
        }
        let one = Arc::new(One::new(sequence));
        if kept.len() == Self::KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&one));
        one
    }
}

/// What an event is about: a message's topic, else the name of the event.
pub(super) fn topic_of(event: &Event) -> &str {
    match event {
        Event::Message { topic, .. } => topic,
        other => other.name(),
    }
}

fn told(record: &EventRecord) -> String {
    let data = match &record.event {
        Event::Message { data, .. } => data.clone(),
        other => json!(other),
    };
    let topic = topic_of(&record.event);
    let params =
        json!({ "topic": topic, "data": data, "sequence": record.sequence, "at": record.at });
    notification("event", &params.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_ours_is_chosen_and_tokens_are_none() {
        let chosen = |offered: &[&'static str]| Encoding::chosen(offered.iter().copied());
        assert_eq!(chosen(&[]), (None, Encoding::Json));
        assert_eq!(chosen(&["bearer.x", "chat"]), (None, Encoding::Json));
        let name = "aiobpy.v1.msgpack";
        assert_eq!(chosen(&["bearer.x", name]), (Some(name), Encoding::MessagePack));
    }

    #[test]
    fn what_is_said_in_one_encoding_is_said_in_the_other() {
        let json = r#"{"jsonrpc":"2.0","id":7,"result":[1.5,null,"ä",{"x":true}]}"#;
        assert_eq!(to_json(&of_json(json)).ok().as_deref(), Some(json));
        assert!(to_json(&[0xc1]).is_err());
        assert!(to_json(&[0xc4, 1, 0]).is_err(), "bytes are nothing that JSON can say");
    }
}
