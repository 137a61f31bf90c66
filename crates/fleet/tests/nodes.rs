//! Two nodes of a fleet, with real processes and a real server, and a stand-in for Blender.
#![cfg(feature = "nats")]

use std::path::Path;
use std::time::Duration;

use aiobpy_fleet::{EngineChoice, Fleet, FleetConfig, NatsConfig, WorkerLaunch};
use aiobpy_wire::{Event, Job, JobRequest, JobState};
use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "../src/nats/tests/server.rs"]
#[expect(dead_code, reason = "the engine's own tests do more with it")]
mod server;

use server::Server;

const LONG: Duration = Duration::from_secs(30);

struct Nodes {
    /// Only takes jobs on.
    door: Fleet,
    /// Has the only worker.
    kiln: Fleet,
    _folder: TempDir,
    _server: Server,
}

impl Nodes {
    async fn start() -> Self {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        let door = node(&server, folder.path(), "door", 0).await;
        let kiln = node(&server, folder.path(), "kiln", 1).await;
        door.templates_when_ready().await.unwrap();
        Self { door, kiln, _folder: folder, _server: server }
    }

    async fn submit(&self, params: Value) -> Job {
        self.door.submit(request(&params)).await.unwrap()
    }

    async fn stop(self) {
        self.door.stop().await;
        self.kiln.stop().await;
    }
}

async fn node(server: &Server, folder: &Path, name: &str, workers: usize) -> Fleet {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in_worker.py");
    let launch = WorkerLaunch::Blender { path: program.into(), package_dir: "/".into() };
    let nats = NatsConfig { servers: vec![server.address()], fleet: "test".into() };
    let config = FleetConfig {
        workers,
        engine: EngineChoice::Nats(nats),
        node: Some(name.into()),
        lease: Duration::from_secs(1),
        ..FleetConfig::new(folder.join(name), Vec::new(), launch)
    };
    Fleet::start(config).await.unwrap()
}

fn request(params: &Value) -> JobRequest {
    serde_json::from_value(json!({"template": "drawing", "params": params})).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_and_what_it_names_go_where_the_worker_is_and_the_picture_comes_back() {
    let nodes = Nodes::start().await;
    let input = nodes.door.put_input(b"a label".to_vec()).await.unwrap();
    assert!(nodes.kiln.input_path(&input).is_none());
    let job = nodes.submit(json!({ "text": input })).await;
    let job = nodes.door.wait(job.id, LONG).await.unwrap();
    assert_eq!((job.state, job.worker.unwrap().0.as_str()), (JobState::Finished, "kiln/worker-1"));
    let there = nodes.kiln.input_path(&input).unwrap();
    assert_eq!(std::fs::read(there).unwrap(), b"a label");
    let artefact = job.artefact.unwrap();
    assert!(!nodes.door.artefact_path(&artefact).exists());
    let picture = nodes.door.artefact_file(&artefact).await.unwrap();
    assert_eq!(std::fs::read_to_string(picture).unwrap(), input);
    assert_eq!(nodes.door.workers().len(), 1);
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_told_of_pictures_of_another_and_gets_them() {
    let nodes = Nodes::start().await;
    let mut told = nodes.door.subscribe_to_previews();
    let job = nodes.submit(json!({"do": "picture"})).await;
    let event = tokio::time::timeout(LONG, told.recv()).await.unwrap().unwrap();
    assert_eq!(event, Event::JobPreview { id: job.id, attempt: 1, number: 1 });
    let job = nodes.door.look_up(job.id).await.unwrap().unwrap();
    let there = nodes.kiln.preview(&job).await.unwrap().unwrap();
    let here = nodes.door.preview(&job).await.unwrap().unwrap();
    assert_eq!(here, there);
    assert!(told.try_recv().is_err(), "each is told of once");
    nodes.kiln.stop().await;
    assert_eq!(nodes.door.preview(&job).await.unwrap(), None, "its node has gone");
    nodes.door.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_cancelled_at_one_node_ends_the_worker_of_another() {
    let nodes = Nodes::start().await;
    let mut events = nodes.door.subscribe();
    let job = nodes.submit(json!({"do": "hang"})).await;
    loop {
        let record = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
        if matches!(record.event, Event::JobStarted { .. }) {
            break;
        }
    }
    assert_eq!(nodes.door.cancel(job.id).await.unwrap().state, JobState::Cancelled);
    let next = nodes.submit(json!({})).await;
    let next = nodes.door.wait(next.id, LONG).await.unwrap();
    assert_eq!(
        (next.state, next.worker.unwrap().0.as_str()),
        (JobState::Finished, "kiln/worker-2")
    );
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_leaves_its_job_to_the_others_at_once() {
    let nodes = Nodes::start().await;
    let mut events = nodes.door.subscribe();
    let job = nodes.submit(json!({"do": "hang"})).await;
    loop {
        let record = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
        if matches!(record.event, Event::JobStarted { .. }) {
            break;
        }
    }
    nodes.kiln.stop().await;
    let problem = loop {
        let record = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
        if let Event::JobRequeued { problem, .. } = record.event {
            break problem;
        }
    };
    assert_eq!(problem.kind, "server-stopped");
    let job = nodes.door.look_up(job.id).await.unwrap().unwrap();
    assert_eq!(job.state, JobState::Queued);
    nodes.door.stop().await;
}
