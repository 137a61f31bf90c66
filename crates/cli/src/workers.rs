//! `aiobpy workers`: who works.

use aiobpy_wire::{WorkerDescription, WorkerState};
use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::client::read;
use crate::failure::Failure;
use crate::table::table;
use crate::target::Target;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// For programs: what the server says.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Deserialize)]
struct Listed {
    workers: Vec<WorkerDescription>,
}

pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let said = runtime.block_on(async {
        let mut client = arguments.target.client()?;
        read(client.send(Method::GET, "/api/v1/workers", Bytes::new()).await?).await
    })?;
    if arguments.json {
        let value: Value = serde_json::from_slice(&said).map_err(Failure::new)?;
        terminal.say(&serde_json::to_string_pretty(&value).map_err(Failure::new)?);
        return Ok(());
    }
    let listed: Listed = serde_json::from_slice(&said).map_err(Failure::new)?;
    for line in table(&HEADINGS, &listed.workers.iter().map(row).collect::<Vec<_>>()) {
        terminal.say(&line);
    }
    for worker in &listed.workers {
        if let Some(problem) = &worker.problem {
            terminal.say(&format!("\nworker {}: {problem}", worker.id));
        }
    }
    Ok(())
}

const HEADINGS: [&str; 8] = ["WORKER", "STATE", "POOL", "BLENDER", "DEVICE", "PID", "DONE", "JOB"];

fn row(worker: &WorkerDescription) -> [String; 8] {
    let state = match worker.state {
        WorkerState::Starting => "starting",
        WorkerState::Warm => "warm",
        WorkerState::Busy => "busy",
        WorkerState::Lost => "lost",
    };
    [
        worker.id.to_string(),
        state.to_owned(),
        worker.pool.clone().unwrap_or_else(|| "-".to_owned()),
        worker.blender_version.clone().unwrap_or_default(),
        worker.device.clone().unwrap_or_else(|| "cpu".to_owned()),
        worker.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        worker.jobs_done.to_string(),
        worker.job.map(|job| job.to_string()).unwrap_or_default(),
    ]
}
