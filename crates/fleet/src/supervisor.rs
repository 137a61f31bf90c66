//! Watches over the workers and applies what `scheduler` and `worker` decide.
//!
//! **Invariant:** one task owns all of this. Everything that happens comes in as an [`Order`], or as an event of
//! the engine; nothing here waits for the engine, which may be away.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aiobpy_wire::{
    Event, EventRecord, FromWorker, Job, JobId, NodeId, OutputFormat, ToWorker, WorkerDescription,
    WorkerId,
};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use crate::artefacts::Artefacts;
use crate::board::Board;
use crate::clock;
use crate::config::FleetConfig;
use crate::engine::{Answer, Attempt, Blame, Claim, Claims, Engine, Patience, Verdict};
use crate::inputs::Inputs;
use crate::lifetime;
use crate::previews::Previews;
use crate::problems;
use crate::scheduler::Needs;
use crate::slot::{Occupant, OutputUnderWay, Slot};
use crate::specs::{self, Begun, Specs};
use crate::templates::Templates;
use crate::worker::{Effect, Happened, Worker};
use crate::worker_link::LinkEnd;
use crate::worker_process::Ended;

mod claim;
mod end;
mod made_before;
mod report;
mod start;

pub(crate) use claim::Claiming;
use claim::next_news;
use made_before::BegunJobs;
pub(crate) use report::Reports;

/// Between two looks for what ended long ago.
const CLEAN_EVERY: Duration = Duration::from_hours(1);
/// How long a worker may take to leave an attempt before it is killed: another takes that long to start.
const LEAVE_LIMIT: Duration = Duration::from_secs(3);

/// What the supervisor is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// What there was for the workers that had nothing to do.
    Claimed(Answer<Claims>, BegunJobs),
    /// What is to become of the attempts under way.
    Judged(Vec<(Attempt, Verdict)>),
    Said {
        worker: WorkerId,
        message: FromWorker,
    },
    LinkEnded {
        worker: WorkerId,
        end: LinkEnd,
    },
    Exited {
        worker: WorkerId,
        ended: Ended,
    },
    /// Finish what is under way and begin nothing more; or go on as usual.
    Drain(bool),
    /// Let a worker make room for a fresh one.
    Recycle(WorkerId),
    Stop,
}

pub(crate) struct Supervisor<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) config: FleetConfig,
    pub(crate) artefacts: Artefacts,
    pub(crate) inputs: Inputs,
    /// `None` where all is made anew each time.
    pub(crate) specs: Option<Specs>,
    pub(crate) board: Arc<Board>,
    pub(crate) previews: Arc<Previews>,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    /// Where the tasks that serve a worker report.
    pub(crate) desk: mpsc::UnboundedSender<Order>,
    pub(crate) tasks: TaskTracker,
    pub(crate) node: NodeId,
    /// What happens, here and on other nodes.
    pub(crate) events: broadcast::Receiver<EventRecord>,
    pub(crate) claiming: Claiming,
    pub(crate) reports: Reports<E>,
    /// When the node is to say again that it is there.
    pub(crate) beat_at: Instant,
    pub(crate) slots: Vec<Slot>,
    /// Workers started so far.
    pub(crate) started: u64,
    pub(crate) stopping: bool,
    /// Whether nothing more is begun.
    pub(crate) is_draining: bool,
    /// When jobs that ended long ago are looked for.
    pub(crate) clean_at: Instant,
}

impl<E: Engine> Supervisor<E> {
    /// Serves until it is told to stop.
    pub(crate) async fn run(mut self) {
        loop {
            self.fill_slots();
            self.claim_for_idle();
            self.board.show_workers(self.describe(), self.is_drained());
            self.clean_if_due();
            self.beat_if_due();
            let deadline = self.next_deadline();
            let order = tokio::select! {
                order = self.orders.recv() => order,
                news = next_news(&mut self.events) => {
                    self.noticed(news).await;
                    continue;
                }
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
        self.board.show_workers(Vec::new(), true);
    }

    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Claimed(claims, begun) => self.claimed(claims, begun).await,
            Order::Judged(verdicts) => self.judged(verdicts).await,
            Order::Said { worker, message } => self.heard(&worker, message).await,
            Order::LinkEnded { worker, end } => self.link_ended(&worker, end).await,
            Order::Exited { worker, ended } => self.exited(&worker, ended).await,
            Order::Recycle(worker) => self.recycle_when_free(&worker).await,
            Order::Drain(is_draining) => {
                self.is_draining = is_draining;
                self.claiming.set_due();
            }
            Order::Stop => {}
        }
    }

    #[tracing::instrument(name = "supervisor", skip_all, fields(job = %job.id, %worker, trace = job.traceparent))]
    async fn give(&mut self, Claim { job, worker }: Claim, begun: Option<Begun>) {
        self.send_start(&worker, job, begun).await;
    }

    async fn send_start(&mut self, worker: &WorkerId, job: Job, begun: Option<Begun>) {
        let attempt = Attempt { job: job.id, number: job.attempt };
        let is_there = self.occupant(worker).is_some_and(|it| it.worker == Worker::Warm);
        if self.stopping || !is_there {
            // It left while the job was on its way to it.
            let left = problems::worker_lost("the worker had left", "");
            self.reports.give_back(attempt, left, Blame::Nobody, self.patience());
            return;
        }
        let is_shared = self.board.is_shared(&job.request.template);
        let Some(occupant) = self.occupant(worker) else { return };
        let format = job.request.output.format.unwrap_or(OutputFormat::Png);
        let name = format!("{}-{}.{}", job.id, job.attempt, format.suffix());
        let path = occupant.folder.join(name);
        occupant.at.begin(job.id, job.traceparent.clone());
        let now = clock::instant();
        let limit = job.request.timeout_seconds;
        occupant.output = Some(OutputUnderWay {
            attempt,
            path: path.clone(),
            format,
            begun,
            progressed: now,
            limit,
            due: limit.map(|seconds| now + Duration::from_secs(seconds.into())),
        });
        let needs = Needs::of(&job);
        if !is_shared {
            occupant.tenant = Some(needs.tenant);
        }
        (occupant.template, occupant.scene) = (Some(needs.template), needs.scene);
        occupant.link.send(ToWorker::Start {
            id: job.id,
            attempt: job.attempt,
            template: job.request.template,
            params: job.request.params,
            output: job.request.output,
            output_path: path,
            traceparent: job.traceparent,
        });
        self.happened(worker, Happened::WasGiven(attempt)).await;
    }

    async fn job_was_cancelled(&mut self, id: JobId) {
        let Some(occupant) = self.occupants_mut().find(|occupant| occupant.is_at(id)) else {
            return;
        };
        occupant.blameless = true;
        let worker = occupant.id.clone();
        let happened = if occupant.can_leave {
            Happened::JobTakenBack(id)
        } else {
            Happened::JobCancelled(id)
        };
        self.happened(&worker, happened).await;
    }

    async fn heard(&mut self, worker: &WorkerId, message: FromWorker) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.is_of(worker)) else { return };
        let Some(occupant) = &mut slot.occupant else { return };
        occupant.heard = Some(clock::instant());
        match message {
            FromWorker::Alive => {}
            FromWorker::Ready {
                blender_version: blender,
                python_version: python,
                templates,
                made_of,
                template,
                can_leave,
            } => {
                let device = slot.berth.device.as_ref();
                let recipes = specs::recipes(made_of, &blender, &python, device);
                let pool = slot.berth.pool.clone();
                let Some(occupant) = &mut slot.occupant else { return };
                occupant.recipes = recipes.clone();
                occupant.can_leave = can_leave;
                occupant.blender_version = Some(blender);
                occupant.template = template;
                self.board.show_templates(Templates::new(templates));
                self.board.show_recipes(pool, recipes);
                self.happened(worker, Happened::SaidReady).await;
            }
            FromWorker::Progressed { id, attempt, progress, message } => {
                let attempt = Attempt { job: id, number: attempt };
                if occupant.worker == Worker::Busy(attempt) {
                    if let Some(output) = &mut occupant.output {
                        output.progressed = clock::instant();
                    }
                    self.engine.progress(attempt, progress, message);
                }
            }
            FromWorker::Pictured { id, attempt, picture } => {
                let attempt = Attempt { job: id, number: attempt };
                if occupant.worker == Worker::Busy(attempt) {
                    let folder = occupant.folder.clone();
                    self.previews.show(worker, attempt, picture, folder);
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
            self.apply(worker, effect);
        }
        if next == Worker::Warm {
            self.claiming.set_due();
            // Not a loop: what is spent is warm no more.
            Box::pin(self.recycle_if_spent(worker)).await;
        }
    }

    fn apply(&mut self, worker: &WorkerId, effect: Effect) {
        match effect {
            Effect::Announce => self.announce(worker),
            Effect::Keep(attempt) => self.keep(worker, attempt),
            Effect::Fail(attempt) => self.fail(worker, attempt),
            Effect::GiveBack(attempt) => self.give_back(worker, attempt),
            Effect::TakeBack(attempt) => self.take_back(worker, attempt),
            Effect::Forget => self.forget(worker),
            Effect::Kill => self.kill(worker),
            Effect::Replace => self.replace(worker),
        }
    }

    fn announce(&mut self, worker: &WorkerId) {
        tracing::info!(%worker, "the worker is ready");
        // The other nodes are to know.
        self.beat_at = clock::instant();
        self.engine.tell(Event::WorkerReady { worker: worker.clone() });
    }

    /// Stores the file while the worker is at the next one.
    fn keep(&mut self, worker: &WorkerId, attempt: Attempt) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.jobs_done += 1;
        let Some(output) = occupant.output.take().filter(|output| output.attempt == attempt) else {
            return;
        };
        let output = out_of_folder(output, &self.config.work_dir());
        let (artefacts, specs) = (self.artefacts.clone(), self.specs.clone());
        self.reports.keep(artefacts, output, specs, self.patience());
    }

    fn fail(&mut self, worker: &WorkerId, attempt: Attempt) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.jobs_done += 1;
        remove_unfinished(occupant.output.take());
        let Some(problem) = occupant.reason.take() else { return };
        if self.artefacts.has_room() {
            self.reports.fail(attempt, problem);
        } else {
            // Nobody can tell what the job would have come to.
            self.reports.give_back(attempt, problem, Blame::World, self.patience());
        }
    }

    fn give_back(&mut self, worker: &WorkerId, attempt: Attempt) {
        let (patience, is_stopping) = (self.patience(), self.stopping);
        let Some(occupant) = self.occupant(worker) else { return };
        let (problem, blame) = if is_stopping {
            (problems::server_stopped(), Blame::Nobody)
        } else {
            (end::why_it_ended(occupant), end::who_is_to_blame(occupant))
        };
        self.reports.give_back(attempt, problem, blame, patience);
    }

    fn patience(&self) -> Patience {
        Patience { attempts: self.config.attempts, crashes: self.config.crashes }
    }

    /// Lets a worker go that has done its share, now that it has nothing to do.
    async fn recycle_if_spent(&mut self, worker: &WorkerId) {
        let Some(occupant) = self.occupant(worker) else { return };
        let pid = occupant.process.pid();
        let resident_bytes = || lifetime::resident_bytes(pid);
        let over = occupant.lifetime.is_over(occupant.jobs_done, clock::instant(), resident_bytes);
        if let Some(reason) = over {
            self.recycle(worker, reason).await;
        }
    }

    /// Lets a worker go: now, or once it has done what it is at.
    async fn recycle_when_free(&mut self, worker: &WorkerId) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.lifetime.end();
        self.recycle(worker, "somebody has asked for it".into()).await;
    }

    /// Lets a worker go that has nothing to do.
    async fn recycle(&mut self, worker: &WorkerId, reason: String) {
        let Some(occupant) = self.occupant(worker).filter(|it| it.worker == Worker::Warm) else {
            return;
        };
        occupant.is_spent = true;
        tracing::info!(%worker, reason, "the worker is spent");
        self.engine.tell(Event::WorkerRecycled { worker: worker.clone(), reason });
        self.happened(worker, Happened::IsSpent).await;
    }

    fn take_back(&mut self, worker: &WorkerId, attempt: Attempt) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.leave_by = Some(clock::instant() + LEAVE_LIMIT);
        occupant.link.send(ToWorker::Cancel { id: attempt.job, attempt: attempt.number });
    }

    /// Forgets what came of an attempt that the worker has left: nobody asks for it.
    fn forget(&mut self, worker: &WorkerId) {
        let Some(occupant) = self.occupant(worker) else { return };
        occupant.jobs_done += 1;
        remove_unfinished(occupant.output.take());
        (occupant.reason, occupant.leave_by, occupant.blameless) = (None, None, false);
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
        let inputs = self.inputs.clone();
        let kept = self.config.keep_ended;
        self.tasks.spawn(async move { forget_old(&*engine, artefacts, inputs, kept).await });
    }

    fn describe(&self) -> Vec<WorkerDescription> {
        self.slots.iter().filter_map(Slot::describe).collect()
    }

    fn next_deadline(&self) -> Instant {
        let deadlines = self.slots.iter().filter_map(|slot| slot.deadline(&self.config));
        let others = [self.clean_at, self.beat_at].into_iter().chain(self.claiming.look_at);
        deadlines.chain(others).min().unwrap_or(self.clean_at)
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

/// Moves a finished file where it outlives its worker, whose folder goes with it.
fn out_of_folder(output: OutputUnderWay, work_dir: &Path) -> OutputUnderWay {
    let Some(name) = output.path.file_name() else { return output };
    let path = work_dir.join(name);
    match std::fs::rename(&output.path, &path) {
        Ok(()) => OutputUnderWay { path, ..output },
        // There is none: that is told when it is to be kept.
        Err(_) => output,
    }
}

async fn forget_old(engine: &impl Engine, artefacts: Artefacts, inputs: Inputs, kept: Duration) {
    let time = SystemTime::now() - kept;
    let Ok(at) = jiff::Timestamp::try_from(time) else { return };
    let hashes = match engine.forget_before(at).await {
        Ok(hashes) => hashes,
        Err(error) => {
            tracing::warn!(%error, "could not forget jobs that ended long ago");
            return;
        }
    };
    let is_cache = engine.keeps_artefacts();
    let removing = tokio::task::spawn_blocking(move || {
        if is_cache && let Err(error) = artefacts.forget_older(time) {
            tracing::warn!(%error, "could not remove images that can be fetched again");
        }
        for hash in hashes {
            if let Err(error) = artefacts.forget(&hash, time) {
                tracing::warn!(%error, hash, "could not remove a file that nobody needs");
            }
        }
        if let Err(error) = inputs.forget_before(time) {
            tracing::warn!(%error, "could not remove inputs that nobody has used for long");
        }
    });
    let _panicked = removing.await;
}

/// What a failed attempt has left behind, if anything.
fn remove_unfinished(output: Option<OutputUnderWay>) {
    if let Some(OutputUnderWay { path, .. }) = output
        && let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "could not remove an unfinished file");
    }
}

pub(crate) fn post(desk: &mpsc::UnboundedSender<Order>, order: Order) {
    // A supervisor that is gone has ended its workers.
    let _ = desk.send(order);
}
