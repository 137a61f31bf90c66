//! `aiobpy watch`: how far jobs are, until they have ended.

use std::collections::HashSet;

use aiobpy_wire::{Event, Job, JobId, JobState};
use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::read;
use crate::failure::Failure;
use crate::follow::Follow;
use crate::progress::Progress;
use crate::sys::Interruptions;
use crate::target::Target;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Ids of jobs; all that wait, run or come, until interrupted, if left out.
    #[arg(value_name = "JOB")]
    jobs: Vec<JobId>,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(arguments: Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let interruptions = Interruptions::watch().map_err(Failure::new)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(async {
        let mut progress = Progress::new();
        let watching = async {
            if arguments.jobs.is_empty() {
                watch_all(arguments.target, &mut progress, terminal).await
            } else {
                watch_some(arguments.target, arguments.jobs, &mut progress, terminal).await
            }
        };
        let result = tokio::select! {
            result = watching => result,
            _interrupted_or_deaf = interruptions.next() => Ok(()),
        };
        progress.close();
        result
    })
}

async fn watch_some(
    target: Target,
    jobs: Vec<JobId>,
    progress: &mut Progress,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let mut client = target.client()?;
    let (sender, mut records) = mpsc::unbounded_channel();
    let mut following = JoinSet::new();
    let mut wanted = HashSet::new();
    for id in jobs {
        let answer = client.send(Method::GET, &format!("/api/v1/jobs/{id}"), Bytes::new()).await?;
        let job: Job = serde_json::from_slice(&read(answer).await?).map_err(Failure::new)?;
        progress.add(&job);
        wanted.insert(id);
        let mut follow = Follow::new(target.clone(), format!("/api/v1/jobs/{id}/events"));
        let sender = sender.clone();
        following.spawn(async move {
            while let Some(record) = follow.next().await.transpose() {
                let is_final = record.as_ref().is_ok_and(|record| record.event.is_final());
                if sender.send(record).is_err() || is_final {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut went_wrong = 0_usize;
    while let Some(record) = records.recv().await {
        let record = record?;
        progress.take(&record);
        if let (true, Some(id)) = (record.event.is_final(), record.event.job_id()) {
            wanted.remove(&id);
            let end = match &record.event {
                Event::JobFinished { .. } => "finished",
                Event::JobCancelled { .. } => "cancelled",
                _ => "failed",
            };
            went_wrong += usize::from(end != "finished");
            terminal.say(&format!("{id} {end}"));
        }
    }
    match went_wrong {
        0 => Ok(()),
        1 => Err(Failure::new("a job did not finish")),
        many => Err(Failure::new(format!("{many} jobs did not finish"))),
    }
}

#[derive(Deserialize)]
struct Listed {
    jobs: Vec<Job>,
}

async fn watch_all(
    target: Target,
    progress: &mut Progress,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    // Followed before the list is read, so that no job falls between.
    let mut follow = Follow::new(target.clone(), "/api/v1/events?topics=job".to_owned());
    follow.connect().await?;
    terminal.say("watching; Ctrl-C ends it");
    let mut client = target.client()?;
    let answer = client.send(Method::GET, "/api/v1/jobs?limit=1000", Bytes::new()).await?;
    let listed: Listed = serde_json::from_slice(&read(answer).await?).map_err(Failure::new)?;
    let under_way = |job: &&Job| matches!(job.state, JobState::Queued | JobState::Running);
    for job in listed.jobs.iter().rev().filter(under_way) {
        progress.add(job);
    }
    while let Some(record) = follow.next().await? {
        progress.take(&record);
    }
    Ok(())
}
