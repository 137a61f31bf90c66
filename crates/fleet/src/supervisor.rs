//! Watches over the workers and applies what `scheduler` and `worker` decide.
//!
//! **Invariant:** one task owns all of this. Everything that happens comes in as an [`Order`].

use std::collections::BTreeMap;
use std::sync::Arc;

use aiobpy_wire::{
    Event, FromWorker, ImageFormat, Job, JobId, ToWorker, WorkerDescription, WorkerId,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use crate::artefacts::Artefacts;
use crate::board::Board;
use crate::clock;
use crate::config::FleetConfig;
use crate::engine::{Attempt, Engine, EngineError, GivenBack};
use crate::problems;
use crate::scheduler::{self, Assignment, IdleWorker};
use crate::slot::{ImageUnderWay, Occupant, Slot};
use crate::templates::Templates;
use crate::worker::{Effect, Happened, Worker};
use crate::worker_link::LinkEnd;
use crate::worker_process::Ended;

mod end;
mod start;

/// What the supervisor is told.
#[derive(Debug)]
pub(crate) enum Order {
    Submitted { id: JobId, template: String },
    Cancelled(JobId),
    Said { worker: WorkerId, message: FromWorker },
    LinkEnded { worker: WorkerId, end: LinkEnd },
    Exited { worker: WorkerId, ended: Ended },
    Stop,
}

pub(crate) struct Supervisor<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) config: FleetConfig,
    pub(crate) artefacts: Artefacts,
    pub(crate) board: Arc<Board>,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    /// Where the tasks that serve a worker report.
    pub(crate) desk: mpsc::UnboundedSender<Order>,
    pub(crate) tasks: TaskTracker,
    /// The jobs that wait and their templates, oldest first.
    pub(crate) waiting: BTreeMap<JobId, String>,
    pub(crate) slots: Vec<Slot>,
    /// Workers started so far.
    pub(crate) started: u64,
    pub(crate) stopping: bool,
}

impl<E: Engine> Supervisor<E> {
    /// Serves until it is told to stop.
    pub(crate) async fn run(mut self) {
        loop {
            self.fill_slots();
            self.assign().await;
            self.board.show_workers(self.describe());
            let deadline = self.next_deadline();
            let order = tokio::select! {
                order = self.orders.recv() => order,
                () = sleep_until(deadline) => {
                    self.look_for_silence().await;
                    continue;
                }
            };
            match order {
                None | Some(Order::Stop) => break,
                Some(order) => self.carry_out(order).await,
            }
        }
        self.shut_down().await;
        self.board.show_workers(Vec::new());
    }

    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Submitted { id, template } => drop(self.waiting.insert(id, template)),
            Order::Cancelled(id) => self.job_was_cancelled(id).await,
            Order::Said { worker, message } => self.heard(&worker, message).await,
            Order::LinkEnded { worker, end } => self.link_ended(&worker, end).await,
            Order::Exited { worker, ended } => self.exited(&worker, ended).await,
            Order::Stop => {}
        }
    }

    async fn assign(&mut self) {
        let idle = self.idle_workers();
        if self.waiting.is_empty() || idle.is_empty() {
            return;
        }
        for assignment in scheduler::assign(&self.waiting, &idle) {
            self.give(assignment).await;
        }
    }

    #[tracing::instrument(name = "supervisor", skip_all, fields(job = %job, worker = %worker))]
    async fn give(&mut self, Assignment { job, worker }: Assignment) {
        self.waiting.remove(&job);
        match self.engine.start(job, worker.clone()).await {
            Ok(Some(job)) => self.send_start(&worker, job).await,
            // It was cancelled while it waited.
            Ok(None) => {}
            Err(error) => note_failure(job, &error),
        }
    }

    async fn send_start(&mut self, worker: &WorkerId, job: Job) {
        let attempt = Attempt { job: job.id, number: job.attempt };
        let Some(occupant) = self.occupant(worker) else { return };
        let format = job.request.output.format;
        let path = occupant.folder.join(format!("{}-{}.{}", job.id, job.attempt, suffix(format)));
        occupant.image = Some(ImageUnderWay { attempt, path: path.clone(), format });
        occupant.template = Some(job.request.template.clone());
        occupant.link.send(ToWorker::Start {
            id: job.id,
            attempt: job.attempt,
            template: job.request.template,
            params: job.request.params,
            output: job.request.output,
            output_path: path,
        });
        self.happened(worker, Happened::WasGiven(attempt)).await;
    }

    async fn job_was_cancelled(&mut self, id: JobId) {
        self.waiting.remove(&id);
        let Some(occupant) = self.occupants_mut().find(|occupant| occupant.is_at(id)) else {
            return;
        };
        occupant.blameless = true;
        let worker = occupant.id.clone();
        self.happened(&worker, Happened::JobCancelled(id)).await;
    }

    async fn heard(&mut self, worker: &WorkerId, message: FromWorker) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.heard = Some(clock::instant());
        match message {
            FromWorker::Alive => {}
            FromWorker::Ready { blender_version, templates, .. } => {
                occupant.blender_version = Some(blender_version);
                self.board.show_templates(Templates::new(templates));
                self.happened(worker, Happened::SaidReady).await;
            }
            FromWorker::Progressed { id, attempt, progress, message } => {
                let attempt = Attempt { job: id, number: attempt };
                if occupant.worker == Worker::Busy(attempt) {
                    self.engine.progress(attempt, progress, message);
                }
            }
            FromWorker::Finished { id, attempt } => {
                let attempt = Attempt { job: id, number: attempt };
                self.happened(worker, Happened::SaidFinished(attempt)).await;
            }
            FromWorker::Failed { id, attempt, problem } => {
                occupant.reason = Some(problem);
                let attempt = Attempt { job: id, number: attempt };
                self.happened(worker, Happened::SaidFailed(attempt)).await;
            }
            FromWorker::Unusable { problem } => {
                occupant.reason = Some(problem);
                self.happened(worker, Happened::SaidUnusable).await;
            }
        }
    }

    async fn happened(&mut self, worker: &WorkerId, happened: Happened) {
        let Some(occupant) = self.occupant(worker) else { return };
        let (next, effects) = occupant.worker.after(happened);
        tracing::debug!(%worker, ?happened, ?next, "worker");
        occupant.worker = next;
        for effect in effects {
            self.apply(worker, effect).await;
        }
    }

    async fn apply(&mut self, worker: &WorkerId, effect: Effect) {
        match effect {
            Effect::Announce => self.announce(worker),
            Effect::Keep(attempt) => self.keep(worker, attempt),
            Effect::Fail(attempt) => self.fail(worker, attempt).await,
            Effect::GiveBack(attempt) => self.give_back(worker, attempt).await,
            Effect::Kill => self.kill(worker),
            Effect::Replace => self.replace(worker),
        }
    }

    fn announce(&mut self, worker: &WorkerId) {
        tracing::info!(%worker, "the worker is ready");
        self.engine.tell(Event::WorkerReady { worker: worker.clone() });
    }

    /// Stores the image while the worker is at the next one.
    fn keep(&mut self, worker: &WorkerId, attempt: Attempt) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.jobs_done += 1;
        let Some(image) = occupant.image.take().filter(|image| image.attempt == attempt) else {
            return;
        };
        let engine = self.engine.clone();
        let artefacts = self.artefacts.clone();
        self.tasks.spawn(async move { keep_image(&*engine, artefacts, image).await });
    }

    async fn fail(&mut self, worker: &WorkerId, attempt: Attempt) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.jobs_done += 1;
        remove_image(occupant.image.take());
        let Some(problem) = occupant.reason.take() else { return };
        if let Err(error) = self.engine.fail(attempt, problem).await {
            note_failure(attempt.job, &error);
        }
    }

    async fn give_back(&mut self, worker: &WorkerId, attempt: Attempt) {
        let (problem, attempts) = if self.stopping {
            (problems::server_stopped(), u32::MAX)
        } else {
            let Some(occupant) = self.occupant(worker) else { return };
            (end::why_it_ended(occupant), self.config.attempts)
        };
        let template = self.occupant(worker).and_then(|occupant| occupant.template.clone());
        match self.engine.give_back(attempt, problem, attempts).await {
            Ok(GivenBack::Queued) => {
                self.waiting.insert(attempt.job, template.unwrap_or_default());
            }
            Ok(GivenBack::Failed | GivenBack::Refused) => {}
            Err(error) => note_failure(attempt.job, &error),
        }
    }

    fn kill(&mut self, worker: &WorkerId) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.process.kill();
    }

    fn idle_workers(&self) -> Vec<IdleWorker> {
        let idle = self.occupants().filter(|occupant| occupant.worker == Worker::Warm);
        idle.map(|occupant| IdleWorker {
            id: occupant.id.clone(),
            template: occupant.template.clone(),
        })
        .collect()
    }

    fn describe(&self) -> Vec<WorkerDescription> {
        self.slots.iter().filter_map(Slot::describe).collect()
    }

    fn next_deadline(&self) -> Instant {
        let deadlines = self.slots.iter().filter_map(|slot| slot.deadline(&self.config));
        deadlines.min().unwrap_or_else(|| clock::instant() + self.config.silence_limit)
    }

    fn occupants(&self) -> impl Iterator<Item = &Occupant> {
        self.slots.iter().filter_map(|slot| slot.occupant.as_ref())
    }

    fn occupants_mut(&mut self) -> impl Iterator<Item = &mut Occupant> {
        self.slots.iter_mut().filter_map(|slot| slot.occupant.as_mut())
    }

    fn slot(&mut self, worker: &WorkerId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.is_of(worker))
    }

    fn occupant(&mut self, worker: &WorkerId) -> Option<&mut Occupant> {
        self.slot(worker)?.occupant.as_mut()
    }
}

async fn keep_image(engine: &impl Engine, artefacts: Artefacts, image: ImageUnderWay) {
    let ImageUnderWay { attempt, path, format } = image;
    let span = tracing::Span::current();
    let kept = tokio::task::spawn_blocking(move || span.in_scope(|| artefacts.keep(&path, format)));
    let reported = match kept.await {
        Ok(Ok(artefact)) => engine.finish(attempt, artefact).await,
        Ok(Err(error)) => engine.fail(attempt, problems::no_image(error.to_string())).await,
        Err(error) => engine.fail(attempt, problems::no_image(error.to_string())).await,
    };
    if let Err(error) = reported {
        note_failure(attempt.job, &error);
    }
}

/// What a failed attempt has left behind, if anything.
fn remove_image(image: Option<ImageUnderWay>) {
    if let Some(ImageUnderWay { path, .. }) = image
        && let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "could not remove an unfinished image");
    }
}

/// The database cannot be written. The job is as it was there, and is taken back at the next start.
fn note_failure(job: JobId, error: &EngineError) {
    tracing::error!(%job, %error, "could not note what became of a job");
}

fn suffix(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "jpg",
        ImageFormat::Webp => "webp",
    }
}
