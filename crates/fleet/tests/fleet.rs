//! The fleet with real processes, a stand-in for Blender among them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aiobpy_fleet::{Asker, Fleet, FleetConfig, FleetError, Pool, Tenant, WorkerLaunch};
use aiobpy_wire::{Event, Job, JobId, JobRequest, JobState, WorkerState};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// Longer than anything here takes; a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(30);

struct Running {
    fleet: Fleet,
    config: FleetConfig,
    folder: TempDir,
}

fn config(folder: &Path) -> FleetConfig {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in_worker.py");
    let launch = WorkerLaunch::Blender { path: program.into(), package_dir: "/".into() };
    FleetConfig {
        silence_limit: Duration::from_secs(2),
        ..FleetConfig::new(folder.join("data"), Vec::new(), launch)
    }
}

async fn running(adapt: impl FnOnce(&mut FleetConfig, &Path)) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    adapt(&mut config, folder.path());
    let fleet = Fleet::start(config.clone()).await.unwrap();
    Running { fleet, config, folder }
}

/// A worker that is told `mode` when it starts.
async fn running_in_mode(mode: &str) -> Running {
    running(|config, folder| {
        let marker = folder.join("mode");
        std::fs::write(&marker, mode).unwrap();
        config.templates.push(marker);
    })
    .await
}

impl Running {
    async fn submit(&self, params: Value) -> Job {
        self.fleet.submit(request("drawing", &params)).await.unwrap()
    }

    async fn ended(&self, id: JobId) -> Job {
        let job = self.fleet.wait(id, LONG).await.unwrap();
        assert!(job.state.is_final(), "{job:?}");
        job
    }

    async fn run(&self, params: Value) -> Job {
        let job = self.submit(params).await;
        self.ended(job.id).await
    }

    async fn names(&self, id: JobId) -> Vec<&'static str> {
        let events = self.fleet.events_since(0, Some(id), 1000).await;
        events.iter().map(|record| record.event.name()).collect()
    }

    /// The first event that `wanted` holds for, from the beginning of time.
    async fn event(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut events = self.fleet.subscribe();
        let past = self.fleet.events_since(0, None, 1000).await;
        if let Some(record) = past.into_iter().find(|record| wanted(&record.event)) {
            return record.event;
        }
        loop {
            let record = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
            if wanted(&record.event) {
                return record.event;
            }
        }
    }

    fn image(&self, job: &Job) -> String {
        let path = self.fleet.artefact_path(job.artefact.as_ref().unwrap());
        std::fs::read_to_string(path).unwrap()
    }
}

fn request(template: &str, params: &Value) -> JobRequest {
    serde_json::from_value(json!({"template": template, "params": params})).unwrap()
}

fn started(id: JobId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::JobProgressed { id: of, .. } if *of == id)
}

#[tokio::test]
async fn a_job_ends_with_its_image_in_the_store() {
    let running = running(|_, _| {}).await;
    let job = running.run(json!({"text": "a mug"})).await;
    assert_eq!((job.state, job.attempt, job.progress), (JobState::Finished, 1, 1.0));
    assert_eq!(running.image(&job), "a mug");
    let story = ["job.queued", "job.started", "job.progressed", "job.finished"];
    assert_eq!(running.names(job.id).await, story);
    running.fleet.stop().await;
}

#[tokio::test]
async fn the_same_is_made_once_as_long_as_it_is_there() {
    let running = running_in_mode("cached").await;
    let mug = || json!({"text": "a mug", "do": "draw"});
    let first = running.run(mug()).await;
    assert_eq!((first.state, first.cached_from), (JobState::Finished, None));
    let again = running.submit(mug()).await;
    assert_eq!((again.state, again.cached_from), (JobState::Finished, Some(first.id)));
    assert_eq!((again.artefact.as_ref(), again.attempt), (first.artefact.as_ref(), 0));
    assert_eq!(running.names(again.id).await, ["job.finished"]);
    let other = running.run(json!({"text": "a lamp"})).await;
    assert_eq!(other.cached_from, None);

    let anew = JobRequest { cache: false, ..request("drawing", &mug()) };
    let anew = running.fleet.submit(anew).await.unwrap();
    assert_eq!(running.ended(anew.id).await.cached_from, None);
    assert_eq!(running.submit(mug()).await.cached_from, Some(anew.id));

    std::fs::write(running.folder.path().join("mode"), "cached, another scene").unwrap();
    let changed = running.run(mug()).await;
    assert_eq!(changed.cached_from, None);
    std::fs::remove_file(running.fleet.artefact_path(changed.artefact.as_ref().unwrap())).unwrap();
    assert_eq!(running.run(mug()).await.cached_from, None);
    running.fleet.stop().await;
}

#[tokio::test]
async fn the_same_asked_for_at_once_is_made_once() {
    let running = running_in_mode("cached").await;
    let wait = || json!({"do": "wait"});
    let first = running.submit(wait()).await;
    running.event(started(first.id)).await;
    let (second, third) = (running.submit(wait()).await, running.submit(wait()).await);
    assert_eq!((second.state, third.state), (JobState::Queued, JobState::Queued));
    std::fs::write(running.folder.path().join("go"), "").unwrap();
    for job in [second, third] {
        let ended = running.ended(job.id).await;
        assert_eq!((ended.state, ended.cached_from), (JobState::Finished, Some(first.id)));
        assert_eq!(running.names(job.id).await, ["job.queued", "job.started", "job.finished"]);
    }
    assert_eq!(running.fleet.workers()[0].jobs_done, 1);
    running.fleet.stop().await;
}

#[tokio::test]
async fn what_was_made_while_its_scene_changed_answers_nobody_else() {
    let running = running_in_mode("cached").await;
    let wait = || json!({"do": "wait"});
    let first = running.submit(wait()).await;
    running.event(started(first.id)).await;
    std::fs::write(running.folder.path().join("mode"), "cached, another scene").unwrap();
    std::fs::write(running.folder.path().join("go"), "").unwrap();
    assert_eq!(running.ended(first.id).await.spec, None);
    assert_eq!(running.run(wait()).await.cached_from, None);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_tenant_gets_nothing_that_was_made_for_another() {
    let running = running_in_mode("cached").await;
    let of = async |name: &str| {
        let tenant = Tenant {
            name: name.into(),
            most_waiting: None,
            most_running: None,
            highest_priority: 0,
        };
        let asker = Asker { tenant: Some(tenant), ..Asker::default() };
        let job = running.fleet.submit_for(request("drawing", &json!({})), asker).await.unwrap();
        running.ended(job.id).await
    };
    let shop = of("shop").await;
    assert_eq!(of("press").await.cached_from, None);
    assert_eq!(of("shop").await.cached_from, Some(shop.id));
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_job_shows_how_far_it_is_until_it_ends_and_its_story_tells_nothing_of_that() {
    let running = running(|_, _| {}).await;
    let mut told = running.fleet.subscribe_to_previews();
    let job = running.submit(json!({"do": "picture"})).await;
    assert_eq!(running.fleet.preview(&job).await.unwrap(), None);
    let event = tokio::time::timeout(LONG, told.recv()).await.unwrap().unwrap();
    assert_eq!(event, Event::JobPreview { id: job.id, attempt: 1, number: 1 });
    let preview = running.fleet.preview(&job).await.unwrap().unwrap();
    assert_eq!((preview.content_type.as_str(), preview.tag.as_str()), ("image/jpeg", "1-1"));
    std::fs::write(running.folder.path().join("go"), "").unwrap();
    assert_eq!(running.ended(job.id).await.state, JobState::Finished);
    let story = ["job.queued", "job.started", "job.progressed", "job.finished"];
    assert_eq!(running.names(job.id).await, story);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_dies_within_a_job_is_replaced_and_the_job_ends_once() {
    let running = running(|_, _| {}).await;
    let job = running.run(json!({"do": "die", "text": "second"})).await;
    assert_eq!((job.state, job.attempt), (JobState::Finished, 2));
    assert_eq!((running.image(&job), job.problem.clone()), ("second".into(), None));
    let names = running.names(job.id).await;
    let count = |name| names.iter().filter(|known| **known == name).count();
    assert_eq!((count("job.requeued"), count("job.finished")), (1, 1));

    let requeued = running.event(|event| matches!(event, Event::JobRequeued { .. })).await;
    let Event::JobRequeued { problem, .. } = requeued else { unreachable!() };
    assert!(problem.detail.contains("signal 9"), "{problem}");
    assert_eq!(problem.crash_text.unwrap(), "the stand-in has started\nabout to die");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_job_that_kills_every_worker_fails_with_the_crash_text() {
    let running = running(|config, _| config.attempts = 3).await;
    let job = running.run(json!({"do": "die", "attempts": 99})).await;
    assert_eq!((job.state, job.attempt, job.crashes), (JobState::Failed, 3, 0));
    let problem = job.problem.unwrap();
    assert_eq!(problem.kind, "worker-lost");
    assert!(problem.crash_text.unwrap().ends_with("about to die"));
    assert_eq!(running.run(json!({})).await.state, JobState::Finished);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_job_at_which_two_workers_crash_is_given_to_no_third() {
    let running = running(|_, _| {}).await;
    let job = running.run(json!({"do": "crash", "attempts": 99})).await;
    assert_eq!((job.state, job.attempt, job.crashes), (JobState::Failed, 2, 2));
    let problem = job.problem.unwrap();
    assert_eq!(problem.kind, "poison-job");
    assert!(problem.detail.ends_with("signal 11 (segmentation fault)"), "{problem}");
    assert!(problem.crash_text.unwrap().ends_with("about to crash"));
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_lives_but_does_not_get_on_is_replaced() {
    let running = running(|config, _| config.hang_limit = Duration::from_millis(300)).await;
    let job = running.run(json!({"do": "dawdle"})).await;
    assert_eq!((job.state, job.attempt, job.crashes), (JobState::Finished, 2, 1));
    let lost = running.event(|event| matches!(event, Event::WorkerLost { .. })).await;
    let Event::WorkerLost { problem, .. } = lost else { unreachable!() };
    assert_eq!(problem.kind, "worker-hung");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_job_that_takes_longer_than_it_may_fails_and_the_next_one_runs() {
    let running = running(|_, _| {}).await;
    let mut slow = request("drawing", &json!({"do": "dawdle", "attempts": 99}));
    slow.timeout_seconds = Some(1);
    let job = running.fleet.submit(slow).await.unwrap();
    let job = running.ended(job.id).await;
    assert_eq!((job.state, job.attempt), (JobState::Failed, 1));
    assert_eq!(job.problem.unwrap().kind, "job-too-long");
    assert_eq!(running.run(json!({})).await.state, JobState::Finished);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_has_done_its_share_makes_room_and_no_job_fails() {
    let running = running(|config, _| config.recycling.jobs = Some(3)).await;
    let mut workers = Vec::new();
    for number in 0..9 {
        let job = running.run(json!({"text": number.to_string()})).await;
        assert_eq!((job.state, job.attempt), (JobState::Finished, 1));
        assert_eq!(running.image(&job), number.to_string());
        workers.push(job.worker.unwrap().0);
    }
    workers.dedup();
    assert_eq!(workers, ["worker-1", "worker-2", "worker-3"]);
    let events = running.fleet.events_since(0, None, 1000).await;
    let named = |name| events.iter().filter(|record| record.event.name() == name).count();
    assert!(named("worker.recycled") >= 2);
    assert_eq!(named("worker.lost"), 0);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_has_grown_too_large_makes_room() {
    let running = running(|config, _| config.recycling.resident_bytes = Some(1)).await;
    assert_eq!(running.run(json!({})).await.worker.unwrap().0, "worker-1");
    let recycled = running.event(|event| matches!(event, Event::WorkerRecycled { .. })).await;
    let Event::WorkerRecycled { reason, .. } = recycled else { unreachable!() };
    assert!(reason.ends_with("MiB in memory, and 0 are allowed"), "{reason}");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    let running = running(|config, _| config.most_waiting = 1).await;
    let busy = running.submit(json!({"do": "hang"})).await;
    running.event(started(busy.id)).await;
    running.submit(json!({})).await;
    let problem = running.fleet.submit(request("drawing", &json!({}))).await.unwrap_err();
    assert_eq!((problem.status, problem.kind.as_str()), (429, "queue-full"));
    assert!(problem.retry_after.unwrap() >= 1);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_request_with_a_name_is_a_job_once() {
    let running = running(|_, _| {}).await;
    let send = |text: &str| {
        let request = request("drawing", &json!({ "text": text }));
        running.fleet.submit_once(request, "order 7".into())
    };
    let first = send("a mug").await.unwrap();
    assert_eq!(send("a mug").await.unwrap().id, first.id);
    let problem = send("a lamp").await.unwrap_err();
    assert_eq!((problem.status, problem.kind.as_str()), (422, "idempotency-key-reused"));
    running.fleet.stop().await;
}

#[tokio::test]
async fn an_urgent_job_does_not_wait_behind_others() {
    let running = running(|_, _| {}).await;
    let busy = running.submit(json!({"do": "hang"})).await;
    running.event(started(busy.id)).await;
    let usual = running.submit(json!({})).await;
    let mut urgent = request("drawing", &json!({}));
    urgent.priority = 1;
    let urgent = running.fleet.submit(urgent).await.unwrap();
    running.fleet.cancel(busy.id).await.unwrap();
    let (usual, urgent) = (running.ended(usual.id).await, running.ended(urgent.id).await);
    assert!(urgent.started_at < usual.started_at);
    running.fleet.stop().await;
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_with_its_image() {
    let running = running(|_, _| {}).await;
    let job = running.run(json!({"text": "old"})).await;
    let image = running.fleet.artefact_path(job.artefact.as_ref().unwrap());
    running.fleet.stop().await;

    let Running { mut config, folder, .. } = running;
    config.keep_ended = Duration::ZERO;
    let running = Running { fleet: Fleet::start(config.clone()).await.unwrap(), config, folder };
    running.fleet.stop().await;
    assert!(running.fleet.job(job.id).await.is_none());
    assert!(!image.exists());
}

#[tokio::test]
async fn a_worker_that_is_silent_is_lost() {
    let running = running(|config, _| config.silence_limit = Duration::from_millis(300)).await;
    let job = running.run(json!({"do": "stop"})).await;
    assert_eq!((job.state, job.attempt), (JobState::Finished, 2));
    let lost = running.event(|event| matches!(event, Event::WorkerLost { .. })).await;
    let Event::WorkerLost { problem, .. } = lost else { unreachable!() };
    assert!(problem.detail.starts_with("the worker said nothing for"), "{problem}");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_talks_nonsense_is_lost_and_quoted() {
    let running = running(|_, _| {}).await;
    let job = running.run(json!({"do": "babble"})).await;
    assert_eq!((job.state, job.attempt), (JobState::Finished, 2));
    let lost = running.event(|event| matches!(event, Event::WorkerLost { .. })).await;
    let Event::WorkerLost { problem, .. } = lost else { unreachable!() };
    assert!(problem.detail.contains("`Fra:1 Mem:12.3M`"), "{problem}");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_template_that_raises_fails_the_job_and_keeps_the_worker() {
    let running = running(|_, _| {}).await;
    let job = running.run(json!({"do": "raise"})).await;
    assert_eq!(
        (job.state, job.problem.unwrap().kind),
        (JobState::Failed, "template-raised".into())
    );
    let job = running.run(json!({})).await;
    assert_eq!(job.worker.unwrap().0, "worker-1");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_finishes_without_an_image_fails_the_job() {
    let running = running(|_, _| {}).await;
    let job = running.run(json!({"do": "nothing"})).await;
    assert_eq!((job.state, job.problem.unwrap().kind), (JobState::Failed, "no-artefact".into()));
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_job_that_waits_can_be_cancelled() {
    let running = running(|_, _| {}).await;
    let busy = running.submit(json!({"do": "hang"})).await;
    running.event(started(busy.id)).await;
    let waiting = running.submit(json!({})).await;
    let cancelled = running.fleet.cancel(waiting.id).await.unwrap();
    assert_eq!(cancelled.state, JobState::Cancelled);
    assert_eq!(running.names(waiting.id).await, ["job.queued", "job.cancelled"]);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_job_that_runs_can_be_cancelled_and_the_next_one_runs() {
    let running = running(|_, _| {}).await;
    let job = running.submit(json!({"do": "hang"})).await;
    running.event(started(job.id)).await;
    assert_eq!(running.fleet.cancel(job.id).await.unwrap().state, JobState::Cancelled);
    let next = running.run(json!({})).await;
    assert_eq!((next.state, next.worker.unwrap().0), (JobState::Finished, "worker-2".into()));
    assert_eq!(running.names(job.id).await.last(), Some(&"job.cancelled"));

    let again = running.fleet.cancel(job.id).await.unwrap_err();
    assert_eq!((again.status, again.kind.as_str()), (409, "job-ended"));
    let unknown = running.fleet.cancel(JobId::new(Uuid::from_u128(7))).await.unwrap_err();
    assert_eq!((unknown.status, unknown.kind.as_str()), (404, "unknown-job"));
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused_before_it_is_a_job() {
    let running = running(|_, _| {}).await;
    let problem = running.fleet.submit(request("drawin", &json!({}))).await.unwrap_err();
    assert_eq!(problem.hint.unwrap(), "did you mean `drawing`?");
    let problem = running.fleet.submit(request("drawing", &json!({"txt": 1}))).await.unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/params/txt");
    assert_eq!(running.fleet.jobs(10).await, []);
    running.fleet.stop().await;
}

#[tokio::test]
async fn two_workers_share_the_jobs() {
    let running = running(|config, _| config.workers = 2).await;
    let busy = running.submit(json!({"do": "hang"})).await;
    running.event(started(busy.id)).await;
    assert_eq!(running.run(json!({})).await.state, JobState::Finished);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_blender_that_is_too_old_says_so() {
    let running = running_in_mode("too old").await;
    let problem = running.fleet.submit(request("drawing", &json!({}))).await.unwrap_err();
    assert_eq!((problem.status, problem.kind.as_str()), (503, "no-worker"));
    assert!(problem.detail.contains("this is Blender 3.4.1"), "{problem}");
    let worker = &running.fleet.workers()[0];
    assert_eq!(worker.state, WorkerState::Lost);
    assert_eq!(worker.problem.as_ref().unwrap().kind, "unusable-blender");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_dies_at_start_says_what_it_printed() {
    let running = running_in_mode("dies at start").await;
    let problem = running.fleet.submit(request("drawing", &json!({}))).await.unwrap_err();
    assert!(problem.detail.contains("exit code 7"), "{problem}");
    assert_eq!(problem.crash_text.unwrap(), "the stand-in has started\nno bpy here");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let launch = WorkerLaunch::BpyModule { python: PathBuf::from("/nonexistent/python") };
    let error = Fleet::start(FleetConfig { launch, ..config(folder.path()) }).await.err().unwrap();
    assert_eq!(error.to_string(), "there is no Python `/nonexistent/python`");
    assert!(error.hint().contains("--python"));
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named_and_the_fleet_goes_on() {
    let running = running(|config, folder| {
        let python = folder.join("python");
        std::fs::write(&python, "not a program").unwrap();
        config.launch = WorkerLaunch::BpyModule { python };
    })
    .await;
    let problem = running.fleet.submit(request("drawing", &json!({}))).await.unwrap_err();
    assert!(problem.detail.contains("could not start `"), "{problem}");
    assert!(problem.detail.contains("Permission denied"), "{problem}");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_never_ready_is_lost() {
    let running = running_in_mode("never ready").await;
    let Running { fleet, mut config, folder } = running;
    fleet.stop().await;
    config.start_limit = Duration::from_millis(500);
    let running = Running { fleet: Fleet::start(config.clone()).await.unwrap(), config, folder };
    let lost = running.event(|event| matches!(event, Event::WorkerLost { .. })).await;
    let Event::WorkerLost { problem, .. } = lost else { unreachable!() };
    assert!(problem.detail.starts_with("the worker was not ready after"), "{problem}");
    running.fleet.stop().await;
}

#[tokio::test]
async fn jobs_under_way_are_run_by_the_next_server() {
    let running = running(|_, _| {}).await;
    let job = running.submit(json!({"do": "hang", "text": "later"})).await;
    running.event(started(job.id)).await;
    running.fleet.stop().await;

    assert_eq!(running.fleet.job(job.id).await.unwrap().state, JobState::Queued);
    let Running { config, folder, .. } = running;
    let running = Running { fleet: Fleet::start(config.clone()).await.unwrap(), config, folder };
    let job = running.ended(job.id).await;
    assert_eq!((job.state, job.attempt), (JobState::Finished, 2));
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_stopped_fleet_leaves_no_process_and_no_file_under_way() {
    let running = running(|config, _| config.workers = 2).await;
    let job = running.submit(json!({"do": "hang"})).await;
    running.event(started(job.id)).await;
    let processes: Vec<u32> =
        running.fleet.workers().iter().filter_map(|worker| worker.pid).collect();
    assert_eq!(processes.len(), 2);
    running.fleet.stop().await;
    for process in processes {
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }
    let work = running.config.data_dir.join("work");
    assert_eq!(std::fs::read_dir(work).unwrap().count(), 0);
    assert!(running.folder.path().exists());
}

#[tokio::test]
async fn two_servers_do_not_share_a_data_folder() {
    let running = running(|_, _| {}).await;
    let error = Fleet::start(running.config.clone()).await.err().unwrap();
    assert!(matches!(error, FleetError::DataFolderInUse { .. }), "{error}");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_template_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        FleetConfig { templates: vec!["/nonexistent/mug.py".into()], ..config(folder.path()) };
    let error = Fleet::start(config).await.err().unwrap();
    assert_eq!(error.to_string(), "the template `/nonexistent/mug.py` does not exist");
    assert!(!error.hint().is_empty());
}

#[tokio::test]
async fn the_end_of_the_wait_is_not_the_end_of_the_job() {
    let running = running(|_, _| {}).await;
    let job = running.submit(json!({"do": "hang"})).await;
    running.event(started(job.id)).await;
    let job = running.fleet.wait(job.id, Duration::ZERO).await.unwrap();
    assert_eq!(job.state, JobState::Running);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_fleet_that_is_drained_finishes_what_runs_and_begins_nothing() {
    let running = running(|_, _| {}).await;
    let first = running.submit(json!({"do": "wait"})).await;
    running.event(started(first.id)).await;
    let second = running.submit(json!({})).await;
    let go = async {
        while !running.fleet.is_draining() {
            tokio::task::yield_now().await;
        }
        std::fs::write(running.folder.path().join("go"), "").unwrap();
    };
    tokio::time::timeout(LONG, async { tokio::join!(running.fleet.drain(), go) }).await.unwrap();
    assert_eq!(running.ended(first.id).await.state, JobState::Finished);
    assert_eq!(running.fleet.job(second.id).await.unwrap().state, JobState::Queued);
    running.fleet.undrain();
    assert_eq!(running.ended(second.id).await.state, JobState::Finished);
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_job_is_done_by_a_worker_of_its_pool() {
    let running = running(|config, _| {
        let launch = config.launch.clone();
        let devices = vec!["cuda:1".parse().unwrap()];
        config.pools.push(Pool { name: "gpu".into(), launch, workers: 1, devices });
    })
    .await;
    let named = JobRequest { pool: Some("gpu".into()), ..request("drawing", &json!({})) };
    let job = running.fleet.submit(named).await.unwrap();
    let job = running.ended(job.id).await;
    let usual = running.run(json!({})).await;
    let workers = running.fleet.workers();
    let of = |job: &Job| workers.iter().find(|it| Some(&it.id) == job.worker.as_ref()).unwrap();
    assert_eq!(
        (of(&job).pool.as_deref(), of(&job).device.as_deref()),
        (Some("gpu"), Some("cuda:1"))
    );
    assert_eq!((of(&usual).pool.as_deref(), of(&usual).device.as_deref()), (None, None));

    let unknown = JobRequest { pool: Some("gpus".into()), ..request("drawing", &json!({})) };
    let problem = running.fleet.submit(unknown).await.unwrap_err();
    assert_eq!((problem.status, problem.kind.as_str()), (422, "unknown-pool"));
    assert_eq!(problem.hint.unwrap(), "did you mean `gpu`?");
    running.fleet.stop().await;
}

#[tokio::test]
async fn an_input_is_kept_and_a_request_that_names_another_is_refused() {
    let running = running(|_, _| {}).await;
    let name = running.fleet.put_input(b"pixels".to_vec()).await.unwrap();
    let upload = running.fleet.upload_path();
    std::fs::write(&upload, b"pixels").unwrap();
    assert_eq!(running.fleet.take_input(upload).await.unwrap(), name);
    assert_eq!(running.run(json!({"text": name})).await.state, JobState::Finished);
    let other = format!("input:{}", "0".repeat(64));
    let problem = running.fleet.submit(request("drawing", &json!({"text": other}))).await;
    assert_eq!(problem.unwrap_err().kind, "unknown-input");
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_can_leave_a_cancelled_job_is_not_replaced() {
    let running = running_in_mode("leaves").await;
    let job = running.submit(json!({"do": "wait"})).await;
    running.event(started(job.id)).await;
    running.fleet.cancel(job.id).await.unwrap();
    assert_eq!(running.ended(job.id).await.state, JobState::Cancelled);
    let first = running.fleet.job(job.id).await.unwrap().worker;
    let next = running.run(json!({})).await;
    assert_eq!((next.state, next.worker), (JobState::Finished, first));
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_worker_that_does_not_leave_in_time_is_killed() {
    let running = running_in_mode("leaves").await;
    let job = running.submit(json!({"do": "dawdle"})).await;
    running.event(started(job.id)).await;
    let first = running.fleet.job(job.id).await.unwrap().worker;
    // It answers a word from the supervisor by ending its dawdling, and says nothing of the job.
    running.fleet.cancel(job.id).await.unwrap();
    let next = running.run(json!({})).await;
    assert_eq!(next.state, JobState::Finished);
    assert_ne!(next.worker, first);
    running.fleet.stop().await;
}

fn on_behalf_of(tenant: &str) -> Asker {
    let tenant = json!({"name": tenant});
    let tenant = serde_json::from_value(tenant).unwrap();
    Asker { tenant: Some(tenant), ..Asker::default() }
}

#[tokio::test]
async fn a_worker_that_did_one_tenants_job_is_replaced_before_anothers() {
    let running = running(|_, _| {}).await;
    let mut workers = Vec::new();
    for name in ["acme", "acme", "zeta"] {
        let asker = on_behalf_of(name);
        let job = running.fleet.submit_for(request("drawing", &json!({})), asker).await.unwrap();
        let job = running.ended(job.id).await;
        assert_eq!((job.state, job.tenant.as_deref()), (JobState::Finished, Some(name)));
        workers.push(job.worker.unwrap());
    }
    assert_eq!(workers[0], workers[1]);
    assert_ne!(workers[1], workers[2]);
    let told = running.event(|event| matches!(event, Event::WorkerRecycled { .. })).await;
    let Event::WorkerRecycled { worker, reason } = told else { unreachable!() };
    assert_eq!(
        (worker, reason.as_str()),
        (workers[0].clone(), "it has done another tenant's jobs")
    );
    running.fleet.stop().await;
}

#[tokio::test]
async fn a_template_that_vouches_for_it_serves_all_tenants_with_one_worker() {
    let running = running_in_mode("shared").await;
    let mut workers = Vec::new();
    for name in ["acme", "zeta"] {
        let asker = on_behalf_of(name);
        let job = running.fleet.submit_for(request("drawing", &json!({})), asker).await.unwrap();
        workers.push(running.ended(job.id).await.worker.unwrap());
    }
    assert_eq!(workers[0], workers[1]);
    running.fleet.stop().await;
}
