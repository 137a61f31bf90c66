use aiobpy_wire::JobState;

use super::*;

struct Opened {
    queue: Queue,
    folder: tempfile::TempDir,
}

fn opened() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::open(&folder.path().join("queue.db")).unwrap();
    Opened { queue, folder }
}

impl Opened {
    /// As after a crash of the server: nothing but the files is left.
    fn opened_again(self) -> Self {
        drop(self.queue);
        let queue = Queue::open(&self.folder.path().join("queue.db")).unwrap();
        Self { queue, folder: self.folder }
    }
}

const TERMS: Terms = Terms { most_waiting: 100, key: None };
const PATIENCE: Patience = Patience { attempts: 3, crashes: 2 };

async fn submit(queue: &Queue, request: JobRequest) -> Job {
    match queue.submit(request, TERMS).await.unwrap() {
        Submitted::Taken(job) => job,
        other => panic!("{other:?}"),
    }
}

fn worker() -> WorkerId {
    WorkerId("worker-1".into())
}

fn lost() -> Problem {
    Problem::new(500, "worker-lost", "The worker was lost", "it was killed by signal 9")
}

fn picture() -> Artefact {
    Artefact { hash: "00".repeat(32), content_type: "image/png".into(), bytes: 1 }
}

async fn started(queue: &Queue) -> Attempt {
    let job = submit(queue, JobRequest::new("mug")).await;
    start(queue, job.id).await
}

async fn start(queue: &Queue, id: JobId) -> Attempt {
    let job = queue.start(id, worker()).await.unwrap().unwrap();
    Attempt { job: job.id, number: job.attempt }
}

async fn names(queue: &Queue, job: JobId) -> Vec<&'static str> {
    let events = queue.events_since(0, Some(job), 100).await.unwrap();
    events.iter().map(|record| record.event.name()).collect()
}

#[tokio::test]
async fn a_submitted_job_is_there_after_the_queue_is_opened_again() {
    let opened = opened();
    let job = submit(&opened.queue, JobRequest::new("mug")).await;
    let opened = opened.opened_again();
    assert_eq!(opened.queue.job(job.id).await.unwrap(), Some(job.clone()));
    assert_eq!(opened.queue.waiting().await.unwrap(), [(Place::of(&job), "mug".to_owned())]);
}

#[tokio::test]
async fn jobs_wait_in_the_order_in_which_they_came() {
    let Opened { queue, .. } = &opened();
    let mut ids = Vec::new();
    for name in ["mug", "lamp", "chair"] {
        ids.push(submit(queue, JobRequest::new(name)).await.id);
    }
    let waiting = queue.waiting().await.unwrap();
    assert_eq!(waiting.iter().map(|(place, _)| place.id).collect::<Vec<_>>(), ids);
    let newest = queue.jobs(2).await.unwrap();
    assert_eq!(newest.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
}

#[tokio::test]
async fn a_job_is_started_by_one_worker_only() {
    let Opened { queue, .. } = &opened();
    let job = submit(queue, JobRequest::new("mug")).await;
    let (first, second) =
        tokio::join!(queue.start(job.id, worker()), queue.start(job.id, worker()));
    assert_eq!(first.unwrap().unwrap().attempt, 1);
    assert_eq!(second.unwrap(), None);
}

#[tokio::test]
async fn a_finished_job_tells_its_story_in_order() {
    let Opened { queue, .. } = &opened();
    let attempt = started(queue).await;
    queue.progress(attempt, 0.5, "Sample 16/32".into());
    assert_eq!(queue.finish(attempt, picture()).await.unwrap(), Report::Taken);
    let story = ["job.queued", "job.started", "job.progressed", "job.finished"];
    assert_eq!(names(queue, attempt.job).await, story);
    let job = queue.job(attempt.job).await.unwrap().unwrap();
    assert_eq!((job.state, job.artefact), (JobState::Finished, Some(picture())));
}

#[tokio::test]
async fn the_result_of_an_attempt_that_was_given_back_is_refused() {
    let Opened { queue, .. } = &opened();
    let first = started(queue).await;
    assert_eq!(
        queue.give_back(first, lost(), Blame::World, PATIENCE).await.unwrap(),
        GivenBack::Queued
    );
    let second = start(queue, first.job).await;
    assert_eq!(second.number, 2);
    assert_eq!(queue.finish(first, picture()).await.unwrap(), Report::Refused);
    assert_eq!(queue.finish(second, picture()).await.unwrap(), Report::Taken);
    assert_eq!(queue.finish(second, picture()).await.unwrap(), Report::Refused);
    let finished = |name: &&&str| **name == "job.finished";
    assert_eq!(names(queue, first.job).await.iter().filter(finished).count(), 1);
}

#[tokio::test]
async fn the_last_attempt_that_is_lost_fails_the_job_with_its_problem() {
    let Opened { queue, .. } = &opened();
    let attempt = started(queue).await;
    let impatience = Patience { attempts: 1, ..PATIENCE };
    assert_eq!(
        queue.give_back(attempt, lost(), Blame::World, impatience).await.unwrap(),
        GivenBack::Failed
    );
    let job = queue.job(attempt.job).await.unwrap().unwrap();
    assert_eq!((job.state, job.problem), (JobState::Failed, Some(lost())));
}

#[tokio::test]
async fn a_cancelled_job_takes_no_result() {
    let Opened { queue, .. } = &opened();
    let attempt = started(queue).await;
    assert!(matches!(queue.cancel(attempt.job).await.unwrap(), Cancelled::Done(_)));
    assert_eq!(queue.finish(attempt, picture()).await.unwrap(), Report::Refused);
    assert!(matches!(queue.cancel(attempt.job).await.unwrap(), Cancelled::AlreadyEnded(_)));
}

#[tokio::test]
async fn running_jobs_wait_again_after_a_crash_of_the_server() {
    let opened = opened();
    let attempt = started(&opened.queue).await;
    let Opened { queue, .. } = &opened.opened_again();
    queue.take_back_all(lost()).await.unwrap();
    let job = queue.job(attempt.job).await.unwrap().unwrap();
    assert_eq!((job.state, job.attempt), (JobState::Queued, 1));
    assert_eq!(queue.finish(attempt, picture()).await.unwrap(), Report::Refused);
}

#[tokio::test]
async fn progress_never_goes_back_within_an_attempt() {
    let Opened { queue, .. } = &opened();
    let attempt = started(queue).await;
    queue.progress(attempt, 0.6, "Sample 6/10".into());
    queue.progress(attempt, 0.2, "Sample 2/10".into());
    let mut heard = Vec::new();
    queue.finish(attempt, picture()).await.unwrap();
    for record in queue.events_since(0, Some(attempt.job), 100).await.unwrap() {
        if let Event::JobProgressed { progress, .. } = record.event {
            heard.push(progress);
        }
    }
    assert_eq!(heard, [0.6, 0.6]);
}

#[tokio::test]
async fn what_is_told_has_the_number_that_the_database_has() {
    let Opened { queue, .. } = &opened();
    let mut subscription = queue.subscribe();
    let job = submit(queue, JobRequest::new("mug")).await;
    let told = subscription.recv().await.unwrap();
    assert_eq!(queue.events_since(0, None, 10).await.unwrap(), std::slice::from_ref(&told));
    assert_eq!(told.event, Event::JobQueued { job: Box::new(job) });
    assert_eq!(queue.events_since(told.sequence, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn jobs_of_higher_priority_wait_before_older_ones() {
    let Opened { queue, .. } = &opened();
    let usual = submit(queue, JobRequest::new("mug")).await;
    let urgent = submit(queue, JobRequest { priority: 10, ..JobRequest::new("mug") }).await;
    let later = submit(queue, JobRequest { priority: -10, ..JobRequest::new("mug") }).await;
    let waiting = queue.waiting().await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|(place, _)| place.id).collect();
    assert_eq!(ids, [urgent.id, usual.id, later.id]);
}

#[tokio::test]
async fn a_request_that_is_sent_again_gets_the_same_job() {
    let opened = opened();
    let terms = Terms { key: Some("order 7".into()), ..TERMS };
    let send = async |queue: &Queue, template: &str| {
        queue.submit(JobRequest::new(template), terms.clone()).await.unwrap()
    };
    let Submitted::Taken(job) = send(&opened.queue, "mug").await else { panic!("it is new") };
    let opened = opened.opened_again();
    assert_eq!(send(&opened.queue, "mug").await, Submitted::Known(job.clone()));
    assert_eq!(send(&opened.queue, "lamp").await, Submitted::KeyOfAnother(job.id));
    assert_eq!(opened.queue.jobs(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_more_jobs_wait_than_may() {
    let Opened { queue, .. } = &opened();
    let terms = Terms { most_waiting: 2, key: None };
    let first = submit(queue, JobRequest::new("mug")).await;
    submit(queue, JobRequest::new("mug")).await;
    let full = queue.submit(JobRequest::new("mug"), terms.clone()).await.unwrap();
    assert_eq!(full, Submitted::Full);
    start(queue, first.id).await;
    let taken = queue.submit(JobRequest::new("mug"), terms).await.unwrap();
    assert!(matches!(taken, Submitted::Taken(_)), "one has begun");
}

#[tokio::test]
async fn a_job_at_which_two_workers_crashed_is_kept_from_the_others() {
    let Opened { queue, .. } = &opened();
    let first = started(queue).await;
    let given_back = queue.give_back(first, lost(), Blame::Job, PATIENCE).await.unwrap();
    assert_eq!(given_back, GivenBack::Queued);
    let second = start(queue, first.job).await;
    let given_back = queue.give_back(second, lost(), Blame::Job, PATIENCE).await.unwrap();
    assert_eq!(given_back, GivenBack::Failed);
    let job = queue.job(first.job).await.unwrap().unwrap();
    assert_eq!((job.state, job.crashes), (JobState::Failed, 2));
    let problem = job.problem.unwrap();
    assert_eq!(problem.kind, "poison-job");
    assert!(problem.detail.ends_with("it was killed by signal 9"), "{problem}");
}

#[tokio::test]
async fn a_server_that_stops_costs_no_attempt() {
    let Opened { queue, .. } = &opened();
    let mut attempt = started(queue).await;
    for _ in 0..10 {
        let given_back = queue.give_back(attempt, lost(), Blame::Nobody, PATIENCE).await.unwrap();
        assert_eq!(given_back, GivenBack::Queued);
        attempt = start(queue, attempt.job).await;
    }
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_with_its_events() {
    let Opened { queue, .. } = &opened();
    let old = started(queue).await;
    queue.finish(old, picture()).await.unwrap();
    let same_picture = started(queue).await;
    let running = started(queue).await;
    let later = clock::timestamp() + jiff::SignedDuration::from_secs(1);
    assert_eq!(queue.forget_before(later).await.unwrap(), [picture().hash]);
    assert_eq!(queue.job(old.job).await.unwrap(), None);
    assert_eq!(names(queue, old.job).await, [""; 0]);
    assert!(queue.job(running.job).await.unwrap().is_some());

    queue.finish(same_picture, picture()).await.unwrap();
    queue.finish(running, picture()).await.unwrap();
    let between = queue.job(running.job).await.unwrap().unwrap().ended_at.unwrap();
    assert_eq!(queue.forget_before(between).await.unwrap(), [""; 0]);
    assert!(queue.job(running.job).await.unwrap().is_some());
}

#[tokio::test]
async fn a_queue_of_the_version_before_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "create table job (id text primary key, template text not null, params text not null, \
         output text not null, state text not null, attempt integer not null default 0, \
         progress real not null default 0, message text, worker text, artefact text, \
         problem text, created_at text not null, started_at text, ended_at text) \
         strict, without rowid; \
         insert into job (id, template, params, output, state, created_at) values \
         ('01890000-0000-7000-8000-000000000000', 'mug', '{}', '{}', 'queued', \
         '2026-01-01T00:00:00Z');",
    )
    .unwrap();
    drop(old);
    let queue = Queue::open(&path).unwrap();
    let jobs = queue.jobs(10).await.unwrap();
    assert_eq!((jobs.len(), jobs[0].request.priority, jobs[0].crashes), (1, 0, 0));
    drop(queue);
    assert!(Queue::open(&path).is_ok(), "and is not changed again");
}
