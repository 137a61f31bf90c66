//! Jobs over HTTP, with a real fleet whose workers are a stand-in for Blender.

use std::path::Path;
use std::time::Duration;

use aiobpy_fleet::{Fleet, FleetConfig, WorkerLaunch};
use aiobpy_server::{Front, Limits, Parts, Shared};
use aiobpy_wire::{Event, EventRecord, Job, JobState};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Method, Request};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Answered, HOST, get, post, send, token};

/// Longer than anything here takes.
const LONG: &str = "wait=60";

struct Serving {
    shared: Shared,
    fleet: Fleet,
    _folder: TempDir,
}

async fn serving() -> Serving {
    serving_with(|_| {}).await
}

async fn serving_with(adapt: impl FnOnce(&mut FleetConfig)) -> Serving {
    let folder = tempfile::tempdir().unwrap();
    let fleet = start_fleet(folder.path(), adapt).await;
    let parts = Parts { fleet: Some(fleet.clone()), ..Parts::default() };
    let shared = Shared::new(HOST.parse().unwrap(), token(), Limits::default(), parts);
    Serving { shared, fleet, _folder: folder }
}

async fn start_fleet(folder: &Path, adapt: impl FnOnce(&mut FleetConfig)) -> Fleet {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../fleet/tests/stand_in_worker.py");
    let launch = WorkerLaunch::Blender { path: program.into(), package_dir: "/".into() };
    let mut config = FleetConfig::new(folder.join("data"), Vec::new(), launch);
    adapt(&mut config);
    Fleet::start(config).await.unwrap()
}

impl Serving {
    async fn submit(&self, params: Value, prefer: Option<&str>) -> Answered {
        let body = json!({ "template": "drawing", "params": params });
        let mut request = post("/api/v1/jobs");
        if let Some(prefer) = prefer {
            request = request.header("prefer", prefer);
        }
        send(&self.shared, request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn submit_as(&self, key: &str, params: Value) -> Answered {
        let body = json!({ "template": "drawing", "params": params }).to_string();
        let request = post("/api/v1/jobs").header("idempotency-key", key);
        send(&self.shared, request.body(Body::from(body)).unwrap()).await
    }

    /// Submits a job and returns its address.
    async fn queued(&self, params: Value) -> String {
        let answer = self.submit(params, None).await;
        assert_eq!(answer.status, 202);
        answer.header("location").to_owned()
    }

    async fn get(&self, path: &str) -> Answered {
        send(&self.shared, get(path).body(Body::empty()).unwrap()).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answered {
        let mut request = get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.shared, request.body(Body::empty()).unwrap()).await
    }

    /// Waits until a worker is at the job.
    async fn until_running(&self, path: &str) {
        let mut events = self.fleet.subscribe();
        while job_in(&self.get(path).await).state != JobState::Running {
            events.recv().await.unwrap();
        }
    }

    async fn delete(&self, path: &str) -> Answered {
        let request = get(path).method(Method::DELETE).body(Body::empty()).unwrap();
        send(&self.shared, request).await
    }

    /// The events of a stream that ends by itself.
    async fn events(&self, path: &str, headers: &[(&str, &str)]) -> Vec<EventRecord> {
        let answer = tokio::time::timeout(Duration::from_mins(1), self.get_with(path, headers));
        let answer = answer.await.expect("the stream ends with the job");
        assert_eq!(answer.header("content-type"), "text/event-stream");
        records_in(&String::from_utf8(answer.body).unwrap())
    }
}

fn records_in(stream: &str) -> Vec<EventRecord> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn names(records: &[EventRecord]) -> Vec<&'static str> {
    records.iter().map(|record| record.event.name()).collect()
}

fn job_in(answer: &Answered) -> Job {
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn who_waits_gets_the_image_as_the_body() {
    let serving = serving().await;
    let answer = serving.submit(json!({"text": "a mug"}), Some(LONG)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, b"a mug");
    assert_eq!(answer.header("content-type"), "image/png");
    assert_eq!(answer.header("content-length"), "5");
    assert_eq!(answer.header("preference-applied"), "wait=60");
    let location = answer.header("location");
    let job = job_in(&serving.get(location).await);
    assert_eq!(answer.header("etag"), format!("\"{}\"", job.artefact.unwrap().hash));
    serving.fleet.stop().await;
}

#[tokio::test]
async fn who_does_not_wait_is_told_where_to_look() {
    let serving = serving().await;
    let answer = serving.submit(json!({}), None).await;
    assert_eq!(answer.status, 202);
    assert!(answer.headers.get("preference-applied").is_none());
    let job = job_in(&answer);
    assert_eq!(answer.header("location"), format!("/api/v1/jobs/{}", job.id));
    assert_eq!((job.state, job.attempt), (JobState::Queued, 0));
    serving.fleet.stop().await;
}

#[tokio::test]
async fn who_does_not_wait_long_enough_gets_the_job_as_it_is() {
    let serving = serving().await;
    let answer = serving.submit(json!({"do": "hang"}), Some("wait=0")).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("preference-applied"), "wait=0");
    assert!(!job_in(&answer).state.is_final());
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_is_the_same_job() {
    let serving = serving().await;
    let first = serving.submit_as("order 7", json!({"text": "a mug"})).await;
    let again = serving.submit_as("order 7", json!({"text": "a mug"})).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert_eq!(again.header("location"), first.header("location"));
    let other = serving.submit_as("order 7", json!({"text": "a lamp"})).await;
    assert_eq!((other.status.as_u16(), &*other.problem()), (422, "idempotency-key-reused"));
    let nonsense = serving.submit_as("", json!({})).await;
    let known = (nonsense.status.as_u16(), &*nonsense.problem());
    assert_eq!(known, (400, "malformed-idempotency-key"));
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_full_queue_is_told_by_429_and_when_to_come_again() {
    let serving = serving_with(|config| config.most_waiting = 1).await;
    let busy = serving.queued(json!({"do": "hang"})).await;
    serving.until_running(&busy).await;
    serving.queued(json!({})).await;
    let answer = serving.submit(json!({}), None).await;
    assert_eq!((answer.status.as_u16(), &*answer.problem()), (429, "queue-full"));
    assert_eq!(answer.header("retry-after"), "1");
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_job_that_fails_answers_with_its_problem_to_who_waits_and_to_who_asks() {
    let serving = serving().await;
    let answer = serving.submit(json!({"do": "raise", "attempts": 99}), Some(LONG)).await;
    assert_eq!((answer.status.as_u16(), &*answer.problem()), (500, "template-raised"));
    let location = answer.header("location");
    let again = serving.get(&format!("{location}/result")).await;
    assert_eq!((again.status.as_u16(), &*again.problem()), (500, "template-raised"));
    assert_eq!(job_in(&serving.get(location).await).state, JobState::Failed);
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_result_can_be_had_again_whole_in_part_or_not_at_all() {
    let serving = serving().await;
    let answer = serving.submit(json!({"text": "0123456789"}), Some(LONG)).await;
    let path = format!("{}/result", answer.header("location"));
    let etag = answer.header("etag").to_owned();

    let whole = serving.get(&path).await;
    assert_eq!((whole.status.as_u16(), &whole.body[..]), (200, &b"0123456789"[..]));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("cache-control"), "private, no-cache");

    let known = serving.get_with(&path, &[("if-none-match", &etag)]).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));

    let part = serving.get_with(&path, &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &b"234"[..]));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");

    let outside = serving.get_with(&path, &[("range", "bytes=10-")]).await;
    assert_eq!((outside.status.as_u16(), &*outside.problem()), (416, "range-outside"));
    assert_eq!(outside.header("content-range"), "bytes */10");

    let head = get(&path).method(Method::HEAD).body(Body::empty()).unwrap();
    let head = send(&serving.shared, head).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), "10");
    serving.fleet.stop().await;
}

#[tokio::test]
async fn an_image_of_many_chunks_arrives_whole() {
    let serving = serving().await;
    let text = "0123456789abcdef".repeat(50_000);
    let answer = serving.submit(json!({"text": text}), Some(LONG)).await;
    assert_eq!(answer.body, text.as_bytes());
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_result_that_is_gone_from_the_disk_is_a_problem() {
    let serving = serving().await;
    let answer = serving.submit(json!({}), Some(LONG)).await;
    let location = answer.header("location");
    let job = job_in(&serving.get(location).await);
    std::fs::remove_file(serving.fleet.artefact_path(&job.artefact.unwrap())).unwrap();
    let gone = serving.get(&format!("{location}/result")).await;
    assert_eq!((gone.status.as_u16(), &*gone.problem()), (500, "lost-result"));
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_job_is_cancelled_once_and_has_no_result() {
    let serving = serving().await;
    let path = serving.queued(json!({"do": "hang"})).await;
    let early = serving.get(&format!("{path}/result")).await;
    assert_eq!((early.status.as_u16(), &*early.problem()), (409, "no-result-yet"));
    assert!(early.json()["hint"].as_str().unwrap().contains("/events"));

    let cancelled = serving.delete(&path).await;
    assert_eq!(cancelled.status, 200);
    assert_eq!(job_in(&cancelled).state, JobState::Cancelled);
    let again = serving.delete(&path).await;
    assert_eq!((again.status.as_u16(), &*again.problem()), (409, "job-ended"));
    let result = serving.get(&format!("{path}/result")).await;
    assert_eq!((result.status.as_u16(), &*result.problem()), (410, "cancelled-job"));
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_job_that_nobody_knows_is_a_404() {
    let serving = serving().await;
    for id in ["7", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        for path in ["", "/result", "/events"] {
            let answer = serving.get(&format!("/api/v1/jobs/{id}{path}")).await;
            assert_eq!((answer.status.as_u16(), &*answer.problem()), (404, "unknown-job"));
        }
        let answer = serving.delete(&format!("/api/v1/jobs/{id}")).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (404, "unknown-job"));
    }
    serving.fleet.stop().await;
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_told_where() {
    let serving = serving().await;
    for (body, status, problem, pointer) in [
        ("{", 400, "malformed-json", None),
        (r#"{"params": {}}"#, 422, "invalid-body", Some("")),
        (r#"{"template": 7}"#, 422, "invalid-body", Some("/template")),
        (r#"{"template": "drawing", "colour": 1}"#, 422, "invalid-body", Some("/colour")),
        (
            r#"{"template": "drawing", "output": {"width": "big"}}"#,
            422,
            "invalid-body",
            Some("/output/width"),
        ),
        (
            r#"{"template": "drawing", "output": {"format": "gif"}}"#,
            422,
            "invalid-body",
            Some("/output/format"),
        ),
        (
            r#"{"template": "drawing", "output": {"width": 3}}"#,
            422,
            "invalid-request",
            Some("/output/width"),
        ),
        (
            r#"{"template": "drawing", "params": {"do": "fly"}}"#,
            422,
            "invalid-request",
            Some("/params/do"),
        ),
        (r#"{"template": "drawings"}"#, 422, "unknown-template", Some("/template")),
    ] {
        let answer =
            send(&serving.shared, post("/api/v1/jobs").body(Body::from(body)).unwrap()).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (status, problem), "{body}");
        let error = &answer.json()["errors"][0]["pointer"];
        assert_eq!(error.as_str(), pointer, "{body}");
    }
    assert_eq!(serving.submit(json!({}), Some(LONG)).await.status, 200, "the server goes on");
    serving.fleet.stop().await;
}

#[tokio::test]
async fn the_events_of_a_job_end_with_it() {
    let serving = serving().await;
    let path = format!("{}/events", serving.queued(json!({})).await);
    let records = serving.events(&path, &[]).await;
    assert_eq!(names(&records), ["job.queued", "job.started", "job.progressed", "job.finished"]);
    assert!(records.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));

    let again = serving.events(&path, &[]).await;
    assert_eq!(again, records, "who comes late sees the same");
    let second = records[1].sequence.to_string();
    let rest = serving.events(&path, &[("last-event-id", &second)]).await;
    assert_eq!(rest, records[2..]);
    let last = records[3].sequence.to_string();
    let none = serving.get_with(&path, &[("last-event-id", &last)]).await;
    assert_eq!(none.status, 204, "nothing more will come");
    serving.fleet.stop().await;
}

#[tokio::test]
async fn the_events_of_the_fleet_can_be_chosen_by_topic() {
    let serving = serving().await;
    let request = get("/api/v1/events?topics=job.finished").header("last-event-id", "0");
    let front = Front::new(serving.shared.clone());
    let response = front.answer(request.body(Body::empty()).unwrap()).await;
    serving.submit(json!({}), Some(LONG)).await;
    let mut body = Body::new(response.into_body()).into_data_stream();
    let mut text = String::new();
    while !text.contains("data: ") {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(matches!(
        records_in(&text)[..],
        [EventRecord { event: Event::JobFinished { .. }, .. }]
    ));
    serving.fleet.stop().await;
}

#[tokio::test]
async fn jobs_templates_and_workers_are_listed() {
    let serving = serving().await;
    for _ in 0..3 {
        assert_eq!(serving.submit(json!({}), Some(LONG)).await.status, 200);
    }
    let jobs = serving.get("/api/v1/jobs?limit=2").await.json();
    let ids: Vec<_> = jobs["jobs"].as_array().unwrap().iter().map(|job| &job["id"]).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids[0].as_str() > ids[1].as_str(), "the newest first");
    let templates = serving.get("/api/v1/templates").await.json();
    assert_eq!(templates["templates"][0]["name"], "drawing");
    assert_eq!(templates["templates"][0]["params_schema"]["type"], "object");
    let workers = serving.get("/api/v1/workers").await.json();
    assert_eq!(workers["workers"][0]["state"], "warm");
    let status = serving.get("/api/v1/status").await.json();
    assert_eq!(status["workers"], workers["workers"]);
    assert!(status.get("main_thread").is_none());
    serving.fleet.stop().await;
}

#[tokio::test]
async fn methods_that_a_job_does_not_have_are_told_those_it_has() {
    let serving = serving().await;
    let request = get("/api/v1/jobs/7").method(Method::PUT).body(Body::empty()).unwrap();
    let answer = send(&serving.shared, request).await;
    assert_eq!((answer.status.as_u16(), &*answer.problem()), (405, "method-not-allowed"));
    assert_eq!(answer.header("allow"), "GET,HEAD,DELETE");
    let limit = serving.get("/api/v1/jobs?limit=many").await;
    assert_eq!((limit.status.as_u16(), &*limit.problem()), (400, "malformed-query"));
    serving.fleet.stop().await;
}

#[tokio::test]
async fn jobs_need_the_token_too() {
    let serving = serving().await;
    for path in ["/api/v1/jobs", "/api/v1/templates", "/api/v1/workers", "/api/v1/jobs/7/result"] {
        let request = Request::get(path).header("host", HOST).body(Body::empty()).unwrap();
        assert_eq!(send(&serving.shared, request).await.problem(), "missing-token");
    }
    serving.fleet.stop().await;
}
