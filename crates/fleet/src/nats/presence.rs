//! Which nodes are there: each says so a few times in the length of a lease, to all others.
//!
//! That is kept nowhere. It needs no leader and no disk, so a node is heard while the stream is away; and
//! time counts from when it was heard here, by a clock that nobody can set.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aiobpy_wire::{NodeDescription, NodeId, WorkerId, WorkerState};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::nats::Shared;
use crate::nats::replica::Replica;
use crate::scheduler::IdleWorker;

/// Before the servers are asked again for what nodes say.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Presence {
    nodes: HashMap<NodeId, Node>,
    /// Since when nodes can be heard: those who said nothing before may have.
    listening: Instant,
}

#[derive(Debug)]
struct Node {
    description: NodeDescription,
    heard: Instant,
    /// Whether it is this one.
    is_own: bool,
    serves: Arc<BTreeSet<String>>,
}

impl Presence {
    pub(super) fn new(now: Instant) -> Self {
        Self { nodes: HashMap::new(), listening: now }
    }

    pub(super) fn hear(&mut self, description: NodeDescription, is_own: bool, now: Instant) {
        let usable = description.templates.iter().filter(|template| template.broken.is_none());
        let serves = Arc::new(usable.map(|template| template.name.clone()).collect());
        let node = Node { description, heard: now, is_own, serves };
        self.nodes.insert(node.description.id.clone(), node);
    }

    /// Nobody could be heard until now.
    pub(super) fn listen_from(&mut self, now: Instant) {
        self.listening = now;
    }

    /// Whether a worker's node was heard of within the length of a lease.
    pub(super) fn is_there(&self, worker: &WorkerId, now: Instant, lease: Duration) -> bool {
        let heard = match self.nodes.get(&NodeId(worker.node().to_owned())) {
            Some(node) if node.is_own => node.heard,
            Some(node) => node.heard.max(self.listening),
            None => self.listening,
        };
        now < heard + lease
    }

    pub(super) fn is_own(&self, id: &NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| node.is_own)
    }

    pub(super) fn neighbours(&self, now: Instant, lease: Duration) -> Vec<NodeDescription> {
        let there = self.nodes.values().filter(|node| !node.is_own && now < node.heard + lease);
        let mut neighbours: Vec<_> = there.map(|node| node.description.clone()).collect();
        neighbours.sort_by(|a, b| a.id.cmp(&b.id));
        neighbours
    }

    /// Workers of other nodes that have nothing to do, as far as is known.
    pub(super) fn idle_elsewhere(
        &self,
        replica: &Replica,
        now: Instant,
        lease: Duration,
    ) -> Vec<IdleWorker> {
        let busy: BTreeSet<&WorkerId> =
            replica.line().running().map(|(_, worker)| worker).collect();
        // Who has missed two beats is not counted on.
        let there = self.nodes.values().filter(|node| !node.is_own && now < node.heard + lease / 2);
        let mut idle = Vec::new();
        for node in there {
            for worker in &node.description.workers {
                let is_up = matches!(worker.state, WorkerState::Warm | WorkerState::Busy);
                if is_up && !busy.contains(&worker.id) {
                    idle.push(IdleWorker {
                        id: worker.id.clone(),
                        template: replica.open(&worker.id),
                        scene: None,
                        pool: worker.pool.clone(),
                        // Its node knows, and makes room or leaves the job to others.
                        tenant: None,
                        serves: Some(node.serves.clone()),
                    });
                }
            }
        }
        idle
    }

    fn own(&self) -> Vec<NodeDescription> {
        let own = self.nodes.values().filter(|node| node.is_own);
        own.map(|node| node.description.clone()).collect()
    }
}

impl Shared {
    /// Says to all others that a node is there.
    pub(super) async fn announce(&self, node: &NodeDescription) {
        let Ok(payload) = serde_json::to_vec(node) else { return };
        if let Err(error) = self.client.publish(self.names.nodes(), Bytes::from(payload)).await {
            tracing::warn!(%error, "could not tell the other nodes that this one is there");
        }
    }

    /// Hears what the others say, until the engine stops.
    pub(super) async fn hear_nodes(self: Arc<Self>, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                heard = self.hear_until_it_ends() => {
                    if let Err(error) = heard {
                        tracing::warn!(%error, "could not hear the other nodes");
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn hear_until_it_ends(&self) -> Result<(), async_nats::Error> {
        let mut nodes = self.client.subscribe(self.names.nodes()).await?;
        let mut questions = self.client.subscribe(self.names.who()).await?;
        self.client.publish(self.names.who(), Bytes::new()).await?;
        loop {
            tokio::select! {
                message = nodes.next() => {
                    let Some(message) = message else { return Ok(()) };
                    let Ok(node) = serde_json::from_slice::<NodeDescription>(&message.payload)
                    else {
                        tracing::warn!("a node describes itself in another way than this one does");
                        continue;
                    };
                    let mut presence = self.presence();
                    if !presence.is_own(&node.id) {
                        presence.hear(node, false, clock::instant());
                    }
                }
                question = questions.next() => {
                    if question.is_none() {
                        return Ok(());
                    }
                    let own = self.presence().own();
                    for node in own {
                        self.announce(&node).await;
                    }
                }
            }
        }
    }
}
