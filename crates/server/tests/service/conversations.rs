//! The twin of a WebSocket: what is heard comes as events, what is said is posted.

use aiobpy_server::{Front, Limits};
use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::common::{echoing, get, post, read, shared};

struct Conversation {
    front: Front,
    events: BodyDataStream,
    url: String,
}

impl Conversation {
    async fn open() -> Self {
        let front = Front::new(shared(Some(echoing()), Limits::default()));
        let request = get("/ws").header("accept", "text/event-stream").body(Body::empty());
        let response = front.answer(request.unwrap()).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        let events = Body::new(response.into_body()).into_data_stream();
        let mut opened = Self { front, events, url: String::new() };
        let (name, data) = opened.next().await;
        assert_eq!(name, "open");
        data["url"].as_str().unwrap().clone_into(&mut opened.url);
        opened
    }

    /// The name and the data of the next event.
    async fn next(&mut self) -> (String, Value) {
        let bytes = self.events.next().await.unwrap().unwrap();
        let text = String::from_utf8(bytes.into()).unwrap();
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        (field("event: ").to_owned(), serde_json::from_str(field("data: ")).unwrap())
    }

    async fn say(&self, message: &Value) -> u16 {
        let request = post(&self.url).body(Body::from(message.to_string())).unwrap();
        read(self.front.answer(request).await.map(Body::new)).await.status.as_u16()
    }
}

#[tokio::test]
async fn what_is_posted_is_answered_by_events() {
    let mut conversation = Conversation::open().await;
    let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "say", "params": { "text": "hello" } });
    assert_eq!(conversation.say(&call).await, 202);
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": { "text": "hello" } });
    assert_eq!(conversation.next().await.1, answer);
    assert_eq!(conversation.say(&json!({ "jsonrpc": "2.0", "method": "say" })).await, 202);
    let subscribe =
        json!({ "jsonrpc": "2.0", "id": 8, "method": "subscribe", "params": { "topic": "cups" } });
    assert_eq!(conversation.say(&subscribe).await, 202);
    assert_eq!(conversation.next().await.1["result"], true);
}

#[tokio::test]
async fn it_ends_with_its_events() {
    let Conversation { front, events, url } = Conversation::open().await;
    drop(events);
    let request = post(&url).body(Body::from("{}")).unwrap();
    let answered = read(front.answer(request).await.map(Body::new)).await;
    assert_eq!(
        (answered.status.as_u16(), answered.problem().as_str()),
        (404, "unknown-conversation")
    );
}
