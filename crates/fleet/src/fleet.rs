//! The fleet as others see it.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aiobpy_wire::{
    Event, EventRecord, Job, JobId, JobRequest, Problem, TemplateDescription, WorkerDescription,
};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::artefacts::Artefacts;
use crate::board::{Board, NoTemplates};
use crate::cache;
use crate::engine::{Cancelled, Engine, EngineError, Listing, Submitted, TenantTerms, Terms};
use crate::engines::AnyEngine;
use crate::farewell;
use crate::inputs::Inputs;
use crate::lifetime::resident_bytes;
use crate::node;
use crate::pace::Whose;
use crate::previews::{Preview, Previews};
use crate::slot::Slot;
use crate::specs::Specs;
use crate::supervisor::{Claiming, Order, Reports, Supervisor};
use crate::templates::Templates;
use crate::{
    EngineChoice, FleetConfig, FleetError, Pressure, Tenant, WorkerLaunch, clock, pool, problems,
    travel,
};

/// How long a job waits to be taken on while the first worker starts.
const FIRST_WORKER_LIMIT: Duration = Duration::from_mins(1);

/// How long somebody who reads events waits for an engine that is away.
const ENGINE_LIMIT: Duration = Duration::from_mins(1);
const ENGINE_PAUSE: Duration = Duration::from_millis(500);

/// Warm Blenders and the queue in front of them. A clone is another handle on the same fleet.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

/// On whose behalf jobs are asked for, and under which name.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// Names the request: sent again, as after a lost answer, it gets the same job.
    pub key: Option<String>,
    /// `None` for whoever runs the fleet.
    pub tenant: Option<Tenant>,
    /// The place of the request in a W3C trace (`traceparent`).
    pub traceparent: Option<String>,
}

impl Asker {
    /// # Errors
    /// The priority is higher than the tenant's jobs may have.
    pub(crate) fn may_ask(&self, request: &JobRequest) -> Result<(), Problem> {
        match &self.tenant {
            Some(tenant) if request.priority > tenant.highest_priority => {
                Err(problems::priority_too_high(&tenant.name, tenant.highest_priority))
            }
            _ => Ok(()),
        }
    }

    /// The same whenever the same is asked for by the same.
    fn whose(&self, request: &JobRequest) -> Whose {
        let mut hasher = DefaultHasher::new();
        let tenant = self.tenant.as_ref().map(|tenant| &tenant.name);
        (tenant, &self.key, serde_json::to_vec(request).unwrap_or_default()).hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn terms(&self, most_waiting: usize) -> Terms {
        let tenant = self.tenant.as_ref().map(|tenant| TenantTerms {
            name: tenant.name.clone(),
            most_waiting: tenant.most_waiting.unwrap_or(most_waiting),
        });
        let (key, traceparent) = (self.key.clone(), self.traceparent.clone());
        Terms { most_waiting, key, tenant, traceparent, batch: None, made: None }
    }
}

struct Inner {
    engine: Arc<AnyEngine>,
    is_draining: AtomicBool,
    /// The names of the pools that this node has workers of.
    pools: Vec<String>,
    /// Whether it has workers in no pool of a name.
    has_usual: bool,
    artefacts: Artefacts,
    inputs: Inputs,
    /// `None` where all is made anew each time.
    specs: Option<Specs>,
    board: Arc<Board>,
    previews: Arc<Previews>,
    desk: mpsc::UnboundedSender<Order>,
    tasks: TaskTracker,
    most_waiting: usize,
    work_dir: PathBuf,
    has_workers: bool,
    /// Held as long as the data folder is ours.
    lock: File,
}

impl Fleet {
    /// Opens the queue, takes back the jobs that were running, and starts the workers without
    /// waiting for them.
    pub async fn start(config: FleetConfig) -> Result<Self, FleetError> {
        let config = checked(config)?;
        let lock = take_data_folder(&config)?;
        let engine = Arc::new(AnyEngine::open(&config).await?);
        let artefacts = Artefacts::open(config.data_dir.join("objects"))
            .map_err(|source| FleetError::DataFolder { path: config.data_dir.clone(), source })?;
        let inputs = Inputs::open(config.inputs_dir(), config.work_dir())
            .map_err(|source| FleetError::DataFolder { path: config.data_dir.clone(), source })?;
        let node = node::id(&config)?;
        // It has just started: none of its jobs can be running.
        let taken_back = engine.take_back(node.clone(), problems::server_stopped()).await;
        taken_back.map_err(|cause| FleetError::ReadQueue { cause: cause.to_string() })?;

        let (most_waiting, work_dir) = (config.most_waiting, config.work_dir());
        let pools = config.pools.iter().map(|pool| pool.name.clone()).collect();
        let has_usual = config.workers > 0;
        let has_workers = has_usual || config.pools.iter().any(|pool| pool.workers > 0);
        let (desk, orders) = mpsc::unbounded_channel();
        let (board, tasks) = (Arc::new(Board::default()), TaskTracker::new());
        let previews = Previews::new(tasks.clone());
        engine.share_previews(&node, &previews);
        let now = clock::instant();
        let specs = config.cache.then(|| Specs::new(&config.roots));
        let supervisor = Supervisor {
            engine: engine.clone(),
            artefacts: artefacts.clone(),
            inputs: inputs.clone(),
            specs: specs.clone(),
            board: board.clone(),
            previews: previews.clone(),
            orders,
            desk: desk.clone(),
            tasks: tasks.clone(),
            node,
            events: engine.subscribe(),
            claiming: Claiming::new(),
            reports: Reports::new(engine.clone()),
            beat_at: now,
            slots: pool::berths(&config).into_iter().map(|berth| Slot::new(berth, now)).collect(),
            config,
            started: 0,
            stopping: false,
            is_draining: false,
            clean_at: now,
        };
        tasks.spawn(supervisor.run());
        let inner = Inner {
            engine,
            is_draining: AtomicBool::new(false),
            pools,
            has_usual,
            artefacts,
            inputs,
            specs,
            board,
            previews,
            desk,
            tasks,
            most_waiting,
            work_dir,
            has_workers,
            lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Stops the workers; the jobs that they were at go back to the queue.
    pub async fn stop(&self) {
        // A supervisor that has stopped needs not be told.
        let _ = self.inner.desk.send(Order::Stop);
        farewell::to(&self.inner.tasks, "what serves the workers").await;
        self.inner.engine.close().await;
        if let Err(error) = self.inner.lock.unlock() {
            tracing::warn!(%error, "could not unlock the data folder");
        }
    }

    /// Begins nothing more, and returns once all that is under way has ended. Jobs are still taken on: they
    /// wait for another node, or for [`Fleet::undrain`].
    pub async fn drain(&self) {
        self.inner.is_draining.store(true, Ordering::Relaxed);
        let _ = self.inner.desk.send(Order::Drain(true));
        self.inner.board.drained().await;
    }

    /// Begins jobs again.
    pub fn undrain(&self) {
        self.inner.is_draining.store(false, Ordering::Relaxed);
        let _ = self.inner.desk.send(Order::Drain(false));
    }

    /// Lets a worker of this node make room for a fresh one, once it has done what it is at.
    ///
    /// # Errors
    ///
    /// 404 where this node has no such worker.
    pub fn recycle(&self, worker: &str) -> Result<(), Problem> {
        let workers = self.inner.board.notice().workers;
        let found = workers.into_iter().find(|known| known.id.0 == worker);
        let Some(found) = found else { return Err(problems::no_such_worker(worker)) };
        // A supervisor that is gone has ended its workers.
        let _ = self.inner.desk.send(Order::Recycle(found.id));
        Ok(())
    }

    /// Whether nothing more is begun.
    pub fn is_draining(&self) -> bool {
        self.inner.is_draining.load(Ordering::Relaxed)
    }

    /// Takes a job on. Once this returns, the job outlives a crash of anything but the disk.
    ///
    /// # Errors
    ///
    /// 422 where the request does not fit a template, 429 where too many jobs wait, 500 where the template is broken, 503 where no
    /// worker could be started or the queue cannot be written.
    pub async fn submit(&self, request: JobRequest) -> Result<Job, Problem> {
        self.submit_for(request, Asker::default()).await
    }

    /// As [`Fleet::submit`], of a request that has a name: sent again, as after a lost answer, it gets
    /// the same job.
    ///
    /// # Errors
    ///
    /// As [`Fleet::submit`], and 422 where the name is that of another request.
    pub async fn submit_once(&self, request: JobRequest, key: String) -> Result<Job, Problem> {
        self.submit_for(request, Asker { key: Some(key), ..Asker::default() }).await
    }

    /// As [`Fleet::submit`], on somebody's behalf.
    ///
    /// # Errors
    ///
    /// As [`Fleet::submit_once`]; 403 where the priority is too high for the tenant, and 429 where
    /// too many of the tenant's jobs wait.
    pub async fn submit_for(&self, request: JobRequest, asker: Asker) -> Result<Job, Problem> {
        let request = self.checked(request, &asker).await?;
        let most_waiting = self.inner.most_waiting;
        let made = self.made_before(&request, &asker).await;
        let kept = self.inner.board.kept_from(|| asker.whose(&request));
        let terms = Terms { made, ..asker.terms(most_waiting.saturating_sub(kept.unwrap_or(0))) };
        let whose = asker.whose(&request);
        let submitted = self.inner.engine.submit(request, terms).await;
        match submitted.map_err(|error| problems::queue_failed(&error))? {
            Submitted::Taken(job) | Submitted::Known(job) => Ok(job),
            Submitted::KeyOfAnother(id) => Err(problems::key_of_another(id)),
            Submitted::Full => {
                let board = &self.inner.board;
                let retry_after = match kept {
                    Some(_) => board.promise_a_place(whose),
                    None => board.promise_the_next_place(whose),
                };
                Err(problems::queue_full(most_waiting, retry_after))
            }
            Submitted::TenantFull => Err(self.is_full_for(&asker, 1)),
        }
    }

    pub async fn job(&self, id: JobId) -> Option<Job> {
        known(self.inner.engine.job(id).await).flatten()
    }

    /// A job, if there is one.
    ///
    /// # Errors
    ///
    /// 503 where that cannot be told now.
    pub async fn look_up(&self, id: JobId) -> Result<Option<Job>, Problem> {
        self.inner.engine.job(id).await.map_err(|error| problems::queue_failed(&error))
    }

    /// The newest jobs, newest first.
    pub async fn jobs(&self, limit: usize) -> Vec<Job> {
        self.jobs_of(None, limit).await
    }

    /// The newest jobs, newest first; of a tenant, if one is named.
    pub async fn jobs_of(&self, tenant: Option<String>, limit: usize) -> Vec<Job> {
        let listing = Listing { tenant, limit, ..Listing::default() };
        known(self.inner.engine.jobs(listing).await).unwrap_or_default()
    }

    /// Cancels a job. A worker that is at it leaves it within the frame where its Blender can; else it is
    /// killed and replaced.
    ///
    /// # Errors
    ///
    /// 404 where there is no such job, 409 where it has ended.
    pub async fn cancel(&self, id: JobId) -> Result<Job, Problem> {
        match self.inner.engine.cancel(id).await.map_err(|e| problems::queue_failed(&e))? {
            Cancelled::NoSuchJob => Err(problems::no_such_job(id)),
            Cancelled::AlreadyEnded(job) => Err(problems::already_ended(id, job.state)),
            Cancelled::Done(job) => Ok(job),
        }
    }

    /// The job as soon as nothing more will happen to it, or as it is at the time-out.
    pub async fn wait(&self, id: JobId, limit: Duration) -> Option<Job> {
        // Subscribed before the first look, so that no end falls between.
        let mut events = self.subscribe();
        if self.job(id).await?.state.is_final() {
            return self.job(id).await;
        }
        // At the time-out it is what it is.
        let _ = timeout(limit, self.until_it_ends(id, &mut events)).await;
        self.job(id).await
    }

    /// The newest picture of a job that is under way, from the node that it is on; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// 503 where that cannot be told now.
    pub async fn preview(&self, job: &Job) -> Result<Option<Arc<Preview>>, Problem> {
        if let Some(preview) = self.inner.previews.newest(job.id).await {
            return Ok(Some(preview));
        }
        let Some(worker) = &job.worker else { return Ok(None) };
        let asking = self.inner.engine.preview_elsewhere(worker, job.id).await;
        let preview = asking.map_err(|error| problems::queue_failed(&error))?;
        Ok(preview.map(Arc::new))
    }

    /// What is told of newer pictures from now on: a [`Event::JobPreview`] each. Nothing of that is kept.
    pub fn subscribe_to_previews(&self) -> broadcast::Receiver<Event> {
        self.inner.previews.subscribe()
    }

    /// What was told last of a job's pictures, for who was not there.
    pub fn last_preview(&self, job: JobId) -> Option<Event> {
        self.inner.previews.told_last(job)
    }

    /// Keeps a file that jobs are to use, and returns its name: the value of their parameter.
    ///
    /// # Errors
    ///
    /// 503 where it cannot be written.
    pub async fn put_input(&self, bytes: Vec<u8>) -> Result<String, Problem> {
        let inputs = self.inner.inputs.clone();
        let kept = tokio::task::spawn_blocking(move || inputs.put(&bytes)).await;
        kept.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| problems::input_unkept(&error))
    }

    /// As [`Fleet::put_input`], of a file at [`Fleet::upload_path`], which is moved.
    ///
    /// # Errors
    ///
    /// 503 where it cannot be moved.
    pub async fn take_input(&self, file: PathBuf) -> Result<String, Problem> {
        let inputs = self.inner.inputs.clone();
        let kept = tokio::task::spawn_blocking(move || inputs.take(&file)).await;
        kept.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| problems::input_unkept(&error))
    }

    /// Where a file may be written that is to become an input.
    pub fn upload_path(&self) -> PathBuf {
        self.inner.inputs.new_path()
    }

    /// Where an input's bytes are, if it is known; using it keeps it.
    pub fn input_path(&self, name: &str) -> Option<PathBuf> {
        self.inner.inputs.find(name)
    }

    /// The workers of all nodes, one for each that was asked for. One that is lost says why until its
    /// replacement is there.
    pub fn workers(&self) -> Vec<WorkerDescription> {
        let mut workers = self.inner.board.notice().workers;
        for worker in &mut workers {
            worker.resident_bytes = worker.pid.and_then(resident_bytes);
        }
        let elsewhere = self.inner.engine.neighbours().into_iter();
        workers.extend(elsewhere.flat_map(|node| node.workers));
        workers
    }

    /// Whether there is room for another job.
    pub fn pressure(&self) -> Pressure {
        self.inner.board.pressure()
    }

    /// The jobs that have not ended.
    pub async fn live_jobs(&self) -> Vec<Job> {
        let listing = Listing { live: true, limit: usize::MAX, ..Listing::default() };
        known(self.inner.engine.jobs(listing).await).unwrap_or_default()
    }

    /// The templates as the worker that got ready last has them, and those that only other nodes have;
    /// empty until one is ready.
    pub fn templates(&self) -> Vec<TemplateDescription> {
        let mut templates = self.inner.board.templates_now();
        for template in self.inner.engine.neighbours().into_iter().flat_map(|it| it.templates) {
            if !templates.iter().any(|known| known.name == template.name) {
                templates.push(template);
            }
        }
        templates
    }

    /// The templates, as soon as a worker is ready.
    ///
    /// # Errors
    ///
    /// 503 where no worker could be started.
    pub async fn templates_when_ready(&self) -> Result<Vec<TemplateDescription>, Problem> {
        if self.inner.has_workers {
            self.loaded_templates().await?;
            return Ok(self.templates());
        }
        let deadline = clock::instant() + FIRST_WORKER_LIMIT;
        loop {
            let templates = self.templates();
            if !templates.is_empty() {
                return Ok(templates);
            }
            if clock::instant() >= deadline {
                return Err(problems::no_worker_ready(None));
            }
            sleep(ENGINE_PAUSE).await;
        }
    }

    /// What happened after `sequence`, oldest first, at most `limit`; of one job, if one is named.
    pub async fn events_since(
        &self,
        sequence: u64,
        job: Option<JobId>,
        limit: usize,
    ) -> Vec<EventRecord> {
        let deadline = clock::instant() + ENGINE_LIMIT;
        loop {
            let answer = self.inner.engine.events_since(sequence, job, limit).await;
            // Who reads on is not to take an engine that is away for one with nothing more to tell.
            if matches!(answer, Err(EngineError::Away { .. })) && clock::instant() < deadline {
                sleep(ENGINE_PAUSE).await;
                continue;
            }
            return known(answer).unwrap_or_default();
        }
    }

    /// What happens from now on. A reader that lags finds what it missed with
    /// [`Fleet::events_since`].
    pub fn subscribe(&self) -> broadcast::Receiver<EventRecord> {
        self.inner.engine.subscribe()
    }

    /// A request that the fleet can do, as its jobs are to have it: all that it names is there.
    ///
    /// # Errors
    ///
    /// It does not fit, its priority is too high, or what it names is not there.
    pub(crate) async fn checked(
        &self,
        request: JobRequest,
        asker: &Asker,
    ) -> Result<JobRequest, Problem> {
        asker.may_ask(&request)?;
        let mut request = self.check(request).await?;
        request.pool = self.pool_for(request.pool)?;
        let sending = travel::send(&*self.inner.engine, &self.inner.inputs, &request.params);
        sending.await.map_err(|error| problems::queue_failed(&error))?;
        self.inner.inputs.check(&request)?;
        Ok(request)
    }

    pub(crate) fn engine(&self) -> &AnyEngine {
        &self.inner.engine
    }

    pub(crate) fn board(&self) -> &Board {
        &self.inner.board
    }

    pub(crate) fn specs(&self) -> Option<&Specs> {
        self.inner.specs.as_ref()
    }

    pub(crate) fn artefacts(&self) -> &Artefacts {
        &self.inner.artefacts
    }

    /// Where an artefact may be while it is fetched.
    pub(crate) fn new_part(&self) -> PathBuf {
        cache::new_part(&self.inner.work_dir)
    }

    /// How many jobs may wait.
    pub fn most_waiting(&self) -> usize {
        self.inner.most_waiting
    }

    pub(crate) fn is_full_for(&self, asker: &Asker, places: usize) -> Problem {
        let retry_after = self.inner.board.seconds_to(places);
        let Some(tenant) = &asker.tenant else {
            return problems::queue_full(self.inner.most_waiting, retry_after);
        };
        let most = tenant.most_waiting.unwrap_or(self.inner.most_waiting);
        problems::tenant_full(&tenant.name, most, retry_after)
    }

    /// Whether some node has the template, and the request fits it.
    pub(crate) async fn check(&self, request: JobRequest) -> Result<JobRequest, Problem> {
        let name = request.template.clone();
        let is_asked_for = |template: &TemplateDescription| template.name == name;
        let own = self.inner.board.notice().templates;
        if let Some(own) = &own
            && own.descriptions().iter().any(is_asked_for)
        {
            return own.check(request);
        }
        let mut elsewhere = self.inner.engine.neighbours().into_iter().flat_map(|it| it.templates);
        if let Some(template) = elsewhere.find(is_asked_for) {
            return Templates::new(vec![template]).check(request);
        }
        match own {
            None if self.inner.has_workers => self.loaded_templates().await?.check(request),
            None => Templates::new(self.templates_when_ready().await?).check(request),
            Some(_) => Templates::new(self.templates()).check(request),
        }
    }

    /// The pool that does the job: `None` is that of the usual workers, if there are any.
    fn pool_for(&self, asked: Option<String>) -> Result<Option<String>, Problem> {
        let pools = &self.inner.pools;
        let Some(asked) = asked else {
            return Ok(if self.inner.has_usual { None } else { pools.first().cloned() });
        };
        let elsewhere = self.inner.engine.neighbours().into_iter().flat_map(|node| node.workers);
        let known: BTreeSet<String> =
            elsewhere.filter_map(|worker| worker.pool).chain(pools.iter().cloned()).collect();
        if known.contains(&asked) {
            return Ok(Some(asked));
        }
        Err(problems::unknown_pool(&asked, known.iter().map(String::as_str)))
    }

    pub(crate) async fn loaded_templates(&self) -> Result<Arc<Templates>, Problem> {
        match timeout(FIRST_WORKER_LIMIT, self.inner.board.templates()).await {
            Ok(Ok(templates)) => Ok(templates),
            Ok(Err(NoTemplates(reason))) => Err(problems::no_worker_ready(Some(reason))),
            Err(_) => Err(problems::no_worker_ready(None)),
        }
    }

    async fn until_it_ends(&self, id: JobId, events: &mut broadcast::Receiver<EventRecord>) {
        loop {
            match events.recv().await {
                Ok(record) if record.event.job_id() == Some(id) && record.event.is_final() => {
                    return;
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return,
                Err(RecvError::Lagged(_)) => {
                    if self.job(id).await.is_none_or(|job| job.state.is_final()) {
                        return;
                    }
                }
            }
        }
    }
}

fn checked(mut config: FleetConfig) -> Result<FleetConfig, FleetError> {
    // Where there are other nodes, one may only take jobs on and hand pictures out.
    let has_workers = config.workers > 0 || config.pools.iter().any(|pool| pool.workers > 0);
    if !has_workers && config.engine == EngineChoice::Embedded {
        return Err(FleetError::NoWorkers);
    }
    // A worker may have another working folder.
    config.data_dir = std::path::absolute(&config.data_dir)
        .map_err(|source| FleetError::DataFolder { path: config.data_dir.clone(), source })?;
    for path in &mut config.templates {
        *path = fs::canonicalize(&*path)
            .map_err(|_| FleetError::NoSuchTemplate { path: path.clone() })?;
    }
    for path in config.roots.iter_mut().chain(&mut config.trusted) {
        *path = fs::canonicalize(&*path)
            .map_err(|_| FleetError::NoSuchFolder { path: path.clone() })?;
    }
    if config.workers > 0 {
        check_launch(&config.launch)?;
    }
    for (number, pool) in config.pools.iter().enumerate() {
        check_launch(&pool.launch)?;
        if config.pools[..number].iter().any(|other| other.name == pool.name) {
            return Err(FleetError::TwoPools { name: pool.name.clone() });
        }
    }
    Ok(config)
}

fn check_launch(launch: &WorkerLaunch) -> Result<(), FleetError> {
    match launch {
        WorkerLaunch::Blender { path, .. } if !is_program(path) => {
            Err(FleetError::NoSuchBlender { path: path.clone() })
        }
        WorkerLaunch::BpyModule { python } if !is_program(python) => {
            Err(FleetError::NoSuchPython { path: python.clone() })
        }
        _ => Ok(()),
    }
}

/// A name without a folder is looked for by the system.
fn is_program(path: &Path) -> bool {
    path.components().count() == 1 || path.is_file()
}

/// Makes the data folder ours, and removes what workers of an earlier server left there.
fn take_data_folder(config: &FleetConfig) -> Result<File, FleetError> {
    let failed = |source| FleetError::DataFolder { path: config.data_dir.clone(), source };
    fs::create_dir_all(&config.data_dir).map_err(failed)?;
    let lock = File::create(config.data_dir.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(FleetError::DataFolderInUse { path: config.data_dir.clone() });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    empty(&config.work_dir()).map_err(failed)?;
    Ok(lock)
}

fn empty(folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

/// What the queue answered; a queue that cannot be read knows nothing.
pub(crate) fn known<T>(answer: Result<T, EngineError>) -> Option<T> {
    answer.inspect_err(|error| tracing::error!(%error, "could not read the queue")).ok()
}
