//! What every engine has to do, tried on each of them: `conformance::suite!(Subject)` in an engine's tests.

use std::time::Duration;

use aiobpy_wire::{
    Artefact, Event, Job, JobId, JobRequest, JobState, NodeDescription, NodeId, Problem, WorkerId,
};
use tokio::time::Instant;

use crate::clock;
use crate::engine::{
    Attempt, Blame, Cancelled, Claim, Engine, GivenBack, Listing, Made, NewBatch, Patience, Report,
    Submitted, SubmittedBatch, Terms, Verdict,
};
use crate::scheduler::IdleWorker;

mod model;

pub(crate) use model::jobs_are_as_the_model_has_them;

/// An engine to try, and what it keeps jobs in.
pub(crate) trait Subject: Sized {
    type Engine: Engine;

    /// So many stories are compared with the model: each takes many a wait for a disk.
    const STORIES: usize;

    async fn open() -> Self;

    fn engine(&self) -> &Self::Engine;

    /// As after a crash of the server: nothing is left but what was kept.
    async fn opened_again(self) -> Self;
}

/// How long a node's silence may last in these tests. No test waits for it.
pub(crate) const LEASE: Duration = Duration::from_mins(1);
pub(crate) const TERMS: Terms = Terms {
    most_waiting: 100,
    key: None,
    tenant: None,
    batch: None,
    traceparent: None,
    made: None,
};
pub(crate) const PATIENCE: Patience = Patience { attempts: 3, crashes: 2 };

/// Makes each case a test of the engine.
macro_rules! suite {
    ($subject:ty) => {
        $crate::conformance::suite!($subject:
            a_submitted_job_is_there_after_a_crash,
            jobs_come_in_the_order_in_which_they_were_submitted,
            jobs_of_higher_priority_come_before_older_ones,
            a_job_goes_to_the_worker_that_has_its_scene,
            a_job_is_given_to_one_worker_only,
            a_node_gets_no_job_whose_template_it_has_not,
            a_finished_job_tells_its_story_in_order,
            progress_never_goes_back_within_an_attempt,
            the_result_of_an_attempt_that_was_given_back_is_refused,
            the_last_attempt_that_is_lost_fails_the_job_with_its_problem,
            a_job_at_which_two_workers_crashed_is_kept_from_the_others,
            a_server_that_stops_costs_no_attempt,
            a_cancelled_job_takes_no_result,
            a_cancelled_job_that_waits_is_given_to_nobody,
            jobs_of_a_node_that_is_not_heard_of_wait_again,
            a_node_that_is_heard_of_keeps_its_jobs,
            a_node_that_starts_again_takes_back_its_own_jobs_only,
            running_jobs_wait_again_after_a_crash_of_the_server,
            what_is_told_has_the_number_that_is_kept,
            who_comes_back_hears_what_was_told_since,
            a_request_that_is_sent_again_gets_the_same_job,
            no_more_jobs_wait_than_may,
            events_without_a_job_have_their_place_among_the_others,
            what_was_made_is_found_by_its_spec,
            a_job_of_what_is_there_has_ended_when_it_is_taken_on,
            what_is_there_takes_no_place_in_the_queue,
            a_job_and_its_events_have_the_trace_of_their_request,
            jobs_are_as_the_model_has_them,
        );
    };
    ($subject:ty: $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::conformance::$case::<$subject>().await;
            }
        )*
    };
}

pub(crate) use suite;

pub(crate) async fn submit(engine: &impl Engine, request: JobRequest) -> Job {
    match engine.submit(request, TERMS).await.unwrap() {
        Submitted::Taken(job) => job,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn idle(worker: &str) -> IdleWorker {
    IdleWorker::fresh(WorkerId(worker.into()))
}

pub(crate) async fn claim(engine: &impl Engine, workers: &[&str]) -> Vec<Claim> {
    let idle = workers.iter().map(|worker| idle(worker)).collect();
    engine.claim(idle).await.unwrap().taken
}

/// The next attempt of the only job that waits.
pub(crate) async fn start(engine: &impl Engine) -> Attempt {
    let claims = claim(engine, &["a/worker-1"]).await;
    let [claim] = claims.as_slice() else { panic!("{claims:?}") };
    Attempt { job: claim.job.id, number: claim.job.attempt }
}

pub(crate) async fn started(engine: &impl Engine) -> Attempt {
    let job = submit(engine, JobRequest::new("mug")).await;
    let attempt = start(engine).await;
    assert_eq!(attempt, Attempt { job: job.id, number: 1 });
    attempt
}

pub(crate) fn lost() -> Problem {
    Problem::new(500, "worker-lost", "The worker was lost", "it was killed by signal 9")
}

pub(crate) fn picture() -> Artefact {
    Artefact { hash: "00".repeat(32), content_type: "image/png".into(), bytes: 1 }
}

pub(crate) fn node(name: &str) -> NodeDescription {
    NodeDescription { id: NodeId(name.into()), ..NodeDescription::default() }
}

pub(crate) async fn job(engine: &impl Engine, id: JobId) -> Job {
    engine.job(id).await.unwrap().unwrap()
}

async fn give_back(engine: &impl Engine, attempt: Attempt, blame: Blame) -> GivenBack {
    engine.give_back(attempt, lost(), blame, PATIENCE).await.unwrap()
}

async fn beat(engine: &impl Engine, name: &str, held: Vec<Attempt>, now: Instant) -> Vec<Verdict> {
    engine.beat(node(name), held, now).await.unwrap()
}

pub(crate) async fn names(engine: &impl Engine, job: JobId) -> Vec<&'static str> {
    let events = engine.events_since(0, Some(job), 100).await.unwrap();
    events.iter().map(|record| record.event.name()).collect()
}

pub(crate) async fn a_submitted_job_is_there_after_a_crash<S: Subject>() {
    let subject = S::open().await;
    let submitted = submit(subject.engine(), JobRequest::new("mug")).await;
    let subject = subject.opened_again().await;
    assert_eq!(job(subject.engine(), submitted.id).await, submitted);
    assert_eq!(start(subject.engine()).await.job, submitted.id);
}

pub(crate) async fn jobs_come_in_the_order_in_which_they_were_submitted<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let mut ids = Vec::new();
    for name in ["mug", "lamp", "chair"] {
        ids.push(submit(engine, JobRequest::new(name)).await.id);
    }
    let newest = engine.jobs(Listing { limit: 2, ..Listing::default() }).await.unwrap();
    assert_eq!(newest.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    for id in ids {
        assert_eq!(claim(engine, &["a/worker-1"]).await[0].job.id, id);
    }
    assert_eq!(claim(engine, &["a/worker-1"]).await, []);
}

pub(crate) async fn jobs_of_higher_priority_come_before_older_ones<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let usual = submit(engine, JobRequest::new("mug")).await;
    let urgent = submit(engine, JobRequest { priority: 10, ..JobRequest::new("mug") }).await;
    let later = submit(engine, JobRequest { priority: -10, ..JobRequest::new("mug") }).await;
    for expected in [urgent, usual, later] {
        assert_eq!(claim(engine, &["a/worker-1"]).await[0].job.id, expected.id);
    }
}

pub(crate) async fn a_job_goes_to_the_worker_that_has_its_scene<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let mug = submit(engine, JobRequest::new("mug")).await;
    let lamp = submit(engine, JobRequest::new("lamp")).await;
    let open = |worker: &str, template: &str| IdleWorker {
        template: Some(template.into()),
        ..idle(worker)
    };
    let workers = vec![open("a/worker-1", "lamp"), open("a/worker-2", "mug")];
    let mut claims = engine.claim(workers).await.unwrap().taken;
    claims.sort_by_key(|claim| claim.worker.clone());
    let pairs: Vec<_> = claims.iter().map(|claim| (claim.job.id, claim.worker.name())).collect();
    assert_eq!(pairs, [(lamp.id, "worker-1"), (mug.id, "worker-2")]);
}

pub(crate) async fn a_job_is_given_to_one_worker_only<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let submitted = submit(engine, JobRequest::new("mug")).await;
    let (first, second) =
        tokio::join!(claim(engine, &["a/worker-1"]), claim(engine, &["a/worker-2"]));
    let claims = [first, second].concat();
    let [claim] = claims.as_slice() else { panic!("{claims:?}") };
    assert_eq!((claim.job.id, claim.job.attempt), (submitted.id, 1));
    assert_eq!(claim.job.worker, Some(claim.worker.clone()));
    let attempt = Attempt { job: submitted.id, number: 1 };
    assert_eq!(engine.finish(attempt, picture().into()).await.unwrap(), Report::Taken);
    assert_eq!(job(engine, submitted.id).await.worker, Some(claim.worker.clone()));
}

pub(crate) async fn a_node_gets_no_job_whose_template_it_has_not<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    submit(engine, JobRequest::new("mug")).await;
    let lamp = submit(engine, JobRequest::new("lamp")).await;
    let serves = Some(std::sync::Arc::new(["lamp".to_owned()].into()));
    let worker = IdleWorker { serves, ..idle("a/worker-1") };
    let claims = engine.claim(vec![worker.clone()]).await.unwrap().taken;
    assert_eq!(claims.iter().map(|claim| claim.job.id).collect::<Vec<_>>(), [lamp.id]);
    assert_eq!(engine.claim(vec![worker]).await.unwrap().taken, []);
}

pub(crate) async fn a_finished_job_tells_its_story_in_order<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let attempt = started(engine).await;
    engine.progress(attempt, 0.5, "Sample 16/32".into());
    assert_eq!(engine.finish(attempt, picture().into()).await.unwrap(), Report::Taken);
    let story = ["job.queued", "job.started", "job.progressed", "job.finished"];
    assert_eq!(names(engine, attempt.job).await, story);
    let job = job(engine, attempt.job).await;
    assert_eq!((job.state, job.artefact), (JobState::Finished, Some(picture())));
    assert!(job.ended_at >= job.started_at);
}

pub(crate) async fn progress_never_goes_back_within_an_attempt<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let attempt = started(engine).await;
    engine.progress(attempt, 0.6, "Sample 6/10".into());
    engine.progress(attempt, 0.2, "Sample 2/10".into());
    engine.finish(attempt, picture().into()).await.unwrap();
    let mut heard = Vec::new();
    for record in engine.events_since(0, Some(attempt.job), 100).await.unwrap() {
        if let Event::JobProgressed { progress, .. } = record.event {
            heard.push(progress);
        }
    }
    assert!(
        !heard.is_empty() && heard.iter().all(|progress| (0.6..0.61).contains(progress)),
        "{heard:?}"
    );
}

pub(crate) async fn the_result_of_an_attempt_that_was_given_back_is_refused<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let first = started(engine).await;
    assert_eq!(give_back(engine, first, Blame::World).await, GivenBack::Queued);
    let second = start(engine).await;
    assert_eq!(second.number, 2);
    assert_eq!(engine.finish(first, picture().into()).await.unwrap(), Report::Refused);
    assert_eq!(give_back(engine, first, Blame::World).await, GivenBack::Refused);
    assert_eq!(engine.finish(second, picture().into()).await.unwrap(), Report::Taken);
    assert_eq!(engine.finish(second, picture().into()).await.unwrap(), Report::Refused);
    let finished = |name: &&&str| **name == "job.finished";
    assert_eq!(names(engine, first.job).await.iter().filter(finished).count(), 1);
}

pub(crate) async fn the_last_attempt_that_is_lost_fails_the_job_with_its_problem<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let attempt = started(engine).await;
    let impatience = Patience { attempts: 1, ..PATIENCE };
    let given_back = engine.give_back(attempt, lost(), Blame::World, impatience).await.unwrap();
    assert_eq!(given_back, GivenBack::Failed);
    let job = job(engine, attempt.job).await;
    assert_eq!((job.state, job.problem), (JobState::Failed, Some(lost())));
}

pub(crate) async fn a_job_at_which_two_workers_crashed_is_kept_from_the_others<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let first = started(engine).await;
    assert_eq!(give_back(engine, first, Blame::Job).await, GivenBack::Queued);
    let second = start(engine).await;
    assert_eq!(give_back(engine, second, Blame::Job).await, GivenBack::Failed);
    let job = job(engine, first.job).await;
    assert_eq!((job.state, job.crashes), (JobState::Failed, 2));
    let problem = job.problem.unwrap();
    assert_eq!(problem.kind, "poison-job");
    assert!(problem.detail.ends_with("it was killed by signal 9"), "{problem}");
    assert_eq!(claim(engine, &["a/worker-3"]).await, []);
}

pub(crate) async fn a_server_that_stops_costs_no_attempt<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let mut attempt = started(engine).await;
    for _ in 0..2 * PATIENCE.attempts {
        assert_eq!(give_back(engine, attempt, Blame::Nobody).await, GivenBack::Queued);
        attempt = start(engine).await;
    }
}

pub(crate) async fn a_cancelled_job_takes_no_result<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let attempt = started(engine).await;
    let mut events = engine.subscribe();
    assert!(matches!(engine.cancel(attempt.job).await.unwrap(), Cancelled::Done(_)));
    let told = loop {
        let event = events.recv().await.unwrap().event;
        if event.is_final() {
            break event;
        }
    };
    assert_eq!(told, Event::JobCancelled { id: attempt.job });
    assert_eq!(beat(engine, "a", vec![attempt], clock::instant()).await, [Verdict::Cancel]);
    assert_eq!(engine.finish(attempt, picture().into()).await.unwrap(), Report::Refused);
    assert!(matches!(engine.cancel(attempt.job).await.unwrap(), Cancelled::AlreadyEnded(_)));
    let nobody = JobId::new(uuid::Uuid::from_u128(7));
    assert_eq!(engine.cancel(nobody).await.unwrap(), Cancelled::NoSuchJob);
}

pub(crate) async fn a_cancelled_job_that_waits_is_given_to_nobody<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let submitted = submit(engine, JobRequest::new("mug")).await;
    engine.cancel(submitted.id).await.unwrap();
    assert_eq!(claim(engine, &["a/worker-1"]).await, []);
}

pub(crate) async fn jobs_of_a_node_that_is_not_heard_of_wait_again<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let now = clock::instant();
    let attempt = started(engine).await;
    assert_eq!(beat(engine, "a", vec![attempt], now).await, [Verdict::Keep]);
    assert_eq!(engine.expire(now + LEASE / 2, PATIENCE).await.unwrap(), 0);
    assert_eq!(engine.expire(now + LEASE + LEASE, PATIENCE).await.unwrap(), 1);
    let waiting = job(engine, attempt.job).await;
    assert_eq!((waiting.state, waiting.attempt), (JobState::Queued, 1));
    assert_eq!(waiting.problem.unwrap().kind, "node-lost");
    assert_eq!(beat(engine, "a", vec![attempt], now + LEASE + LEASE).await, [Verdict::Lost]);
    assert_eq!(engine.finish(attempt, picture().into()).await.unwrap(), Report::Refused);
    assert_eq!(start(engine).await.number, 2);
}

pub(crate) async fn a_node_that_is_heard_of_keeps_its_jobs<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let attempt = started(engine).await;
    let mut now = clock::instant();
    for _ in 0..4 {
        now += LEASE / 2;
        assert_eq!(beat(engine, "a", vec![attempt], now).await, [Verdict::Keep]);
        assert_eq!(engine.expire(now, PATIENCE).await.unwrap(), 0);
    }
    assert_eq!(engine.finish(attempt, picture().into()).await.unwrap(), Report::Taken);
}

pub(crate) async fn a_node_that_starts_again_takes_back_its_own_jobs_only<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let own = submit(engine, JobRequest::new("mug")).await;
    let other = submit(engine, JobRequest::new("mug")).await;
    claim(engine, &["a/worker-1"]).await;
    claim(engine, &["b/worker-1"]).await;
    engine.take_back(NodeId("a".into()), lost()).await.unwrap();
    assert_eq!(job(engine, own.id).await.state, JobState::Queued);
    assert_eq!(job(engine, other.id).await.state, JobState::Running);
}

pub(crate) async fn running_jobs_wait_again_after_a_crash_of_the_server<S: Subject>() {
    let subject = S::open().await;
    let attempt = started(subject.engine()).await;
    let subject = subject.opened_again().await;
    let engine = subject.engine();
    engine.take_back(NodeId("a".into()), lost()).await.unwrap();
    let waiting = job(engine, attempt.job).await;
    assert_eq!((waiting.state, waiting.attempt), (JobState::Queued, 1));
    assert_eq!(engine.finish(attempt, picture().into()).await.unwrap(), Report::Refused);
}

pub(crate) async fn what_is_told_has_the_number_that_is_kept<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let mut subscription = engine.subscribe();
    let job = submit(engine, JobRequest::new("mug")).await;
    let told = subscription.recv().await.unwrap();
    assert_eq!(engine.events_since(0, None, 10).await.unwrap(), std::slice::from_ref(&told));
    assert_eq!(told.event, Event::JobQueued { job: Box::new(job) });
    assert_eq!(engine.events_since(told.sequence, None, 10).await.unwrap(), []);
}

pub(crate) async fn who_comes_back_hears_what_was_told_since<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let attempt = started(engine).await;
    engine.finish(attempt, picture().into()).await.unwrap();
    submit(engine, JobRequest::new("mug")).await;
    let all = engine.events_since(0, None, 100).await.unwrap();
    assert!(all.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    for (index, record) in all.iter().enumerate() {
        let since = engine.events_since(record.sequence, None, 100).await.unwrap();
        assert_eq!(since, all[index + 1..]);
    }
    let first_two = engine.events_since(0, None, 2).await.unwrap();
    assert_eq!(first_two, all[..2]);
}

pub(crate) async fn a_request_that_is_sent_again_gets_the_same_job<S: Subject>() {
    let subject = S::open().await;
    let terms = Terms { key: Some("order 7".into()), ..TERMS };
    let send = async |engine: &S::Engine, template: &str| {
        engine.submit(JobRequest::new(template), terms.clone()).await.unwrap()
    };
    let Submitted::Taken(job) = send(subject.engine(), "mug").await else { panic!("it is new") };
    let subject = subject.opened_again().await;
    assert_eq!(send(subject.engine(), "mug").await, Submitted::Known(job.clone()));
    assert_eq!(send(subject.engine(), "lamp").await, Submitted::KeyOfAnother(job.id));
    assert_eq!(
        subject.engine().jobs(Listing { limit: 10, ..Listing::default() }).await.unwrap().len(),
        1
    );
}

pub(crate) async fn no_more_jobs_wait_than_may<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let terms = Terms { most_waiting: 2, ..TERMS };
    submit(engine, JobRequest::new("mug")).await;
    submit(engine, JobRequest::new("mug")).await;
    let full = engine.submit(JobRequest::new("mug"), terms.clone()).await.unwrap();
    assert_eq!(full, Submitted::Full);
    claim(engine, &["a/worker-1"]).await;
    let taken = engine.submit(JobRequest::new("mug"), terms).await.unwrap();
    assert!(matches!(taken, Submitted::Taken(_)), "one has begun");
}

fn made(spec: &str) -> Made {
    Made { spec: Some(spec.into()), ..picture().into() }
}

pub(crate) async fn what_was_made_is_found_by_its_spec<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let first = started(engine).await;
    assert_eq!(engine.finished_as("one".into()).await.unwrap(), None);
    engine.finish(first, made("one")).await.unwrap();
    let second = started(engine).await;
    engine.finish(second, made("one")).await.unwrap();
    let third = started(engine).await;
    engine.fail(third, lost()).await.unwrap();
    let subject = subject.opened_again().await;
    let found = subject.engine().finished_as("one".into()).await.unwrap().unwrap();
    assert_eq!((found.id, found.artefact), (second.job, Some(picture())));
    assert_eq!(subject.engine().finished_as("two".into()).await.unwrap(), None);
}

pub(crate) async fn a_job_of_what_is_there_has_ended_when_it_is_taken_on<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let first = started(engine).await;
    engine.finish(first, made("one")).await.unwrap();
    let mut found = engine.finished_as("one".into()).await.unwrap().unwrap();
    for _ in 0..2 {
        let terms = Terms { made: Made::of(&found), ..TERMS };
        let taken = engine.submit(JobRequest::new("mug"), terms).await.unwrap();
        let Submitted::Taken(again) = taken else { panic!("{taken:?}") };
        assert_eq!((again.state, again.attempt), (JobState::Finished, 0));
        assert_eq!(
            (again.artefact.as_ref(), again.cached_from),
            (Some(&picture()), Some(first.job))
        );
        assert_eq!(names(engine, again.id).await, ["job.finished"]);
        assert_eq!(job(engine, again.id).await, again);
        found = again;
    }
    assert_eq!(claim(engine, &["a/worker-1"]).await, []);
    let subject = subject.opened_again().await;
    assert_eq!(job(subject.engine(), found.id).await, found);
    assert_eq!(claim(subject.engine(), &["a/worker-1"]).await, []);
}

pub(crate) async fn what_is_there_takes_no_place_in_the_queue<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let request = || JobRequest::new("mug");
    submit(engine, request()).await;
    let full = Terms { most_waiting: 1, ..TERMS };
    let terms = Terms { made: Some(made("one")), ..full.clone() };
    let taken = engine.submit(request(), terms).await.unwrap();
    assert!(matches!(taken, Submitted::Taken(_)), "{taken:?}");
    let batch = |requests| NewBatch { requests, hash: "hash".into() };
    let there = || (request(), Some(made("one")));
    let taken = engine.submit_batch(batch(vec![there(), there()]), full.clone()).await.unwrap();
    let SubmittedBatch::Taken(id) = taken else { panic!("{taken:?}") };
    let found = engine.batch(id).await.unwrap().unwrap();
    assert_eq!((found.state, found.jobs.finished), (JobState::Finished, 2));
    let more = batch(vec![there(), (request(), None)]);
    assert_eq!(engine.submit_batch(more, full).await.unwrap(), SubmittedBatch::Full);
}

pub(crate) async fn a_job_and_its_events_have_the_trace_of_their_request<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let mut heard = engine.subscribe();
    let traceparent = Some(format!("00-{}-{}-01", "4b".repeat(16), "0f".repeat(8)));
    let terms = Terms { traceparent: traceparent.clone(), ..TERMS };
    let taken = engine.submit(JobRequest::new("mug"), terms).await.unwrap();
    let Submitted::Taken(submitted) = taken else { panic!("{taken:?}") };
    let attempt = start(engine).await;
    engine.finish(attempt, picture().into()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(heard.recv().await.unwrap().traceparent, traceparent);
    }
    let other = submit(engine, JobRequest::new("mug")).await;
    let subject = subject.opened_again().await;
    assert_eq!(job(subject.engine(), submitted.id).await.traceparent, traceparent);
    let told = subject.engine().events_since(0, None, 10).await.unwrap();
    let traces: Vec<_> = told.into_iter().map(|record| record.traceparent).collect();
    assert_eq!(traces, [traceparent.clone(), traceparent.clone(), traceparent, None]);
    assert_eq!(job(subject.engine(), other.id).await.traceparent, None);
}

pub(crate) async fn events_without_a_job_have_their_place_among_the_others<S: Subject>() {
    let subject = S::open().await;
    let engine = subject.engine();
    let mut events = engine.subscribe();
    let ready = Event::WorkerReady { worker: WorkerId("a/worker-1".into()) };
    engine.tell(ready.clone());
    let told = events.recv().await.unwrap();
    assert_eq!(told.event, ready);
    submit(engine, JobRequest::new("mug")).await;
    let kept = engine.events_since(0, None, 10).await.unwrap();
    assert_eq!(kept[0], told);
    assert_eq!(kept[1].event.name(), "job.queued");
}
