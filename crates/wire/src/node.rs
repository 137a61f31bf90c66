//! What the nodes of a fleet tell each other of themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{TemplateDescription, WorkerDescription, WorkerId};

/// Names one `aiobpy serve` for as long as it has its data folder; empty where the fleet is one node only.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub String);

impl NodeId {
    /// The id of one of its workers, by the name that this one has on the node.
    pub fn worker(&self, name: &str) -> WorkerId {
        if self.0.is_empty() {
            WorkerId(name.to_owned())
        } else {
            WorkerId(format!("{}/{name}", self.0))
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A node as it describes itself to the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeDescription {
    pub id: NodeId,
    pub workers: Vec<WorkerDescription>,
    /// What its workers can be asked for; empty until one of them is ready.
    pub templates: Vec<TemplateDescription>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_named_after_its_node() {
        let worker = NodeId("kiln".into()).worker("worker-1");
        assert_eq!((worker.0.as_str(), worker.node()), ("kiln/worker-1", "kiln"));
        assert_eq!(worker.name(), "worker-1");
        let only = NodeId::default().worker("worker-1");
        assert_eq!((only.0.as_str(), only.node(), only.name()), ("worker-1", "", "worker-1"));
    }
}
