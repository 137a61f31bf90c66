//! How a slot gets an occupant.

use std::fs;
use std::io;

use aiobpy_wire::{ToWorker, WorkerId};
use tokio::time::timeout;

use crate::clock;
use crate::engine::Engine;
use crate::last_lines::AtJob;
use crate::lifetime::{self, Lifetime};
use crate::pool::Berth;
use crate::problems;
use crate::slot::Occupant;
use crate::specs::Recipes;
use crate::supervisor::end::LINK_LIMIT;
use crate::supervisor::{Order, Supervisor, post};
use crate::worker::Worker;
use crate::worker_link::{LinkEnd, LinkHalves, WorkerLink, receive_all, send_all};
use crate::worker_process::{Running, WorkerProcess};

impl<E: Engine> Supervisor<E> {
    /// Starts a worker in every empty slot that is due.
    pub(super) fn fill_slots(&mut self) {
        let now = clock::instant();
        for place in 0..self.slots.len() {
            if self.slots[place].occupant.is_some() || self.slots[place].start_at > now {
                continue;
            }
            self.started += 1;
            let id = self.node.worker(&format!("worker-{}", self.started));
            let berth = self.slots[place].berth.clone();
            match self.start_worker(&id, &berth) {
                Ok(occupant) => self.slots[place].occupant = Some(occupant),
                Err(error) => {
                    tracing::error!(worker = %id, %error, "could not start a worker");
                    let problem = problems::worker_not_started(start_failure(&berth, &error));
                    self.slots[place].could_not_start(now, id, problem);
                }
            }
        }
    }

    fn start_worker(&self, id: &WorkerId, berth: &Berth) -> io::Result<Occupant> {
        let folder = self.config.work_dir().join(id.name());
        fs::create_dir_all(&folder)?;
        let (link, halves, workers_end) = WorkerLink::open()?;
        let at = AtJob::default();
        let (process, running) = WorkerProcess::start(berth, workers_end, &folder, at.clone())?;
        link.send(ToWorker::Welcome(self.config.welcome(&folder, berth)));
        self.serve(id, halves, running);
        tracing::info!(worker = %id, pid = process.pid(), "a worker starts");
        Ok(Occupant {
            id: id.clone(),
            worker: Worker::Starting,
            link,
            process,
            folder,
            started: clock::instant(),
            heard: None,
            template: None,
            scene: None,
            pool: berth.pool.clone(),
            tenant: None,
            blender_version: None,
            recipes: Recipes::default(),
            jobs_done: 0,
            at,
            output: None,
            reason: None,
            ended: None,
            blameless: false,
            is_spent: false,
            can_leave: false,
            leave_by: None,
            lifetime: Lifetime::new(self.config.recycling, clock::instant(), lifetime::luck()),
        })
    }

    /// Drives the link of a worker and waits for its end.
    fn serve(&self, id: &WorkerId, halves: LinkHalves, running: Running) {
        let LinkHalves { connecting, sending } = halves;
        let (desk, worker, tasks) = (self.desk.clone(), id.clone(), self.tasks.clone());
        let mut receiving = self.tasks.spawn(async move {
            let say = |message| post(&desk, Order::Said { worker: worker.clone(), message });
            let end = match connecting.connected().await {
                Ok((reading, writing)) => {
                    tasks.spawn(send_all(writing, sending));
                    receive_all(reading, say).await
                }
                Err(_) => LinkEnd::Closed,
            };
            post(&desk, Order::LinkEnded { worker: worker.clone(), end });
        });
        let (desk, worker) = (self.desk.clone(), id.clone());
        self.tasks.spawn(async move {
            let ended = running.ended().await;
            // Its last words come before the news of its end.
            if timeout(LINK_LIMIT, &mut receiving).await.is_err() {
                // It never connected, or it left its end to another process.
                receiving.abort();
            }
            post(&desk, Order::Exited { worker, ended });
        });
    }
}

fn start_failure(berth: &Berth, error: &io::Error) -> String {
    let program = match &berth.launch {
        crate::WorkerLaunch::BpyModule { python } => python,
        crate::WorkerLaunch::Blender { path, .. } => path,
    };
    format!("could not start `{}`: {error}", program.display())
}
