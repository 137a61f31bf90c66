//! The state of one event loop, and the methods of it that are called for each callback.
//!
//! `aiobpy.EventLoop` inherits from this class and from asyncio's own loop: what runs once per
//! callback or per packet is here, what runs once per connection is asyncio's Python.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aiobpy_reactor::{Clock, Door, Event, Reactor, ReadAhead, ReadyQueue, Timers, TokenMap};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyAny, PyDict, PyTuple};
use rustix::fd::{IntoRawFd, RawFd};

use crate::errors::os_error;
use crate::exchange::Exchange;
use crate::generation::Generation;
use crate::gil_cell::GilCell;
use crate::handle::{Handle, TimerHandle, lock};
use crate::loans::Loans;
use crate::main_thread::{Ready, is_cancelled_timer};
use crate::serving::Serving;
use crate::socket_connection::SocketConnection;
use crate::spares::Spares;
use crate::stats::Stats;
use crate::tls::Buffers;
use crate::transfer::LoopTransfers;
use crate::untracked;
use crate::waiting::Waiting;
use crate::watched_fds::WatchedFds;

/// The Rust half of `aiobpy.EventLoop`.
#[pyclass(subclass, frozen, module = "aiobpy._native")]
pub(crate) struct LoopCore {
    pub(crate) queue: Arc<ReadyQueue<Ready>>,
    /// What the program has scheduled, in a lane that the GIL guards; `queue` knows that there is
    /// something.
    pub(crate) scheduled: GilCell<VecDeque<Py<Handle>>>,
    pub(crate) generation: GilCell<Generation>,
    /// The first step of the task that a request has begun with, until its turn is over.
    pub(crate) begun: GilCell<Option<Py<Handle>>>,
    pub(crate) timers: GilCell<Timers<Py<TimerHandle>>>,
    pub(crate) clock: Clock,
    pub(crate) stats: Arc<Stats>,
    read_ahead: Arc<ReadAhead>,
    reactor: Mutex<Option<Arc<Reactor>>>,
    /// After the reactor, whose thread reads what is lent.
    pub(crate) loans: Loans,
    pub(crate) connections: GilCell<TokenMap<Py<SocketConnection>>>,
    pub(crate) servings: Mutex<TokenMap<Serving>>,
    /// Futures that wait for a name look-up.
    pub(crate) look_ups: Mutex<TokenMap<Py<PyAny>>>,
    pub(crate) watched_fds: Mutex<WatchedFds>,
    pub(crate) transfers: LoopTransfers,
    /// Requests whose handlers wait for news, by number.
    pub(crate) exchanges: GilCell<HashMap<u64, Py<Exchange>>>,
    pub(crate) is_closed: Arc<AtomicBool>,
    pub(crate) is_debug: AtomicBool,
    pub(crate) is_stopping: AtomicBool,
    /// Room for one read on the main thread.
    pub(crate) read_buffer: GilCell<Vec<u8>>,
    pub(crate) waiting: Waiting,
    pub(crate) tls_buffers: PyOnceLock<Buffers>,
    /// The thread that runs the loop; 0 while nobody does.
    thread_id: AtomicU64,
    pub(crate) loop_as_keyword: GilCell<Option<Py<PyDict>>>,
    pub(crate) spares: Spares,
}

impl LoopCore {
    /// The I/O thread, started by the first that needs it.
    pub(crate) fn reactor(&self) -> PyResult<Arc<Reactor>> {
        self.check_open()?;
        let mut reactor = lock(&self.reactor);
        if let Some(reactor) = &*reactor {
            return Ok(Arc::clone(reactor));
        }
        let queue = Arc::clone(&self.queue);
        let door: Door = Arc::new(move |events: &mut dyn Iterator<Item = Event>| {
            queue.arrive_all(events.map(Ready::Io));
        });
        let started =
            Arc::new(Reactor::start(door, Arc::clone(&self.read_ahead)).map_err(os_error)?);
        if self.waiting.is_alone() {
            self.take_over(&started)?;
        }
        *reactor = Some(Arc::clone(&started));
        Ok(started)
    }

    /// The I/O thread, if somebody has needed it.
    pub(crate) fn started_reactor(&self) -> Option<Arc<Reactor>> {
        lock(&self.reactor).clone()
    }

    pub(crate) fn check_open(&self) -> PyResult<()> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(PyRuntimeError::new_err("Event loop is closed"));
        }
        Ok(())
    }

    pub(crate) fn note_cancelled_timer(&self, py: Python<'_>) {
        let is_cancelled = |timer: &Py<TimerHandle>| is_cancelled_timer(py, timer);
        let gone = self.timers.borrow_mut(py).note_cancelled(is_cancelled);
        for timer in &gone {
            timer.get().is_scheduled.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_debug(&self) -> bool {
        self.is_debug.load(Ordering::Relaxed)
    }

    fn fill<'py>(
        slf: &Bound<'py, Self>,
        handle: &Handle,
        callback: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        handle.fill(callback, arguments, context)?;
        if slf.get().is_debug() {
            let traceback = slf.call_method0(intern!(slf.py(), "_extract_stack"))?;
            handle.set_source_traceback(slf.py(), traceback.unbind());
        }
        Ok(())
    }

    /// Makes a handle and leaves it for the next turn. A push wakes a parked loop whoever pushes.
    fn schedule<'py>(
        slf: &Bound<'py, Self>,
        callback: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
        method: &str,
    ) -> PyResult<Bound<'py, Handle>> {
        Self::check_call(slf, callback, method)?;
        let handle = match slf.get().spares.take_handle(slf.py()) {
            Some(handle) => handle,
            None => Bound::new(slf.py(), Handle::new(slf))?,
        };
        Self::fill(slf, handle.get(), callback, arguments, context)?;
        slf.get().push(&handle);
        Ok(handle)
    }

    fn push(&self, handle: &Bound<'_, Handle>) {
        let mut scheduled = self.scheduled.borrow_mut(handle.py());
        let waiting = scheduled.len();
        scheduled.push_back(handle.clone().unbind());
        drop(scheduled);
        if waiting == 0 {
            self.note_scheduled(handle.py());
        } else if waiting >= untracked::FIRST {
            untracked::untrack(handle);
        }
    }

    /// There is something to do that the queue does not see.
    fn note_scheduled(&self, py: Python<'_>) {
        self.queue.note_scheduled();
        if self.waiting.may_park() {
            // Without the GIL: whoever is woken needs it at once.
            py.detach(|| self.queue.wake_if_parked());
        }
    }

    /// Drops all that waits, and every connection and watch.
    fn let_go_of_all(&self, py: Python<'_>) {
        // Taken out under the locks and dropped outside them: that may run any code.
        let scheduled = std::mem::take(&mut *self.scheduled.borrow_mut(py));
        let generation = std::mem::take(&mut *self.generation.borrow_mut(py));
        let timers = self.timers.borrow_mut(py).drain();
        let keywords = self.loop_as_keyword.borrow_mut(py).take();
        let connections = std::mem::take(&mut *self.connections.borrow_mut(py));
        let servings = std::mem::take(&mut *lock(&self.servings));
        let look_ups = std::mem::take(&mut *lock(&self.look_ups));
        let watched_fds = std::mem::take(&mut *lock(&self.watched_fds));
        for handle in scheduled.iter().chain(&generation.scheduled) {
            untracked::track_if_kept(handle.bind(py));
        }
        for timer in timers.iter().chain(&generation.due) {
            untracked::track_if_kept(timer.bind(py).as_super());
        }
        for connection in connections.values() {
            connection.get().release(py);
        }
        drop((scheduled, generation, timers, keywords));
        self.spares.clear(py);
        let exchanges = std::mem::take(&mut *self.exchanges.borrow_mut(py));
        drop((connections, servings, look_ups, watched_fds, exchanges));
    }

    fn check_call(
        slf: &Bound<'_, Self>,
        callback: &Bound<'_, PyAny>,
        method: &str,
    ) -> PyResult<()> {
        let this = slf.get();
        this.check_open()?;
        if this.is_debug() {
            if method != "call_soon_threadsafe" {
                slf.call_method0("_check_thread")?;
            }
            slf.call_method1("_check_callback", (callback, method))?;
        }
        Ok(())
    }
}

#[pymethods]
impl LoopCore {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(
        _arguments: &Bound<'_, PyTuple>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Ok(Self {
            queue: Arc::new(ReadyQueue::new().map_err(os_error)?),
            scheduled: GilCell::default(),
            generation: GilCell::default(),
            begun: GilCell::default(),
            timers: GilCell::default(),
            clock: Clock::new(),
            stats: Arc::default(),
            read_ahead: Arc::default(),
            reactor: Mutex::new(None),
            loans: Loans::default(),
            connections: GilCell::default(),
            servings: Mutex::default(),
            look_ups: Mutex::default(),
            watched_fds: Mutex::default(),
            transfers: LoopTransfers::default(),
            exchanges: GilCell::default(),
            is_closed: Arc::default(),
            is_debug: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            read_buffer: GilCell::default(),
            waiting: Waiting::default(),
            tls_buffers: PyOnceLock::new(),
            thread_id: AtomicU64::new(0),
            loop_as_keyword: GilCell::default(),
            spares: Spares::default(),
        })
    }

    #[pyo3(signature = (callback, *args, context = None))]
    fn call_soon<'py>(
        slf: &Bound<'py, Self>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Handle>> {
        Self::schedule(slf, callback, args, context, "call_soon")
    }

    #[pyo3(signature = (callback, *args, context = None))]
    fn call_soon_threadsafe<'py>(
        slf: &Bound<'py, Self>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Handle>> {
        Self::schedule(slf, callback, args, context, "call_soon_threadsafe")
    }

    #[pyo3(signature = (delay, callback, *args, context = None))]
    fn call_later<'py>(
        slf: &Bound<'py, Self>,
        delay: Option<f64>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, TimerHandle>> {
        let delay = delay.ok_or_else(|| PyTypeError::new_err("delay must not be None"))?;
        let now: f64 = slf.call_method0(intern!(slf.py(), "time"))?.extract()?;
        Self::call_at(slf, Some(now + delay), callback, args, context)
    }

    #[pyo3(signature = (when, callback, *args, context = None))]
    fn call_at<'py>(
        slf: &Bound<'py, Self>,
        when: Option<f64>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, TimerHandle>> {
        let when = when.ok_or_else(|| PyTypeError::new_err("when cannot be None"))?;
        Self::check_call(slf, callback, "call_at")?;
        let handle = Handle::new(slf);
        Self::fill(slf, &handle, callback, args, context)?;
        let timer = TimerHandle::create(slf.py(), handle, when)?;
        let mut timers = slf.get().timers.borrow_mut(slf.py());
        timers.push(when, timer.clone().unbind());
        if timers.len() > untracked::FIRST {
            untracked::untrack(timer.as_super());
        }
        drop(timers);
        Ok(timer)
    }

    /// A handle of this loop that is not among its callbacks, for a watched descriptor.
    #[pyo3(signature = (callback, args))]
    fn _new_handle<'py>(
        slf: &Bound<'py, Self>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, Handle>> {
        slf.get().check_open()?;
        let handle = Handle::new(slf);
        Self::fill(slf, &handle, callback, args, None)?;
        Bound::new(slf.py(), handle)
    }

    /// Seconds of the loop's clock: that of `time.monotonic()`, unless a test drives it.
    fn time(&self) -> f64 {
        self.clock.now()
    }

    fn stop(&self, py: Python<'_>) {
        self.is_stopping.store(true, Ordering::Relaxed);
        // As for something to run: no system call unless the loop is parked.
        self.note_scheduled(py);
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    fn is_running(&self) -> bool {
        self.thread_id.load(Ordering::Relaxed) != 0
    }

    fn get_debug(&self) -> bool {
        self.is_debug()
    }

    /// Whether a tick would run something: an atomic load, and a look at the first deadline.
    pub(crate) fn has_ready(&self, py: Python<'_>) -> bool {
        !self.queue.is_empty() || !self.generation.borrow(py).is_empty() || self.is_timer_due(py)
    }

    /// Lets the I/O thread read ahead so many bytes per connection and over all connections.
    fn set_read_ahead(&self, per_connection: usize, in_all: usize) {
        self.read_ahead.set_bounds(per_connection, in_all);
    }

    /// Bytes that were read and that no protocol has taken yet.
    fn read_ahead_held(&self) -> usize {
        self.read_ahead.held()
    }

    fn _set_time(&self, seconds: f64) {
        self.clock.set(seconds);
    }

    fn _write_to_self(&self) {
        self.queue.wake();
    }

    /// A copy of the descriptor that signals are to be written to.
    fn _signal_fd(&self) -> PyResult<RawFd> {
        let copy = self.queue.signal_writer().map_err(os_error)?;
        Ok(copy.into_raw_fd())
    }

    /// The numbers of the signals that no wait has reported yet.
    fn _take_signals(&self) -> Vec<u8> {
        self.queue.take_signals()
    }

    /// Drops all that waits and ends the I/O thread.
    fn _close_core(&self, py: Python<'_>) {
        self.is_closed.store(true, Ordering::Relaxed);
        let reactor = lock(&self.reactor).take();
        self.let_go_of_all(py);
        py.detach(|| drop(reactor));
        self.transfers.close(py);
        self.take_all_back(py);
        let mut waiting = VecDeque::new();
        self.queue.take_arrived(&mut waiting);
        // Now, and not when the garbage collector comes by: whoever unloads us counts descriptors.
        self.queue.close();
    }

    #[getter(_thread_id)]
    fn running_thread(&self) -> Option<u64> {
        Some(self.thread_id.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }

    #[setter(_thread_id)]
    fn set_running_thread(&self, thread_id: Option<u64>) {
        self.thread_id.store(thread_id.unwrap_or(0), Ordering::Relaxed);
    }

    #[getter(_stopping)]
    fn stopping_flag(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    #[setter(_stopping)]
    fn set_stopping_flag(&self, is_stopping: bool) {
        self.is_stopping.store(is_stopping, Ordering::Relaxed);
    }

    #[getter(_closed)]
    fn closed_flag(&self) -> bool {
        self.is_closed()
    }

    #[setter(_closed)]
    fn set_closed_flag(&self, is_closed: bool) {
        self.is_closed.store(is_closed, Ordering::Relaxed);
    }

    #[getter(_debug)]
    fn debug_flag(&self) -> bool {
        self.is_debug()
    }

    #[setter(_debug)]
    fn set_debug_flag(&self, is_debug: bool) {
        self.is_debug.store(is_debug, Ordering::Relaxed);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.queue.try_for_each(|item| item.traverse(&visit))?;
        if let Some(scheduled) = self.scheduled.visited(&visit) {
            scheduled.iter().try_for_each(|handle| untracked::traverse(handle, &visit))?;
        }
        if let Some(generation) = self.generation.visited(&visit) {
            generation.traverse(&visit)?;
        }
        if let Some(keywords) = self.loop_as_keyword.visited(&visit) {
            visit.call(&*keywords)?;
        }
        self.spares.traverse(&visit)?;
        if let Some(timers) = self.timers.visited(&visit) {
            timers.iter().try_for_each(|timer| untracked::traverse_timer(timer, &visit))?;
        }
        if let Some(connections) = self.connections.visited(&visit) {
            connections.values().try_for_each(|connection| visit.call(connection))?;
        }
        if let Ok(servings) = self.servings.try_lock() {
            servings.values().try_for_each(|serving| visit.call(&serving.accepted))?;
        }
        if let Ok(look_ups) = self.look_ups.try_lock() {
            look_ups.values().try_for_each(|future| visit.call(future))?;
        }
        if let Ok(watched_fds) = self.watched_fds.try_lock() {
            watched_fds.traverse(&visit)?;
        }
        if let Some(exchanges) = self.exchanges.visited(&visit) {
            exchanges.values().try_for_each(|exchange| visit.call(exchange))?;
        }
        self.transfers.traverse(&visit)?;
        Ok(())
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        slf.get().let_go_of_all(slf.py());
    }
}
