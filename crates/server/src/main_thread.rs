//! The whole hand-over to the Python main thread: of a call and its answer, and of a request to the
//! handler of a site.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aiobpy_wire::{MainThreadStatus, Problem};
use http::header::HeaderName;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::clock::Stopwatch;
use crate::error::Failure;
use crate::exchange::{Begun, Client, Exchange, Head, exchange};
use crate::limits::Limits;
use crate::pairing::Claim;
use crate::principal::Principal;
use crate::trace::Trace;

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
    /// Ask a person whether a device may be let in.
    Pairing(Claim),
    /// In the exchange of this number, something has come to be taken, or there is room again.
    News(u64),
    /// Cancel the call of this number, if it still runs: nobody wants its answer any more.
    Cancel(u64),
    /// What a client has answered to the question of this number: see [`Note::Question`].
    Reply { question: u64, answer: Result<String, Problem> },
}

/// One call of a registered method.
#[derive(Debug)]
pub struct Call {
    /// Names the call in [`Work::Cancel`].
    pub number: u64,
    pub method: String,
    /// The text of a JSON object, with the parameters by name, or of an array, in their order.
    pub params: String,
    /// Who asks.
    pub principal: Principal,
    pub trace: Option<Trace>,
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

/// What a method says before it answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The parameters fit, and the method begins.
    Begun,
    /// How far it has come, from 0 to 1 if it knows, and what it does just now.
    Progress { fraction: Option<f64>, text: String },
    /// A message for whoever logs: its level as RFC 5424 names it, and the text of a JSON value.
    Log { level: String, data: String },
    /// A question to the client: a method of the client's, and its parameters as JSON.
    Question { number: u64, method: String, params: String },
}

/// What a call came to, and how long that took.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The text of a JSON value.
    pub(crate) json: String,
    pub(crate) timing: Timing,
}

/// Where the time of a request went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From when it was left for the main thread to when that began with it.
    pub(crate) queue: Duration,
    /// From then to the answer.
    pub(crate) python: Duration,
}

/// <https://www.w3.org/TR/server-timing/>
pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl Timing {
    /// What never began has only waited.
    pub(crate) fn of(queued: Option<Duration>, in_all: Duration) -> Self {
        let queue = queued.unwrap_or(in_all);
        Self { queue, python: in_all.saturating_sub(queue) }
    }
}

/// As the header `Server-Timing` has it: in milliseconds.
impl std::fmt::Display for Timing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // As whole numbers: what is written with each answer is not to cost what floats do.
        let parts = |it: Duration| {
            (it.as_secs() * 1000 + u64::from(it.subsec_millis()), it.subsec_micros() % 1000)
        };
        let ((queue, of_queue), (python, of_python)) = (parts(self.queue), parts(self.python));
        write!(formatter, "queue;dur={queue}.{of_queue:03}, py;dur={python}.{of_python:03}")
    }
}

/// Where the answer to a [`Call`] goes. Dropped without an answer, it tells the client that the
/// server is closing.
#[derive(Debug)]
pub struct Answer {
    sender: oneshot::Sender<(Result<String, Problem>, Timing)>,
    /// `None` if nobody listens before the answer.
    notes: Option<mpsc::Sender<Note>>,
    posted: Stopwatch,
    queued: Option<Duration>,
    /// Held until the main thread is done with the call, however long ago the client has left.
    _permit: OwnedSemaphorePermit,
}

impl Answer {
    /// The main thread begins with the call.
    pub fn begin(&mut self) {
        self.queued = Some(self.posted.elapsed());
    }

    /// Says something before the answer. Whether anybody takes it.
    pub fn note(&self, note: Note) -> bool {
        // Who does not keep up misses what is only said on the way.
        self.notes.as_ref().is_some_and(|notes| notes.try_send(note).is_ok())
    }

    /// Sends the text of a JSON value, or a problem. Nothing happens if nobody waits any more.
    pub fn send(self, answer: Result<String, Problem>) {
        let timing = Timing::of(self.queued, self.posted.elapsed());
        let _nobody_waits = self.sender.send((answer, timing));
    }

    /// Whether nobody waits any more. A call that has not begun by then need not begin.
    pub fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }
}

/// A call that is under way. Dropped before its answer, it is cancelled.
pub(crate) struct Pending {
    main_thread: Arc<dyn MainThread>,
    number: u64,
    /// `None` once it was answered.
    answer: Option<oneshot::Receiver<(Result<String, Problem>, Timing)>>,
    notes: mpsc::Receiver<Note>,
}

/// What comes next from a call.
pub(crate) enum Next {
    Note(Note),
    Answer(Result<Answered, Failure>),
}

impl Pending {
    /// Waits for what comes next. Nothing comes after the answer.
    pub(crate) async fn next(&mut self) -> Option<Next> {
        let answer = self.answer.as_mut()?;
        let next = tokio::select! {
            // What was said before the answer comes before it.
            biased;
            Some(note) = self.notes.recv() => return Some(Next::Note(note)),
            answer = answer => opened(answer),
        };
        self.answer = None;
        Some(Next::Answer(next))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.answer.is_some() {
            // A loop that is closed has cancelled its tasks.
            let _closed = self.main_thread.post(Work::Cancel(self.number));
        }
    }
}

fn opened(
    answer: Result<(Result<String, Problem>, Timing), oneshot::error::RecvError>,
) -> Result<Answered, Failure> {
    match answer {
        Ok((Ok(json), timing)) => Ok(Answered { json, timing }),
        Ok((Err(problem), _)) => Err(problem.into()),
        Err(_dropped) => Err(Failure::Closing),
    }
}

/// What is asked of the main thread, and by whom.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) params: String,
    pub(crate) principal: Principal,
    pub(crate) trace: Option<Trace>,
}

/// The server's side of the hand-over.
pub(crate) struct Door {
    main_thread: Arc<dyn MainThread>,
    permits: Arc<Semaphore>,
    most: usize,
    limit: Duration,
    stopping: CancellationToken,
    /// From handing over to the beginning of an answer.
    seconds: Histogram,
}

impl Door {
    pub(crate) fn new(
        main_thread: Arc<dyn MainThread>,
        limits: &Limits,
        stopping: CancellationToken,
        seconds: Histogram,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(limits.calls));
        Self {
            main_thread,
            permits,
            most: limits.calls,
            limit: limits.call_time,
            stopping,
            seconds,
        }
    }

    /// How many calls and requests the main thread has not answered yet.
    pub(crate) fn waiting(&self) -> usize {
        self.most.saturating_sub(self.permits.available_permits())
    }

    pub(crate) fn status(&self) -> MainThreadStatus {
        self.main_thread.status()
    }

    /// Has the main thread answer a call, in time.
    #[tracing::instrument(name = "server/main_thread", skip_all)]
    pub(crate) async fn call(&self, asked: Asked) -> Result<Answered, Failure> {
        let name = asked.method.clone();
        let (sender, receiver) = oneshot::channel();
        self.post_call(asked, sender, None)?;
        self.in_time(|| name, async { opened(receiver.await) }).await
    }

    /// Has the main thread begin with a call that may take long and say how it goes.
    #[tracing::instrument(name = "server/main_thread", skip_all)]
    pub(crate) fn start(&self, asked: Asked) -> Result<Pending, Failure> {
        /// Notes that wait to be taken.
        const NOTES: usize = 64;
        let (sender, receiver) = oneshot::channel();
        let (notes, said) = mpsc::channel(NOTES);
        let number = self.post_call(asked, sender, Some(notes))?;
        let main_thread = Arc::clone(&self.main_thread);
        Ok(Pending { main_thread, number, answer: Some(receiver), notes: said })
    }

    /// Hands on what a client has answered to a question.
    pub(crate) fn reply(&self, question: u64, answer: Result<String, Problem>) {
        // A loop that is closed asks nothing any more.
        let _closed = self.main_thread.post(Work::Reply { question, answer });
    }

    fn post_call(
        &self,
        Asked { method, params, principal, trace }: Asked,
        sender: oneshot::Sender<(Result<String, Problem>, Timing)>,
        notes: Option<mpsc::Sender<Note>>,
    ) -> Result<u64, Failure> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let permit = self.permit()?;
        let posted = Stopwatch::start();
        let answer = Answer { sender, notes, posted, queued: None, _permit: permit };
        self.post(Work::Call(Call { number, method, params, principal, trace, answer }))?;
        Ok(number)
    }

    /// Has a handler on the main thread answer a request, and waits for the answer to begin.
    #[tracing::instrument(name = "server/main_thread", skip_all)]
    pub(crate) async fn begin(
        &self,
        head: Head,
        before: impl FnOnce(&Client),
    ) -> Result<(Client, Begun), Failure> {
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let name = move || format!("{method} {}", uri.path());
        let (exchange, client) = exchange(head, Arc::clone(&self.main_thread), self.permit()?);
        before(&client);
        self.post(Work::Exchange(Box::new(exchange)))?;
        let begun = self.in_time(name, async { Ok(client.begun().await) }).await?;
        Ok((client, begun))
    }

    /// Has a person asked whether a device may be let in.
    pub(crate) fn ask_to_pair(&self, claim: Claim) -> Result<(), Failure> {
        self.post(Work::Pairing(claim))
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
        name: impl FnOnce() -> String,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let watch = Stopwatch::start();
        let answered = tokio::select! {
            // An answer that is there counts, though the server stops at the same moment.
            biased;
            answer = tokio::time::timeout(self.limit, answer) => match answer {
                Ok(answer) => answer,
                Err(_elapsed) => Err(Failure::CallTooSlow { method: name(), limit: self.limit }),
            },
            // Whoever stops the server may be the main thread itself, which then cannot answer.
            () = self.stopping.cancelled() => Err(Failure::Closing),
        };
        self.seconds.observe(watch.elapsed().as_secs_f64());
        answered
    }
}
