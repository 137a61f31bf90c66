//! What is the embedded engine's own; the rest is in `conformance`.

use super::*;
use crate::conformance::{self, LEASE, Subject, names, picture, started};

struct Opened {
    queue: Queue,
    folder: tempfile::TempDir,
}

fn opened() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::open(&folder.path().join("queue.db"), LEASE).unwrap();
    Opened { queue, folder }
}

impl Subject for Opened {
    type Engine = Queue;

    const STORIES: usize = 24;

    async fn open() -> Self {
        opened()
    }

    fn engine(&self) -> &Queue {
        &self.queue
    }

    async fn opened_again(self) -> Self {
        drop(self.queue);
        let queue = Queue::open(&self.folder.path().join("queue.db"), LEASE).unwrap();
        Self { queue, folder: self.folder }
    }
}

conformance::suite!(Opened);

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_with_its_events() {
    let opened = opened();
    let queue = &opened.queue;
    let old = started(queue).await;
    queue.finish(old, picture().into()).await.unwrap();
    let same_picture = started(queue).await;
    let running = started(queue).await;
    let later = clock::timestamp() + jiff::SignedDuration::from_secs(1);
    assert_eq!(queue.forget_before(later).await.unwrap(), [picture().hash]);
    assert_eq!(queue.job(old.job).await.unwrap(), None);
    assert_eq!(names(queue, old.job).await, [""; 0]);
    assert!(queue.job(running.job).await.unwrap().is_some());

    queue.finish(same_picture, picture().into()).await.unwrap();
    queue.finish(running, picture().into()).await.unwrap();
    let between = queue.job(running.job).await.unwrap().unwrap().ended_at.unwrap();
    assert_eq!(queue.forget_before(between).await.unwrap(), [""; 0]);
    assert!(queue.job(running.job).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_forgotten_answers_nobody() {
    let opened = opened();
    let queue = &opened.queue;
    let made = Made { spec: Some("one".into()), ..picture().into() };
    queue.finish(started(queue).await, made).await.unwrap();
    assert!(queue.finished_as("one".into()).await.unwrap().is_some());
    let later = clock::timestamp() + jiff::SignedDuration::from_secs(1);
    queue.forget_before(later).await.unwrap();
    assert_eq!(queue.finished_as("one".into()).await.unwrap(), None);
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
    let queue = Queue::open(&path, LEASE).unwrap();
    let jobs = queue.jobs(Listing { limit: 10, ..Listing::default() }).await.unwrap();
    assert_eq!((jobs.len(), jobs[0].request.priority, jobs[0].crashes), (1, 0, 0));
    drop(queue);
    assert!(Queue::open(&path, LEASE).is_ok(), "and is not changed again");
}
