//! `GET /ws`: JSON-RPC 2.0 over a WebSocket, or by events and posts, and events to subscribe to.

pub(crate) mod by_events;
mod encoding;
mod subscriptions;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;

pub(crate) use encoding::{Encoded, Encoding};
use subscriptions::Subscriptions;

use crate::body::check_depth;
use crate::caller::Caller;
use crate::error::Failure;
use crate::json_rpc::{self, Answering, Reply, Request};
use crate::routes::json_rpc::calling;

/// Messages that wait to be sent.
const WAITING: usize = 64;
/// Messages of one client that are answered at once; then nothing more is read.
const UNDER_WAY: usize = 32;

/// One client's conversation.
pub(crate) struct Conversation {
    encoding: Encoding,
    answering: Answering,
    outgoing: mpsc::Sender<Message>,
    under_way: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Conversation {
    /// The conversation, and the messages that it sends.
    pub(crate) fn new(
        caller: Caller,
        encoding: Encoding,
    ) -> (Self, impl stream::Stream<Item = Message> + Send + 'static) {
        let (outgoing, waiting) = mpsc::channel(WAITING);
        let tasks = caller.shared.tasks.clone();
        let subscriptions = Subscriptions::new(caller.shared.clone(), encoding, outgoing.clone());
        let conversation = Self {
            encoding,
            answering: answering(caller, subscriptions),
            outgoing,
            under_way: Arc::new(Semaphore::new(UNDER_WAY)),
            tasks,
        };
        let messages = stream::unfold(waiting, |mut waiting| async {
            waiting.recv().await.map(|message| (message, waiting))
        });
        (conversation, messages)
    }

    /// Begins to answer what the client has sent, as soon as not too much is under way.
    pub(crate) async fn hear(&self, message: Message) {
        let Ok(permit) = Arc::clone(&self.under_way).acquire_owned().await else { return };
        let (encoding, outgoing) = (self.encoding, self.outgoing.clone());
        let (answering, tasks) = (Arc::clone(&self.answering), self.tasks.clone());
        self.tasks.spawn(async move {
            let reply = match encoding.text_of(message).and_then(|text| {
                check_depth(&text)?;
                Ok(text)
            }) {
                Ok(text) => json_rpc::answer(&text, &tasks, &answering).await,
                Err(failure) => Reply::Refusal(json_rpc::error(&json_rpc::Id::null(), &failure)),
            };
            if let Reply::Text(text) | Reply::Refusal(text) = reply {
                let _gone = outgoing.send(encoding.message(text)).await;
            }
            drop(permit);
        });
    }
}

/// What answers the requests: methods of add-ons, and two of our own.
fn answering(caller: Caller, subscriptions: Arc<Subscriptions>) -> Answering {
    let methods = calling(caller);
    Arc::new(move |request: Request| {
        let result = match request.method.as_str() {
            "subscribe" => subscriptions.subscribe(request.params()),
            "unsubscribe" => subscriptions.unsubscribe(request.params()),
            _ => return methods(request),
        };
        Box::pin(async { result.map(|()| "true".to_owned()) })
    })
}

impl Encoding {
    fn text_of(self, message: Message) -> Result<String, Failure> {
        match message {
            Message::Text(text) => Ok(text.as_str().to_owned()),
            Message::Binary(bytes) if self == Self::MessagePack => encoding::to_json(&bytes),
            _ => Err(Failure::NotJson {
                detail: "a binary message is for the subprotocol aiobpy.v1.msgpack".to_owned(),
            }),
        }
    }

    fn message(self, json: String) -> Message {
        match self {
            Self::Json => Message::Text(json.into()),
            Self::MessagePack => Message::Binary(Bytes::from(encoding::of_json(&json))),
        }
    }
}
