//! The whole hand-over to the Python main thread: of a call and its answer, and of a request to the
//! handler of a site.

use std::sync::Arc;
use std::time::Duration;

use aiobpy_wire::{MainThreadStatus, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::exchange::{Begun, Client, Exchange, Head, exchange};
use crate::limits::Limits;

/// The main thread as the server sees it: a place to leave calls, and what is known without asking.
///
/// Both methods are called on the server's own thread. Neither may wait, nor attach to Python.
pub trait MainThread: Send + Sync + 'static {
    /// Leaves something where the main thread will find it.
    ///
    /// # Errors
    /// The main thread takes nothing now, or never again.
    fn post(&self, work: Work) -> Result<(), Refused>;

    fn status(&self) -> MainThreadStatus;
}

/// What the server leaves for the main thread.
pub enum Work {
    /// Call a method.
    Call(Call),
    /// Have a handler answer a request.
    Exchange(Box<Exchange>),
    /// In the exchange of this number, something has come to be taken, or there is room again.
    News(u64),
}

/// One call of a registered method.
#[derive(Debug)]
pub struct Call {
    pub method: String,
    /// The parameters by name: the text of a JSON object.
    pub params: String,
    pub answer: Answer,
}

/// Why the main thread did not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many wait already.
    QueueFull,
    /// The loop is closed.
    Closed,
}

/// Where the answer to a [`Call`] goes. Dropped without an answer, it tells the client that the
/// server is closing.
#[derive(Debug)]
pub struct Answer {
    sender: oneshot::Sender<Result<String, Problem>>,
    /// Held until the main thread is done with the call, however long ago the client has left.
    _permit: OwnedSemaphorePermit,
}

impl Answer {
    /// Sends the text of a JSON value, or a problem. Nothing happens if nobody waits any more.
    pub fn send(self, answer: Result<String, Problem>) {
        let _nobody_waits = self.sender.send(answer);
    }

    /// Whether nobody waits any more. A call that has not begun by then need not begin.
    pub fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }
}

/// The server's side of the hand-over.
pub(crate) struct Door {
    main_thread: Arc<dyn MainThread>,
    permits: Arc<Semaphore>,
    limit: Duration,
    stopping: CancellationToken,
}

impl Door {
    pub(crate) fn new(
        main_thread: Arc<dyn MainThread>,
        limits: &Limits,
        stopping: CancellationToken,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(limits.calls));
        Self { main_thread, permits, limit: limits.call_time, stopping }
    }

    pub(crate) fn status(&self) -> MainThreadStatus {
        self.main_thread.status()
    }

    /// Has the main thread answer a call, with the text of a JSON value.
    #[tracing::instrument(name = "server/main_thread", skip_all)]
    pub(crate) async fn call(&self, method: String, params: String) -> Result<String, Failure> {
        let (sender, receiver) = oneshot::channel();
        let answer = Answer { sender, _permit: self.permit()? };
        let name = method.clone();
        self.post(Work::Call(Call { method, params, answer }))?;
        self.in_time(name, async {
            match receiver.await {
                Ok(answer) => Ok(answer?),
                Err(_dropped) => Err(Failure::Closing),
            }
        })
        .await
    }

    /// Has a handler on the main thread answer a request, and waits for the answer to begin.
    #[tracing::instrument(name = "server/main_thread", skip_all)]
    pub(crate) async fn begin(
        &self,
        head: Head,
        meanwhile: impl FnOnce(&Client),
    ) -> Result<(Client, Begun), Failure> {
        let name = format!("{} {}", head.method, head.uri.path());
        let (exchange, client) = exchange(head, Arc::clone(&self.main_thread), self.permit()?);
        self.post(Work::Exchange(Box::new(exchange)))?;
        meanwhile(&client);
        let begun = self.in_time(name, async { Ok(client.begun().await) }).await?;
        Ok((client, begun))
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_full| Failure::TooManyCalls)
    }

    fn post(&self, work: Work) -> Result<(), Failure> {
        self.main_thread.post(work).map_err(|refused| match refused {
            Refused::QueueFull => Failure::TooManyCalls,
            Refused::Closed => Failure::Closing,
        })
    }

    async fn in_time<T>(
        &self,
        name: String,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            // An answer that is there counts, though the server stops at the same moment.
            biased;
            answer = tokio::time::timeout(self.limit, answer) => match answer {
                Ok(answer) => answer,
                Err(_elapsed) => Err(Failure::CallTooSlow { method: name, limit: self.limit }),
            },
            // Whoever stops the server may be the main thread itself, which then cannot answer.
            () = self.stopping.cancelled() => Err(Failure::Closing),
        }
    }
}
