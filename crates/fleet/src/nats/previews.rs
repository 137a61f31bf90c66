//! Pictures of jobs that are under way, between nodes: told of and asked for, and kept nowhere.

use std::sync::Arc;
use std::time::Duration;

use aiobpy_wire::{Event, JobId, NodeId, WorkerId};
use async_nats::client::{Request, RequestErrorKind};
use async_nats::{HeaderMap, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Answer, EngineError};
use crate::nats::{NatsEngine, Shared};
use crate::previews::{Preview, Previews};

const CONTENT_TYPE: &str = "Content-Type";
const TAG: &str = "ETag";
/// Bytes of a message that are not the picture.
const OF_HEADERS: usize = 1024;
/// How long a node may take to make a picture small.
const LIMIT: Duration = Duration::from_secs(3);
/// What comes of a question that no node answers.
const GONE: [RequestErrorKind; 2] = [RequestErrorKind::NoResponders, RequestErrorKind::TimedOut];
/// Before the servers are asked again for what nodes say.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Serialize, Deserialize)]
struct Pictured {
    node: NodeId,
    event: Event,
}

impl NatsEngine {
    /// Tells the other nodes of this one's pictures, hands them out, and hears of theirs.
    pub(crate) fn share_previews(&self, node: &NodeId, previews: &Arc<Previews>) {
        let sharing = Sharing {
            shared: self.shared.clone(),
            node: node.clone(),
            previews: previews.clone(),
            tasks: self.tasks.clone(),
            stopping: self.stopping.clone(),
        };
        self.tasks.spawn(sharing.clone().tell());
        self.tasks.spawn(sharing.clone().listen());
    }

    pub(crate) async fn preview_elsewhere(
        &self,
        worker: &WorkerId,
        job: JobId,
    ) -> Answer<Option<Preview>> {
        let request = Request::new().payload(job.to_string().into()).timeout(Some(LIMIT));
        let subject = self.shared.names.look(worker.node());
        match self.shared.client.send_request(subject, request).await {
            Ok(message) => Ok(read(&message)),
            // The node has gone, and the job will be another's; or it has more to do.
            Err(error) if GONE.contains(&error.kind()) => Ok(None),
            Err(error) => Err(EngineError::Away { cause: error.to_string() }),
        }
    }
}

/// What a node shares.
#[derive(Clone)]
struct Sharing {
    shared: Arc<Shared>,
    node: NodeId,
    previews: Arc<Previews>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Sharing {
    async fn tell(self) {
        let mut own = self.previews.subscribe_to_own();
        loop {
            let event = tokio::select! {
                () = self.stopping.cancelled() => return,
                event = own.recv() => event,
            };
            match event {
                Ok(event) => self.tell_one(event).await,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn tell_one(&self, event: Event) {
        let pictured = Pictured { node: self.node.clone(), event };
        let Ok(payload) = serde_json::to_vec(&pictured) else { return };
        let subject = self.shared.names.pictured();
        if let Err(error) = self.shared.client.publish(subject, Bytes::from(payload)).await {
            // The next will be heard.
            tracing::debug!(%error, "could not tell the other nodes of a picture");
        }
    }

    async fn listen(self) {
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                heard = self.listen_until_it_ends() => {
                    if let Err(error) = heard {
                        tracing::warn!(%error, "could not hear of other nodes' pictures");
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn listen_until_it_ends(&self) -> Result<(), async_nats::Error> {
        let (client, names) = (&self.shared.client, &self.shared.names);
        let mut told: Subscriber = client.subscribe(names.pictured()).await?;
        let mut looks: Subscriber = client.subscribe(names.look(&self.node.0)).await?;
        loop {
            tokio::select! {
                message = told.next() => {
                    let Some(message) = message else { return Ok(()) };
                    self.hear(&message);
                }
                look = looks.next() => {
                    let Some(look) = look else { return Ok(()) };
                    // A picture takes a moment: others are not to wait for it.
                    self.tasks.spawn(self.clone().answer(look));
                }
            }
        }
    }

    fn hear(&self, message: &Message) {
        if let Ok(Pictured { node, event }) = serde_json::from_slice(&message.payload)
            && node != self.node
        {
            self.previews.pass_on(event);
        }
    }

    async fn answer(self, look: Message) {
        let Some(reply) = look.reply else { return };
        let job: Option<JobId> =
            std::str::from_utf8(&look.payload).ok().and_then(|id| id.parse().ok());
        let preview = match job {
            Some(job) => self.previews.newest(job).await,
            None => None,
        };
        let (mut headers, mut payload) = (HeaderMap::new(), Bytes::new());
        let most = self.shared.client.server_info().max_payload.saturating_sub(OF_HEADERS);
        if let Some(preview) = preview.filter(|preview| preview.bytes.len() <= most) {
            headers.insert(CONTENT_TYPE, preview.content_type.as_str());
            headers.insert(TAG, preview.tag.as_str());
            payload = Bytes::from(preview.bytes.clone());
        }
        let answering = self.shared.client.publish_with_headers(reply, headers, payload);
        if let Err(error) = answering.await {
            tracing::debug!(%error, "could not hand out a picture");
        }
    }
}

/// What a node has answered; nothing, if it has no picture.
fn read(message: &Message) -> Option<Preview> {
    let headers = message.headers.as_ref()?;
    Some(Preview {
        content_type: headers.get(CONTENT_TYPE)?.to_string(),
        tag: headers.get(TAG)?.to_string(),
        bytes: message.payload.to_vec(),
    })
}
