use aiobpy_wire::{JobState, OutputRequest};
use serde_json::Map;

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

fn request(template: &str) -> JobRequest {
    JobRequest { template: template.into(), params: Map::new(), output: OutputRequest::default() }
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
    let job = queue.submit(request("mug")).await.unwrap();
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
    let job = opened.queue.submit(request("mug")).await.unwrap();
    let opened = opened.opened_again();
    assert_eq!(opened.queue.job(job.id).await.unwrap(), Some(job.clone()));
    assert_eq!(opened.queue.waiting().await.unwrap(), [(job.id, "mug".to_owned())]);
}

#[tokio::test]
async fn jobs_wait_in_the_order_in_which_they_came() {
    let Opened { queue, .. } = &opened();
    let mut ids = Vec::new();
    for name in ["mug", "lamp", "chair"] {
        ids.push(queue.submit(request(name)).await.unwrap().id);
    }
    let waiting = queue.waiting().await.unwrap();
    assert_eq!(waiting.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    let newest = queue.jobs(2).await.unwrap();
    assert_eq!(newest.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
}

#[tokio::test]
async fn a_job_is_started_by_one_worker_only() {
    let Opened { queue, .. } = &opened();
    let job = queue.submit(request("mug")).await.unwrap();
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
    assert_eq!(queue.give_back(first, lost(), 3).await.unwrap(), GivenBack::Queued);
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
    assert_eq!(queue.give_back(attempt, lost(), 1).await.unwrap(), GivenBack::Failed);
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
    let job = queue.submit(request("mug")).await.unwrap();
    let told = subscription.recv().await.unwrap();
    assert_eq!(queue.events_since(0, None, 10).await.unwrap(), std::slice::from_ref(&told));
    assert_eq!(told.event, Event::JobQueued { job: Box::new(job) });
    assert_eq!(queue.events_since(told.sequence, None, 10).await.unwrap(), []);
}
