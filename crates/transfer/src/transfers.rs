//! The thread that transfers run on, and what it says.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::Answered;
use crate::client::Clients;
use crate::download::{self, Download, Downloaded};
use crate::failure::Failure;
use crate::fetch::{self, Fetch};
use crate::files;
use crate::progress::Progress;
use crate::upload::{self, Upload};

/// Names a transfer, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransferId(pub u64);

/// What the thread says.
#[derive(Debug)]
pub enum Event {
    /// A transfer has come further: look at its [`Progress`].
    Progress(TransferId),
    /// A transfer has ended; its files are closed. Nothing more comes from it.
    Done(TransferId, Result<Outcome, Failure>),
}

/// What a transfer ends with.
#[derive(Debug)]
pub enum Outcome {
    Downloaded(Downloaded),
    Answered(Answered),
    /// In hexadecimal digits.
    Digest(String),
    Bytes(Vec<u8>),
}

/// Where events go. Called on the thread of the transfers; must not wait.
pub type Door = Arc<dyn Fn(Event) + Send + Sync>;

/// One thread with all transfers that run on it, and helpers for what may block.
pub struct Transfers {
    handle: Handle,
    door: Door,
    clients: Arc<Clients>,
    next_id: AtomicU64,
    tasks: TaskTracker,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    process: u32,
}

/// A transfer under way. Dropping it does not end it.
#[derive(Debug)]
pub struct Transfer {
    pub id: TransferId,
    pub progress: Arc<Progress>,
    cancel: CancellationToken,
}

impl Transfer {
    /// Stops it soon, in good order: its [`Event::Done`] comes when it has stopped.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

/// What every transfer works with.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) clients: Arc<Clients>,
    pub(crate) progress: Arc<Progress>,
    blocking: TaskTracker,
}

impl Job {
    /// Runs what may block on a helper. Once begun it runs to its end, and the transfer's end waits
    /// for that, though nobody waits for the result any more.
    pub(crate) fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Blocking<T> {
        Blocking(self.blocking.spawn_blocking(work))
    }
}

/// The result of what may block, later.
pub(crate) struct Blocking<T>(tokio::task::JoinHandle<T>);

impl<T> Blocking<T> {
    pub(crate) async fn join(self) -> T {
        self.0.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
    }

    pub(crate) fn poll_join(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<T> {
        use std::pin::Pin;
        Pin::new(&mut self.0)
            .poll(context)
            .map(|result| result.unwrap_or_else(|error| resume_unwind(error.into_panic())))
    }
}

/// How long a write or a name look-up under way may delay the end: they cannot be stopped.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(200);

impl Transfers {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, if no thread or no poll instance can be had.
    pub fn start(door: Door) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("aiobpy-disk")
            .max_blocking_threads(32)
            .thread_keep_alive(Duration::from_secs(5))
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("aiobpy-transfer".to_owned())
            .spawn(move || run(runtime, stopped))?;
        Ok(Self {
            handle,
            door,
            clients: Arc::default(),
            next_id: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            thread: Some((stop, thread)),
            process: std::process::id(),
        })
    }

    /// With `reports`, [`Event::Progress`] comes now and then.
    pub fn download(&self, order: Download, reports: bool) -> Transfer {
        self.begin(reports, async move |job| {
            download::download(&job, order).await.map(Outcome::Downloaded)
        })
    }

    pub fn upload(&self, order: Upload, reports: bool) -> Transfer {
        self.begin(reports, async move |job| {
            upload::upload(&job, order).await.map(Outcome::Answered)
        })
    }

    pub fn fetch(&self, order: Fetch) -> Transfer {
        self.begin(false, async move |job| fetch::fetch(&job, order).await.map(Outcome::Answered))
    }

    /// By the name of an algorithm.
    pub fn hash_file(
        &self,
        path: std::path::PathBuf,
        algorithm: String,
        reports: bool,
    ) -> Transfer {
        self.begin(reports, async move |job| {
            files::hash(&job, path, &algorithm).await.map(Outcome::Digest)
        })
    }

    pub fn read_file(&self, path: std::path::PathBuf, limit: Option<u64>) -> Transfer {
        self.begin(false, async move |job| files::read(&job, path, limit).await.map(Outcome::Bytes))
    }

    /// Gives memory back on a helper: for a large piece that takes a while.
    pub fn discard(&self, bytes: Vec<u8>) {
        drop(self.handle.spawn_blocking(move || drop(bytes)));
    }

    fn begin<Work, Ending>(&self, reports: bool, work: Work) -> Transfer
    where
        Work: FnOnce(Job) -> Ending,
        Ending: Future<Output = Result<Outcome, Failure>> + Send + 'static,
    {
        let id = TransferId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let door = self.door.clone();
        let progress = Arc::new(Progress::new(id, reports.then(|| door.clone())));
        let cancel = CancellationToken::new();
        let (cancelled, blocking) = (cancel.clone(), TaskTracker::new());
        let job = Job {
            clients: Arc::clone(&self.clients),
            progress: Arc::clone(&progress),
            blocking: blocking.clone(),
        };
        let ending = work(job);
        let whole = async move {
            let result = tokio::select! {
                biased;
                () = cancelled.cancelled() => Err(Failure::Cancelled),
                result = ending => result,
            };
            blocking.close();
            blocking.wait().await;
            door(Event::Done(id, result));
        };
        self.tasks.spawn_on(whole, &self.handle);
        Transfer { id, progress, cancel }
    }
}

fn run(runtime: Runtime, stopped: oneshot::Receiver<()>) {
    // An error means that the sender is gone, which is a stop as well.
    let _stopped_or_dropped = runtime.block_on(stopped);
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
}

impl Drop for Transfers {
    /// Drops every transfer, closes what they hold and waits for the thread to end.
    fn drop(&mut self) {
        let Some((stop, thread)) = self.thread.take() else { return };
        drop(stop);
        // After a `fork` the child has our memory and none of our threads.
        if std::process::id() == self.process && thread.join().is_err() {
            tracing::error!("the thread of the transfers panicked");
        }
    }
}

impl fmt::Debug for Transfers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transfers").finish_non_exhaustive()
    }
}
