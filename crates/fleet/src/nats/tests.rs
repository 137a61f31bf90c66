//! What is this engine's own; the rest is in `conformance`. Each test has a server of its own.

use std::io::Write;
use std::net::TcpListener;

use tempfile::TempDir;

use super::*;
use crate::conformance::{
    self, LEASE, PATIENCE, Subject, TERMS, claim, job, node, picture, started, submit,
};

mod server;

use server::Server;

struct OnNats {
    engine: NatsEngine,
    server: Server,
    folder: TempDir,
}

impl OnNats {
    fn config(&self) -> NatsConfig {
        config(&self.server)
    }

    /// Another node of the same fleet.
    async fn another(&self) -> NatsEngine {
        let journal = self.folder.path().join(Uuid::now_v7().to_string());
        NatsEngine::open(&self.config(), &journal, LEASE, KEEP).await.unwrap()
    }
}

impl Subject for OnNats {
    type Engine = NatsEngine;

    const STORIES: usize = 8;

    async fn open() -> Self {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        let journal = folder.path().join("journal.db");
        let engine = NatsEngine::open(&config(&server), &journal, LEASE, KEEP).await.unwrap();
        Self { engine, server, folder }
    }

    fn engine(&self) -> &NatsEngine {
        &self.engine
    }

    async fn opened_again(self) -> Self {
        self.engine.close().await;
        let Self { server, folder, engine } = self;
        drop(engine);
        let journal = folder.path().join("journal.db");
        let engine = NatsEngine::open(&config(&server), &journal, LEASE, KEEP).await.unwrap();
        Self { engine, server, folder }
    }
}

const KEEP: Duration = Duration::from_hours(24);
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

fn config(server: &Server) -> NatsConfig {
    NatsConfig { servers: vec![server.address()], fleet: "test".into() }
}

conformance::suite!(OnNats);

/// The next event that `wanted` holds for.
async fn next(
    events: &mut broadcast::Receiver<EventRecord>,
    wanted: impl Fn(&Event) -> bool,
) -> Event {
    loop {
        let record = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
        if wanted(&record.event) {
            return record.event;
        }
    }
}

#[tokio::test]
async fn a_job_of_one_node_is_run_by_another_and_its_artefact_is_everywhere() {
    let here = OnNats::open().await;
    let there = here.another().await;
    let mut events = here.engine.subscribe();
    let mut events_there = there.subscribe();
    let submitted = submit(&here.engine, JobRequest::new("mug")).await;
    next(&mut events_there, |event| event.name() == "job.queued").await;
    let claims = claim(&there, &["b/worker-1"]).await;
    assert_eq!(claims[0].job.id, submitted.id);

    let made = here.folder.path().join("made.png");
    std::fs::write(&made, b"pixels").unwrap();
    let hash = blake3::hash(b"pixels").to_hex().to_string();
    let artefact = Artefact { hash, content_type: "image/png".into(), bytes: 6 };
    there.put_blob(artefact.clone(), made.clone()).await.unwrap();
    there.put_blob(artefact.clone(), made).await.unwrap();
    let attempt = Attempt { job: submitted.id, number: 1 };
    assert_eq!(there.finish(attempt, artefact.clone().into()).await.unwrap(), Report::Taken);

    next(&mut events, Event::is_final).await;
    assert_eq!(job(&here.engine, submitted.id).await.artefact, Some(artefact.clone()));
    let fetched = here.folder.path().join("fetched.png");
    assert!(here.engine.get_blob(artefact, fetched.clone()).await.unwrap());
    assert_eq!(std::fs::read(fetched).unwrap(), b"pixels");
    let nowhere = here.folder.path().join("nowhere.png");
    assert!(!here.engine.get_blob(picture(), nowhere).await.unwrap());
}

#[tokio::test]
async fn what_one_node_has_made_another_knows() {
    let here = OnNats::open().await;
    let there = here.another().await;
    let mut events = there.subscribe();
    let made = Made { spec: Some("one".into()), ..picture().into() };
    let first = started(&here.engine).await;
    here.engine.finish(first, made).await.unwrap();
    next(&mut events, Event::is_final).await;
    let found = there.finished_as("one".into()).await.unwrap().unwrap();
    assert_eq!(found.id, first.job);
    let late = here.another().await;
    assert_eq!(late.finished_as("one".into()).await.unwrap(), Some(found));
}

#[tokio::test]
async fn an_artefact_that_the_servers_have_damaged_is_refused() {
    let here = OnNats::open().await;
    here.engine.shared.store.put(picture().hash.as_str(), &mut &b"wrong"[..]).await.unwrap();
    let file = here.folder.path().join("fetched.png");
    let error = here.engine.get_blob(picture(), file).await.unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_jobs_each_is_given_to_one_node() {
    let here = OnNats::open().await;
    let there = here.another().await;
    let mut submitted = Vec::new();
    for _ in 0..40 {
        submitted.push(submit(&here.engine, JobRequest::new("mug")).await.id);
    }
    let take_all = async |engine: &NatsEngine, node: &str| {
        let worker = format!("{node}/worker-1");
        let mut taken = Vec::new();
        while !engine.shared.replica().line().waiting().is_empty() {
            taken.extend(claim(engine, &[&worker]).await.into_iter().map(|claim| claim.job.id));
        }
        taken
    };
    let mut events = there.subscribe();
    let last = submit(&here.engine, JobRequest::new("mug")).await.id;
    submitted.push(last);
    if there.shared.replica().job(last).is_none() {
        next(&mut events, |event| event.job_id() == Some(last)).await;
    }
    let (ours, theirs) = tokio::join!(take_all(&here.engine, "a"), take_all(&there, "b"));
    let mut all = [ours, theirs].concat();
    all.sort_unstable();
    assert_eq!(all, submitted);
}

#[tokio::test]
async fn a_cancelled_job_is_told_to_the_node_that_has_it() {
    let here = OnNats::open().await;
    let there = here.another().await;
    let mut events = there.subscribe();
    let submitted = submit(&here.engine, JobRequest::new("mug")).await;
    next(&mut events, |event| event.name() == "job.queued").await;
    assert_eq!(claim(&there, &["b/worker-1"]).await.len(), 1);
    here.engine.cancel(submitted.id).await.unwrap();
    let told = next(&mut events, Event::is_final).await;
    assert_eq!(told, Event::JobCancelled { id: submitted.id });
}

#[tokio::test]
async fn a_node_that_was_taken_for_lost_cannot_end_what_is_another_s_now() {
    let here = OnNats::open().await;
    let there = here.another().await;
    let mut events = here.engine.subscribe();
    let attempt = {
        let mut queued = there.subscribe();
        submit(&here.engine, JobRequest::new("mug")).await;
        next(&mut queued, |event| event.name() == "job.queued").await;
        let claims = claim(&there, &["b/worker-1"]).await;
        Attempt { job: claims[0].job.id, number: claims[0].job.attempt }
    };
    next(&mut events, |event| event.name() == "job.started").await;
    let later = clock::instant() + LEASE + LEASE;
    here.engine.beat(node("a"), Vec::new(), later).await.unwrap();
    assert_eq!(here.engine.expire(later, PATIENCE).await.unwrap(), 1);
    let again = claim(&here.engine, &["a/worker-1"]).await;
    assert_eq!((again[0].job.id, again[0].job.attempt), (attempt.job, 2));
    assert_eq!(there.finish(attempt, picture().into()).await.unwrap(), Report::Refused);
    assert_eq!(there.beat(node("b"), vec![attempt], later).await.unwrap(), [Verdict::Lost]);
    let second = Attempt { number: 2, ..attempt };
    assert_eq!(here.engine.finish(second, picture().into()).await.unwrap(), Report::Taken);
}

#[tokio::test]
async fn nodes_know_each_other() {
    let here = OnNats::open().await;
    let there = here.another().await;
    let template = serde_json::json!({ "name": "mug", "description": "", "params_schema": {} });
    let template = serde_json::from_value(template).unwrap();
    let described = NodeDescription { templates: vec![template], ..node("b") };
    there.beat(described.clone(), Vec::new(), clock::instant()).await.unwrap();
    assert_eq!(there.neighbours(), []);
    // One that comes later asks.
    let late = here.another().await;
    let mut known = late.shared.client.subscribe(late.shared.names.nodes()).await.unwrap();
    late.shared.client.publish(late.shared.names.who(), bytes::Bytes::new()).await.unwrap();
    while late.neighbours().is_empty() {
        futures_util::StreamExt::next(&mut known).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(late.neighbours(), [described]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_killed_have_what_they_acknowledged() {
    let mut here = OnNats::open().await;
    let running = started(&here.engine).await;
    let mut submitted = Vec::new();
    for _ in 0..20 {
        submitted.push(submit(&here.engine, JobRequest::new("mug")).await.id);
    }
    here.server.kill();
    here.server.start_again();
    submitted.push(submit(&here.engine, JobRequest::new("mug")).await.id);
    assert_eq!(here.engine.finish(running, picture().into()).await.unwrap(), Report::Taken);
    for id in submitted {
        assert_eq!(claim(&here.engine, &["a/worker-1"]).await[0].job.id, id);
        let attempt = Attempt { job: id, number: 1 };
        assert_eq!(here.engine.finish(attempt, picture().into()).await.unwrap(), Report::Taken);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submits_resume_when_the_leader_of_three_servers_dies() {
    let mut servers = Server::start_three();
    let folder = tempfile::tempdir().unwrap();
    let addresses = servers.iter().map(Server::address).collect();
    let config = NatsConfig { servers: addresses, fleet: "test".into() };
    let journal = folder.path().join("journal.db");
    let engine = NatsEngine::open(&config, &journal, LEASE, KEEP).await.unwrap();
    let mut submitted = Vec::new();
    for _ in 0..5 {
        submitted.push(submit(&engine, JobRequest::new("mug")).await.id);
    }
    let info = connection::stream_info(&engine.shared).await.unwrap();
    assert_eq!(info.config.num_replicas, 3);
    let leader = info.cluster.unwrap().leader.unwrap();
    let leader = (0..3).find(|number| Server::name(*number) == leader).unwrap();
    servers[leader].kill();
    let killed = clock::instant();
    submitted.push(submit(&engine, JobRequest::new("mug")).await.id);
    let waited = killed.elapsed();
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    for id in submitted {
        assert_eq!(claim(&engine, &["a/worker-1"]).await[0].job.id, id);
        let attempt = Attempt { job: id, number: 1 };
        assert_eq!(engine.finish(attempt, picture().into()).await.unwrap(), Report::Taken);
    }
}

#[tokio::test]
async fn what_the_servers_have_lost_is_submitted_again() {
    let here = OnNats::open().await;
    let ended = started(&here.engine).await;
    here.engine.finish(ended, picture().into()).await.unwrap();
    let waiting = submit(&here.engine, JobRequest::new("mug")).await;
    let running = started_of(&here.engine, waiting.id).await;
    let seen = here.engine.events_since(0, None, 100).await.unwrap().last().unwrap().sequence;
    let mut events = here.engine.subscribe();
    let stream = here.engine.shared.names.stream();
    here.engine.shared.context.delete_stream(stream).await.unwrap();
    let told = loop {
        let record = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
        if record.event.name() == "job.queued" && record.sequence > seen {
            break record;
        }
    };
    assert_eq!(told.event, Event::JobQueued { job: Box::new(waiting.clone()) });
    assert_eq!(job(&here.engine, waiting.id).await.state, JobState::Queued);
    assert_eq!(here.engine.finish(running, picture().into()).await.unwrap(), Report::Refused);
    let again = claim(&here.engine, &["a/worker-1"]).await;
    assert_eq!(again[0].job.id, waiting.id);
}

async fn started_of(engine: &NatsEngine, id: JobId) -> Attempt {
    let claims = claim(engine, &["a/worker-1"]).await;
    assert_eq!(claims[0].job.id, id);
    Attempt { job: id, number: claims[0].job.attempt }
}

#[tokio::test]
async fn servers_that_are_away_are_told_from_a_job_that_is_not_there() {
    let mut here = OnNats::open().await;
    let known = submit(&here.engine, JobRequest::new("mug")).await;
    let unknown = JobId::new(Uuid::from_u128(7));
    assert_eq!(here.engine.job(unknown).await.unwrap(), None);
    here.server.kill();
    assert!(matches!(here.engine.job(unknown).await, Err(EngineError::Away { .. })));
    assert_eq!(here.engine.job(known.id).await.unwrap(), Some(known));
}

#[tokio::test]
async fn two_who_send_the_same_request_at_once_get_the_same_job() {
    let here = OnNats::open().await;
    let there = here.another().await;
    let terms = Terms { key: Some("order 7".into()), ..TERMS };
    let (first, second) = tokio::join!(
        here.engine.submit(JobRequest::new("mug"), terms.clone()),
        there.submit(JobRequest::new("mug"), terms.clone()),
    );
    let id = |submitted: Submitted| match submitted {
        Submitted::Taken(job) | Submitted::Known(job) => job.id,
        other => panic!("{other:?}"),
    };
    assert_eq!(id(first.unwrap()), id(second.unwrap()));
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_given_back_when_nobody_is_at_it() {
    let here = OnNats::open().await;
    let attempt = started(&here.engine).await;
    let held = here.engine.beat(node("a"), vec![attempt], clock::instant()).await.unwrap();
    assert_eq!(held, [Verdict::Keep]);
    here.engine.shared.replica().see_all_since(clock::instant() - ORPHAN_AFTER);
    here.engine.beat(node("a"), Vec::new(), clock::instant()).await.unwrap();
    let waiting = job(&here.engine, attempt.job).await;
    assert_eq!(
        (waiting.state, waiting.problem.unwrap().kind),
        (JobState::Queued, "claim-lost".into())
    );
    assert_eq!(here.engine.finish(attempt, picture().into()).await.unwrap(), Report::Refused);
}

#[tokio::test]
async fn servers_that_are_too_old_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("nats://{}", listener.local_addr().unwrap());
    let answering = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let info = serde_json::json!({
            "server_id": "OLD", "version": "2.9.10", "max_payload": 1_048_576,
            "headers": true, "jetstream": true, "proto": 1,
        });
        stream.write_all(format!("INFO {info}\r\nPONG\r\n").as_bytes()).unwrap();
        // Until the other side has seen enough.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let folder = tempfile::tempdir().unwrap();
    let config = NatsConfig { servers: vec![address], fleet: "test".into() };
    let journal = folder.path().join("journal.db");
    let error = NatsEngine::open(&config, &journal, LEASE, KEEP).await.err().unwrap();
    assert!(matches!(&error, FleetError::EngineTooOld { version } if version == "2.9.10"));
    assert!(error.to_string().contains("2.12"), "{error}");
    answering.await.unwrap();
}

#[tokio::test]
async fn an_address_is_shown_without_its_password() {
    let config = NatsConfig { servers: vec!["http://me:secret@host".into()], fleet: "test".into() };
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");
    let error = NatsEngine::open(&config, &journal, LEASE, KEEP).await.err().unwrap();
    assert!(matches!(&error, FleetError::EngineAddress { address, .. } if address == "host"));
    assert!(!format!("{config:?} {error}").contains("secret"));
}
