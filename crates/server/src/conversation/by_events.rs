//! A conversation whose two directions are requests of their own: for a browser that opens no WebSocket,
//! as Safari does not under a certificate that its user alone trusts.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Conversation, Encoding};
use crate::caller::Caller;
use crate::error::Failure;
use crate::principal::Principal;
use crate::shared::Shared;

/// The conversations that go on so, each as long as its events are taken.
#[derive(Default)]
pub(crate) struct ByEvents(Mutex<HashMap<String, GoingOn>>);

struct GoingOn {
    principal: Principal,
    conversation: Arc<Conversation>,
}

impl ByEvents {
    /// What a client has sent.
    ///
    /// # Errors
    /// There is no such conversation, or it is somebody else's.
    pub(crate) async fn hear(
        &self,
        id: &str,
        principal: &Principal,
        text: String,
    ) -> Result<(), Failure> {
        let conversation = self.find(id, principal)?;
        conversation.hear(Message::Text(text.into())).await;
        Ok(())
    }

    fn find(&self, id: &str, principal: &Principal) -> Result<Arc<Conversation>, Failure> {
        let going_on = self.lock();
        let found = going_on.get(id).filter(|found| found.principal.is_same(principal));
        found
            .map(|found| Arc::clone(&found.conversation))
            .ok_or_else(|| Failure::UnknownConversation { id: id.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, GoingOn>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens one. Its first event, `open`, says where to post what the client has to say; each after it is
/// a message.
pub(crate) fn open(caller: Caller, stopping: CancellationToken) -> Response {
    let shared = caller.shared.clone();
    let principal = caller.principal.clone();
    let (conversation, messages) = Conversation::new(caller, Encoding::Json);
    let id = Uuid::now_v7().simple().to_string();
    let conversation = Arc::new(conversation);
    shared.by_events.lock().insert(id.clone(), GoingOn { principal, conversation });
    let opening =
        Event::default().event("open").data(json!({ "url": format!("/ws/{id}") }).to_string());
    let open = Open { shared: shared.clone(), id };
    let messages = messages.take_until(stopping.cancelled_owned()).map(to_event);
    let events = stream::once(async { opening }).chain(held(messages, open));
    let keep_alive = KeepAlive::new().interval(shared.limits.heartbeat);
    Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(keep_alive).into_response()
}

/// Messages, and what is dropped with them.
fn held(
    messages: impl Stream<Item = Event> + Send + 'static,
    open: Open,
) -> impl Stream<Item = Event> + Send + 'static {
    messages.map(move |event| {
        let _held = &open;
        event
    })
}

fn to_event(message: Message) -> Event {
    // Written without line breaks, which is what `data` requires.
    Event::default().data(message.into_text().unwrap_or_default().as_str())
}

/// Ends its conversation when it is dropped.
struct Open {
    shared: Shared,
    id: String,
}

impl Drop for Open {
    fn drop(&mut self) {
        let ended = self.shared.by_events.lock().remove(&self.id);
        drop(ended);
    }
}
