//! Watches over the workers and applies what `scheduler` and `worker` decide.
//!
//! **Invariant:** one task owns all of this. Everything that happens comes in as an [`Order`].

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
use crate::engine::{Attempt, Blame, Engine, EngineError, GivenBack, Patience, Place};
use crate::lifetime;
use crate::problems;
use crate::scheduler::{self, Assignment, IdleWorker};
use crate::slot::{ImageUnderWay, Occupant, Slot};
use crate::templates::Templates;
use crate::worker::{Effect, Happened, Worker};
use crate::worker_link::LinkEnd;
use crate::worker_process::Ended;

mod end;
mod start;

/// Between two looks for what ended long ago.
const CLEAN_EVERY: Duration = Duration::from_hours(1);

/// What the supervisor is told.
#[derive(Debug)]
pub(crate) enum Order {
    Submitted { place: Place, template: String },
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
    /// The jobs that wait and their templates, in the order in which they come.
    pub(crate) waiting: BTreeMap<Place, String>,
    pub(crate) slots: Vec<Slot>,
    /// Workers started so far.
    pub(crate) started: u64,
    pub(crate) stopping: bool,
    /// When jobs that ended long ago are looked for.
    pub(crate) clean_at: Instant,
}

impl<E: Engine> Supervisor<E> {
    /// Serves until it is told to stop.
    pub(crate) async fn run(mut self) {
        loop {
            self.fill_slots();
            self.assign().await;
            self.board.show_workers(self.describe());
            self.clean_if_due();
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
            Order::Submitted { place, template } => drop(self.waiting.insert(place, template)),
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

    #[tracing::instrument(name = "supervisor", skip_all, fields(job = %place.id, worker = %worker))]
    async fn give(&mut self, Assignment { place, worker }: Assignment) {
        self.waiting.remove(&place);
        self.board.note_start(clock::instant());
        let job = place.id;
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
        let now = clock::instant();
        let limit = job.request.timeout_seconds;
        occupant.image = Some(ImageUnderWay {
            attempt,
            path: path.clone(),
            format,
            priority: job.request.priority,
            progressed: now,
            due: limit.map(|seconds| now + Duration::from_secs(seconds.into())),
        });
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
        self.waiting.retain(|place, _| place.id != id);
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
                    if let Some(image) = &mut occupant.image {
                        image.progressed = clock::instant();
                    }
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
        if next == Worker::Warm {
            // Not a loop: what is spent is warm no more.
            Box::pin(self.recycle_if_spent(worker)).await;
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
        let image = out_of_folder(image, &self.config.work_dir());
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
        let patience = Patience { attempts: self.config.attempts, crashes: self.config.crashes };
        let is_stopping = self.stopping;
        let Some(occupant) = self.occupant(worker) else { return };
        let (problem, blame) = if is_stopping {
            (problems::server_stopped(), Blame::Nobody)
        } else {
            (end::why_it_ended(occupant), end::who_is_to_blame(occupant))
        };
        let template = occupant.template.clone().unwrap_or_default();
        let priority = occupant.image.as_ref().map_or(0, |image| image.priority);
        let place = Place { priority: Reverse(priority), id: attempt.job };
        match self.engine.give_back(attempt, problem, blame, patience).await {
            Ok(GivenBack::Queued) => drop(self.waiting.insert(place, template)),
            Ok(GivenBack::Failed | GivenBack::Refused) => {}
            Err(error) => note_failure(attempt.job, &error),
        }
    }

    /// Lets a worker go that has done its share, now that it has nothing to do.
    async fn recycle_if_spent(&mut self, worker: &WorkerId) {
        let Some(occupant) = self.occupant(worker) else { return };
        let pid = occupant.process.pid();
        let resident_bytes = || lifetime::resident_bytes(pid);
        let over = occupant.lifetime.is_over(occupant.jobs_done, clock::instant(), resident_bytes);
        let Some(reason) = over else { return };
        occupant.is_spent = true;
        tracing::info!(%worker, reason, "the worker is spent");
        self.engine.tell(Event::WorkerRecycled { worker: worker.clone(), reason });
        self.happened(worker, Happened::IsSpent).await;
    }

    fn kill(&mut self, worker: &WorkerId) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.process.kill();
    }

    /// Forgets what ended long ago, beside all else.
    fn clean_if_due(&mut self) {
        if clock::instant() < self.clean_at {
            return;
        }
        self.clean_at = clock::instant() + CLEAN_EVERY;
        let engine = self.engine.clone();
        let artefacts = self.artefacts.clone();
        let kept = self.config.keep_ended;
        self.tasks.spawn(async move { forget_old(&*engine, artefacts, kept).await });
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
        deadlines.min().map_or(self.clean_at, |deadline| deadline.min(self.clean_at))
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

/// Moves a finished image where it outlives its worker, whose folder goes with it.
fn out_of_folder(image: ImageUnderWay, work_dir: &Path) -> ImageUnderWay {
    let Some(name) = image.path.file_name() else { return image };
    let path = work_dir.join(name);
    match std::fs::rename(&image.path, &path) {
        Ok(()) => ImageUnderWay { path, ..image },
        // There is none: that is told when it is to be kept.
        Err(_) => image,
    }
}

async fn keep_image(engine: &impl Engine, artefacts: Artefacts, image: ImageUnderWay) {
    let ImageUnderWay { attempt, path, format, .. } = image;
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

async fn forget_old(engine: &impl Engine, artefacts: Artefacts, kept: Duration) {
    let time = SystemTime::now() - kept;
    let Ok(at) = jiff::Timestamp::try_from(time) else { return };
    let hashes = match engine.forget_before(at).await {
        Ok(hashes) => hashes,
        Err(error) => {
            tracing::warn!(%error, "could not forget jobs that ended long ago");
            return;
        }
    };
    let removing = tokio::task::spawn_blocking(move || {
        for hash in hashes {
            if let Err(error) = artefacts.forget(&hash, time) {
                tracing::warn!(%error, hash, "could not remove an image that nobody needs");
            }
        }
    });
    let _panicked = removing.await;
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
