//! The engine of several nodes: jobs and events in one stream of NATS `JetStream`.
//!
//! A message of the stream is what a job has become and the event that tells of it, so the two are written
//! together or not at all, and the order of messages is the order of events. The last message of a job is
//! the job. There is no queue of work, and workers acknowledge nothing: every node follows the stream, and who
//! changes a job does so on condition that nobody has meanwhile. Why so is in
//! `docs/decisions/0015-jobs-are-one-stream.md`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{
    Artefact, Batch, BatchId, Event, EventRecord, Job, JobId, JobRequest, JobState,
    NodeDescription, NodeId, Problem,
};
use async_nats::Client;
use async_nats::jetstream::object_store::ObjectStore;
use async_nats::jetstream::{self, Context};
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::instrument;
use uuid::Uuid;

use crate::clock;
use crate::config::NatsConfig;
use crate::engine::{
    Answer, Attempt, Blame, Cancelled, Claim, Claims, Engine, EngineError, GivenBack, Listing,
    Made, NewBatch, Patience, Report, Submitted, SubmittedBatch, Terms, Verdict,
};
use crate::error::FleetError;
use crate::farewell;
use crate::problems;
use crate::rules::{self, Changed};
use crate::scheduler::{Assignment, IdleWorker};

mod batches;
mod blobs;
mod changes;
mod connection;
mod entry;
mod events;
mod follower;
mod journal;
mod names;
mod plan;
mod presence;
mod previews;
mod progress;
mod replica;
mod tellings;

use changes::{Changing, Found, READ_LIMIT, WRITE_LIMIT, Written};
use entry::{Entry, Key};
use journal::Journal;
use names::Names;
use plan::Plan;
use presence::Presence;
use progress::Progress;
use replica::Replica;

/// Events that are kept for a reader that lags before it has to read them from the stream.
const EVENTS_AT_HAND: usize = 4096;
/// How long one answer to a node's question may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// A job that this node is said to be at, and is not, is given back after that: the answer to its claim was
/// lost.
const ORPHAN_AFTER: Duration = Duration::from_secs(20);
/// Before the servers drop what nobody asks for, even if nothing else is asked.
const LEAST_KEPT: Duration = Duration::from_hours(1);

pub(crate) struct NatsEngine {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// What the engine's tasks have in common.
struct Shared {
    client: Client,
    context: Context,
    names: Names,
    store: ObjectStore,
    /// How long what has ended is kept.
    keep: Duration,
    lease: Duration,
    events: broadcast::Sender<EventRecord>,
    // Locked in this order where both are.
    replica: Mutex<Replica>,
    presence: Mutex<Presence>,
    progress: Progress,
    journal: Journal,
    /// Told when something may be missing on the servers.
    janitor: Notify,
    tellings: mpsc::UnboundedSender<Event>,
}

impl NatsEngine {
    /// Connects, makes what is not there yet, and reads what every job is.
    ///
    /// `journal` is the file of what this node has submitted.
    pub(crate) async fn open(
        config: &NatsConfig,
        journal: &Path,
        lease: Duration,
        keep: Duration,
    ) -> Result<Self, FleetError> {
        let keep = keep.max(LEAST_KEPT);
        let names = Names::of(&config.fleet)
            .map_err(|_| FleetError::FleetName { name: config.fleet.clone() })?;
        let (connected, connections) = watch::channel(0);
        let client = connection::connect(config, connected).await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER_LIMIT);
        let store = connection::prepare(&context, &names, keep).await?;
        let (tellings, to_tell) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            client,
            context,
            names,
            store,
            keep,
            lease,
            events: broadcast::channel(EVENTS_AT_HAND).0,
            replica: Mutex::default(),
            presence: Mutex::new(Presence::new(clock::instant())),
            progress: Progress::default(),
            journal: Journal::open(journal, keep)?,
            janitor: Notify::new(),
            tellings,
        });
        let loaded = shared.load().await;
        loaded.map_err(|error| FleetError::EngineSetUp { cause: error.to_string() })?;
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(shared.clone().follow(connections.clone(), stopping.clone()));
        tasks.spawn(follower::note_connections(shared.clone(), connections, stopping.clone()));
        tasks.spawn(shared.clone().hear_nodes(stopping.clone()));
        tasks.spawn(shared.clone().write_progress(stopping.clone()));
        tasks.spawn(shared.clone().mend(stopping.clone()));
        tasks.spawn(shared.clone().tell_all(to_tell, stopping.clone()));
        Ok(Self { shared, tasks, stopping })
    }

    /// Ends what it does by itself; nothing is asked of it after that.
    pub(crate) async fn close(&self) {
        self.stopping.cancel();
        farewell::to(&self.tasks, "what follows the NATS servers").await;
    }

    /// What a claim or a report makes of a job, whoever is to blame.
    async fn report(
        &self,
        attempt: Attempt,
        rule: impl Fn(Job) -> Option<Changed> + Send + Sync,
    ) -> Answer<Report> {
        self.shared.settle_progress(attempt.job).await;
        let changing = self.shared.change(attempt.job, |job| Some((rule(job)?, ()))).await?;
        Ok(match changing {
            Changing::Done(..) => Report::Taken,
            Changing::Refused(_) | Changing::NoSuchJob => Report::Refused,
        })
    }

    /// Gives back what this node is said to be at and is not.
    async fn give_back_orphans(&self, node: &NodeId, held: &[Attempt]) -> Answer<()> {
        let now = clock::instant();
        let orphans: Vec<Attempt> = {
            let replica = self.shared.replica();
            let own = replica.line().running().filter(|(_, worker)| worker.node() == node.0);
            let is_old = |attempt: &Attempt| {
                replica.live(attempt.job).is_some_and(|kept| now >= kept.noted + ORPHAN_AFTER)
            };
            let orphans = own.map(|(attempt, _)| attempt).filter(|it| !held.contains(it));
            orphans.filter(is_old).collect()
        };
        let patience = Patience { attempts: u32::MAX, crashes: u32::MAX };
        for attempt in orphans {
            tracing::warn!(job = %attempt.job, "a claim got lost on its way back; the job waits again");
            let lost = problems::claim_lost();
            self.give_back(attempt, lost, Blame::Nobody, patience).await?;
        }
        Ok(())
    }

    async fn verdict(&self, attempt: Attempt) -> Answer<Verdict> {
        if self.shared.replica().is_under_way(attempt) {
            return Ok(Verdict::Keep);
        }
        let kept = self.shared.fetch(attempt.job, clock::instant() + READ_LIMIT).await?;
        Ok(match kept.map(|kept| kept.job) {
            Some(job) if job.state == JobState::Cancelled => Verdict::Cancel,
            Some(job) if job.state == JobState::Running && job.attempt == attempt.number => {
                Verdict::Keep
            }
            _ => Verdict::Lost,
        })
    }
}

impl Drop for NatsEngine {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl NatsEngine {
    /// So many jobs of each tenant may run at once, as far as this node knows of them.
    pub(crate) fn limit(&self, quotas: HashMap<String, usize>) {
        self.shared.replica().limit(quotas);
    }
}

impl Shared {
    fn replica(&self) -> MutexGuard<'_, Replica> {
        // Nothing that can panic runs under the lock.
        self.replica.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn presence(&self) -> MutexGuard<'_, Presence> {
        // Nothing that can panic runs under the lock.
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self, terms: &Terms) -> bool {
        // What is there already takes no place.
        terms.made.is_none() && !self.has_room(terms, 1)
    }

    /// The id for a request that a client calls by a name, or what is to be answered.
    async fn id_of_key(
        &self,
        key: &str,
        request: &JobRequest,
        terms: &Terms,
        deadline: Instant,
    ) -> Answer<Result<JobId, Submitted>> {
        let subject = self.names.key(key);
        let new = Key {
            write: Uuid::now_v7(),
            job: JobId::new(Uuid::now_v7()),
            request_hash: rules::request_hash(request),
        };
        loop {
            let found: Option<Found<Key>> = self.read_last(subject.clone(), deadline).await?;
            if let Some(Found { value: known, .. }) = found {
                if known.write == new.write {
                    return Ok(Ok(known.job));
                }
                if known.request_hash != new.request_hash {
                    return Ok(Err(Submitted::KeyOfAnother(known.job)));
                }
                return Ok(match self.fetch(known.job, deadline).await? {
                    Some(kept) => Err(Submitted::Known(kept.job)),
                    // Who sent it first came no further.
                    None => Ok(known.job),
                });
            }
            if self.is_full(terms) {
                return Ok(Err(Submitted::Full));
            }
            if let Written::Stored(_) = self.write(subject.clone(), &new, 0, deadline).await? {
                return Ok(Ok(new.job));
            }
        }
    }

    /// Which jobs workers of this node take, and when there may be more.
    fn plan(&self, idle: &[IdleWorker]) -> Plan {
        let now = clock::instant();
        let mut replica = self.replica();
        let others = self.presence().idle_elsewhere(&replica, now, self.lease);
        let left: HashMap<JobId, Instant> = std::mem::take(&mut replica.left_to_others);
        let since = |id: JobId| left.get(&id).copied().unwrap_or(now);
        let plan = plan::plan(&replica.line().claimable(), idle, others, |it| since(it.id), now);
        replica.left_to_others = plan.left.iter().map(|it| (it.id, since(it.id))).collect();
        for assignment in &plan.taken {
            replica.take(assignment.place);
        }
        plan
    }
}

impl Engine for NatsEngine {
    #[instrument(name = "nats", skip_all)]
    async fn submit(&self, request: JobRequest, terms: Terms) -> Answer<Submitted> {
        let deadline = clock::instant() + WRITE_LIMIT;
        let id = match &terms.key {
            Some(key) => match self.shared.id_of_key(key, &request, &terms, deadline).await? {
                Ok(id) => id,
                Err(submitted) => return Ok(submitted),
            },
            None if self.shared.is_full(&terms) => return Ok(Submitted::Full),
            None => JobId::new(Uuid::now_v7()),
        };
        let new = rules::submitted(id, request, &terms, clock::timestamp());
        let job = new.job.clone();
        match self.shared.write_job(id, &Entry::of(new), 0, deadline).await? {
            Written::Stored(_) => {
                if !job.state.is_final() {
                    self.shared.journal.keep(&job);
                }
                Ok(Submitted::Taken(job))
            }
            // Sent twice at the same time, with its name.
            Written::Conflict => match self.shared.fetch(id, deadline).await? {
                Some(kept) => Ok(Submitted::Known(kept.job)),
                None => Err(EngineError::Away { cause: "the job came and went".into() }),
            },
        }
    }

    #[instrument(name = "nats", skip_all)]
    async fn submit_batch(&self, batch: NewBatch, terms: Terms) -> Answer<SubmittedBatch> {
        self.submit_all(batch, terms).await
    }

    #[instrument(name = "nats", skip_all)]
    async fn claim(&self, idle: Vec<IdleWorker>) -> Answer<Claims> {
        let Plan { taken, make_room, look_again, .. } = self.shared.plan(&idle);
        let starting = taken.into_iter().map(|Assignment { place, worker }| async move {
            let now = clock::timestamp();
            let rule = |job| Some((rules::started(job, &worker, now)?, ()));
            let changing = self.shared.change(place.id, rule).await;
            if changing.is_err() {
                self.shared.replica().put_back(place.id);
            }
            (worker, changing)
        });
        let mut claims = Claims { taken: Vec::new(), make_room, look_again };
        let mut failure = None;
        for (worker, changing) in join_all(starting).await {
            match changing {
                Ok(Changing::Done(job, ())) => claims.taken.push(Claim { job, worker }),
                // Somebody was faster: perhaps there is another.
                Ok(_) => claims.look_again = Some(clock::instant()),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if claims.taken.is_empty() => Err(error),
            _ => Ok(claims),
        }
    }

    fn progress(&self, attempt: Attempt, progress: f64, message: String) {
        self.shared.progress.hear(attempt, progress, message);
    }

    #[instrument(name = "nats", skip_all, fields(job = %attempt.job))]
    async fn finish(&self, attempt: Attempt, made: Made) -> Answer<Report> {
        let now = clock::timestamp();
        let rule = |job| rules::finished(job, attempt.number, made.clone(), now);
        self.report(attempt, rule).await
    }

    #[instrument(name = "nats", skip_all, fields(job = %attempt.job))]
    async fn fail(&self, attempt: Attempt, problem: Problem) -> Answer<Report> {
        let now = clock::timestamp();
        let rule = |job| rules::failed(job, attempt.number, problem.clone(), now);
        self.report(attempt, rule).await
    }

    #[instrument(name = "nats", skip_all, fields(job = %attempt.job))]
    async fn give_back(
        &self,
        attempt: Attempt,
        problem: Problem,
        blame: Blame,
        patience: Patience,
    ) -> Answer<GivenBack> {
        let (number, now) = (attempt.number, clock::timestamp());
        self.shared.settle_progress(attempt.job).await;
        let rule = |job| rules::given_back(job, number, &problem, blame, patience, now);
        Ok(match self.shared.change(attempt.job, rule).await? {
            Changing::Done(_, given_back) => given_back,
            Changing::Refused(_) | Changing::NoSuchJob => GivenBack::Refused,
        })
    }

    #[instrument(name = "nats", skip_all, fields(job = %id))]
    async fn cancel(&self, id: JobId) -> Answer<Cancelled> {
        let now = clock::timestamp();
        let rule = |job| Some((rules::cancelled(job, now)?, ()));
        Ok(match self.shared.change(id, rule).await? {
            Changing::Done(job, ()) => Cancelled::Done(job),
            Changing::Refused(job) => Cancelled::AlreadyEnded(job),
            Changing::NoSuchJob => Cancelled::NoSuchJob,
        })
    }

    async fn beat(
        &self,
        node: NodeDescription,
        held: Vec<Attempt>,
        now: Instant,
    ) -> Answer<Vec<Verdict>> {
        self.shared.announce(&node).await;
        let id = node.id.clone();
        self.shared.presence().hear(node, true, now);
        let verdicts = join_all(held.iter().map(|attempt| self.verdict(*attempt))).await;
        self.give_back_orphans(&id, &held).await?;
        verdicts.into_iter().collect()
    }

    async fn expire(&self, now: Instant, patience: Patience) -> Answer<usize> {
        let lease = self.shared.lease;
        let overdue: Vec<_> = {
            let (replica, presence) = (self.shared.replica(), self.shared.presence());
            let running = replica.line().running();
            let overdue = running.filter(|(_, worker)| !presence.is_there(worker, now, lease));
            overdue.map(|(attempt, worker)| (attempt, worker.clone())).collect()
        };
        let mut expired = 0;
        for (attempt, worker) in overdue {
            let problem = problems::node_lost(&worker, lease);
            let given_back = self.give_back(attempt, problem, Blame::World, patience).await?;
            expired += usize::from(given_back != GivenBack::Refused);
        }
        Ok(expired)
    }

    async fn take_back(&self, node: NodeId, problem: Problem) -> Answer<()> {
        let own: Vec<JobId> = {
            let replica = self.shared.replica();
            let running = replica.line().running();
            let own = running.filter(|(_, worker)| worker.node() == node.0);
            own.map(|(attempt, _)| attempt.job).collect()
        };
        for id in own {
            let is_ours = |job: &Job| job.worker.as_ref().is_some_and(|it| it.node() == node.0);
            let rule = |job| Some((rules::taken_back(Some(job).filter(is_ours)?, &problem)?, ()));
            self.shared.change(id, rule).await?;
        }
        Ok(())
    }

    fn neighbours(&self) -> Vec<NodeDescription> {
        self.shared.presence().neighbours(clock::instant(), self.shared.lease)
    }

    async fn put_blob(&self, artefact: Artefact, file: PathBuf) -> Answer<()> {
        self.shared.put(&artefact, &file).await
    }

    async fn get_blob(&self, artefact: Artefact, file: PathBuf) -> Answer<bool> {
        self.shared.get(&artefact, &file).await
    }

    fn keeps_artefacts(&self) -> bool {
        true
    }

    async fn forget_before(&self, _time: Timestamp) -> Answer<Vec<String>> {
        // The servers do that by themselves.
        Ok(Vec::new())
    }

    async fn job(&self, id: JobId) -> Answer<Option<Job>> {
        let known = self.shared.replica().job(id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let kept = self.shared.fetch(id, clock::instant() + READ_LIMIT).await?;
        Ok(kept.map(|kept| kept.job))
    }

    async fn finished_as(&self, spec: String) -> Answer<Option<Job>> {
        let Some(id) = self.shared.replica().finished_as(&spec) else { return Ok(None) };
        // The servers may have forgotten it meanwhile.
        let found = self.shared.fetch(id, clock::instant() + READ_LIMIT).await?;
        let is_it = |job: &Job| job.state == JobState::Finished && job.spec == Some(spec);
        Ok(found.map(|kept| kept.job).filter(is_it))
    }

    async fn jobs(&self, listing: Listing) -> Answer<Vec<Job>> {
        Ok(self.shared.replica().listed(&listing))
    }

    async fn batch(&self, id: BatchId) -> Answer<Option<Batch>> {
        let listing = Listing { batch: Some(id), limit: usize::MAX, ..Listing::default() };
        Ok(batches::of(&self.shared.replica().listed(&listing)).pop())
    }

    async fn batches(&self, tenant: Option<String>, limit: usize) -> Answer<Vec<Batch>> {
        let listing = Listing { tenant, limit: usize::MAX, ..Listing::default() };
        let mut batches = batches::of(&self.shared.replica().listed(&listing));
        batches.truncate(limit);
        Ok(batches)
    }

    async fn events_since(
        &self,
        sequence: u64,
        job: Option<JobId>,
        limit: usize,
    ) -> Answer<Vec<EventRecord>> {
        self.shared.read_events(sequence, job, limit).await
    }

    fn tell(&self, event: Event) {
        if self.shared.tellings.send(event).is_err() {
            tracing::debug!("the engine is closed; nothing more is told");
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<EventRecord> {
        self.shared.events.subscribe()
    }
}

#[cfg(test)]
mod tests;
