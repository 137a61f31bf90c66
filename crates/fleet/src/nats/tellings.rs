//! Events that change no job, written one after the other.

use std::sync::Arc;
use std::time::Duration;

use aiobpy_wire::Event;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::nats::Shared;
use crate::nats::entry::Entry;

const PAUSE: Duration = Duration::from_millis(500);
/// Tries before an event is left untold: it is not worth more.
const TRIES: usize = 10;

impl Shared {
    pub(super) async fn tell_all(
        self: Arc<Self>,
        mut to_tell: mpsc::UnboundedReceiver<Event>,
        stopping: CancellationToken,
    ) {
        loop {
            let event = tokio::select! {
                () = stopping.cancelled() => return,
                event = to_tell.recv() => event,
            };
            let Some(event) = event else { return };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.tell_one(event) => {}
            }
        }
    }

    async fn tell_one(&self, event: Event) {
        let Ok(payload) = serde_json::to_vec(&Entry::telling(event)) else { return };
        let payload = Bytes::from(payload);
        for _ in 0..TRIES {
            let telling =
                async { self.context.publish(self.names.tell(), payload.clone()).await?.await };
            match telling.await {
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "an event could not be told"),
            }
            sleep(PAUSE).await;
        }
        tracing::warn!("an event is left untold: the engine is away");
    }
}
