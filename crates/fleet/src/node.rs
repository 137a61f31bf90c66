//! What a node is called: the same for as long as it has its data folder, so that it knows its own jobs again.

use std::fs;
use std::path::Path;

use aiobpy_wire::NodeId;
use sysinfo::System;

use crate::FleetError;
use crate::config::{EngineChoice, FleetConfig};

const LONGEST: usize = 64;

/// The node's id; empty where it is the only one.
pub(crate) fn id(config: &FleetConfig) -> Result<NodeId, FleetError> {
    if config.engine == EngineChoice::Embedded {
        return Ok(NodeId::default());
    }
    if let Some(name) = &config.node {
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_plain) {
            return Err(FleetError::NodeName { name: name.clone() });
        }
        return Ok(NodeId(name.clone()));
    }
    let file = config.data_dir.join("node");
    match fs::read_to_string(&file) {
        Ok(name) if !name.is_empty() && name.chars().all(is_plain) => Ok(NodeId(name)),
        _ => make(&file)
            .map_err(|source| FleetError::DataFolder { path: config.data_dir.clone(), source }),
    }
}

fn make(file: &Path) -> std::io::Result<NodeId> {
    let host = System::host_name().unwrap_or_default();
    let plain: String = host.chars().filter(|letter| is_plain(*letter)).take(32).collect();
    let luck = getrandom::u32().map_err(std::io::Error::other)?;
    let host = if plain.is_empty() { "node" } else { &plain };
    let name = format!("{host}-{:04x}", luck & 0xffff);
    fs::write(file, &name)?;
    Ok(NodeId(name))
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NatsConfig, WorkerLaunch};

    fn config(folder: &Path) -> FleetConfig {
        let launch = WorkerLaunch::BpyModule { python: "python3".into() };
        let nats = NatsConfig { servers: vec!["nats://localhost".into()], fleet: "aiobpy".into() };
        let engine = EngineChoice::Nats(nats);
        FleetConfig { engine, ..FleetConfig::new(folder.into(), Vec::new(), launch) }
    }

    #[test]
    fn a_node_keeps_its_name_with_its_data_folder() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = id(&config(one.path())).unwrap();
        assert_eq!(id(&config(one.path())).unwrap(), first);
        assert_ne!(id(&config(other.path())).unwrap(), first);
        assert!(!first.worker("worker-1").0.starts_with('/'));
    }

    #[test]
    fn a_name_that_would_be_read_otherwise_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "a/b", "a b"] {
            let config = FleetConfig { node: Some(name.into()), ..config(folder.path()) };
            assert!(matches!(id(&config), Err(FleetError::NodeName { .. })), "{name:?}");
        }
    }
}
