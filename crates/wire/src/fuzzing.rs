//! What has to hold for any bytes. A fuzz target calls it; a test does with the target's corpus.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{EventRecord, FromWorker, Job, JobId, JobRequest, Problem, Status, ToWorker};

/// Whatever can be read as a message is written, in one line, so that it is read as the same.
pub fn messages(data: &[u8]) {
    if let Some(id) = str::from_utf8(data).ok().and_then(|text| text.parse::<JobId>().ok()) {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    comes_back::<JobRequest>(data);
    comes_back::<Job>(data);
    comes_back::<EventRecord>(data);
    comes_back::<ToWorker>(data);
    comes_back::<FromWorker>(data);
    comes_back::<Problem>(data);
    comes_back::<Status>(data);
}

fn comes_back<Message: Debug + DeserializeOwned + PartialEq + Serialize>(data: &[u8]) {
    let Ok(message) = serde_json::from_slice::<Message>(data) else { return };
    let text = serde_json::to_string(&message).expect("what was read can be written");
    assert!(!text.contains('\n'), "{text}");
    assert_eq!(serde_json::from_str::<Message>(&text).ok(), Some(message), "{text}");
}

#[cfg(test)]
#[path = "../../../fuzz/common/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        corpus::replay("wire_messages", super::messages);
    }
}
