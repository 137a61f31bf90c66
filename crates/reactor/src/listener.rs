//! A listening socket: connections are accepted with no help from Python.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::Interest;
use rustix::fd::OwnedFd;

use crate::io_thread::{Core, Event, Reactor, Token};
use crate::poll::{Readiness, Source, Turn};
use crate::sys::{Watchable, accept, is_passing};

/// The main thread's hold on a listening socket. Dropping it stops the accepting.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Shared>,
}

/// A connection that was accepted: non-blocking and close-on-exec.
#[derive(Debug)]
pub struct Accepted {
    pub socket: OwnedFd,
    /// If it has one of IP.
    pub peer: Option<SocketAddr>,
}

/// What [`Listener::take`] hands over.
#[derive(Debug)]
pub struct Burst {
    pub results: Vec<io::Result<Accepted>>,
    pub more: bool,
}

#[derive(Debug)]
struct Shared {
    token: Token,
    state: Mutex<State>,
    core: Arc<Core>,
}

#[derive(Debug)]
struct State {
    /// `None` once closed: from then on its port is free.
    socket: Option<OwnedFd>,
    results: VecDeque<io::Result<Accepted>>,
    announced: bool,
    /// The kernel may have more.
    is_readable: bool,
    /// Accepting failed; not again until somebody asks.
    is_resting: bool,
}

/// Connections that wait for the main thread; beyond that they wait in the kernel's backlog.
const WAITING_MAX: usize = 128;

impl Listener {
    /// Starts to accept on a copy of a listening socket, which must be non-blocking.
    ///
    /// # Errors
    /// The system's, if the socket cannot be watched.
    pub fn start(reactor: &Reactor, token: Token, socket: OwnedFd) -> io::Result<Self> {
        let state = State {
            socket: Some(socket),
            results: VecDeque::new(),
            announced: false,
            is_readable: false,
            is_resting: false,
        };
        let core = Arc::clone(&reactor.core);
        let shared = Arc::new(Shared { token, state: Mutex::new(state), core });
        let source = Arc::<Shared>::clone(&shared);
        if let Some(socket) = &shared.state().socket {
            shared.core.poll.add(token, &Watchable::of(socket), Interest::READABLE, source)?;
        }
        Ok(Self { shared })
    }

    pub fn token(&self) -> Token {
        self.shared.token
    }

    /// Takes what has been accepted, oldest first, so many at the most. After an error nothing more
    /// is accepted until [`Listener::go_on`].
    ///
    /// If there is `more`, no event will tell of it: take again. If not, one will.
    pub fn take(&self, most: usize) -> Burst {
        let mut state = self.shared.state();
        let count = state.results.len().min(most);
        let results = state.results.drain(..count).collect();
        let more = !state.results.is_empty();
        state.announced = more;
        let is_wanted = state.is_readable && !state.is_resting;
        drop(state);
        if is_wanted {
            self.shared.core.want_served(self.shared.token);
        }
        Burst { results, more }
    }

    /// Accepts again after an error.
    pub fn go_on(&self) {
        self.shared.state().is_resting = false;
        self.shared.core.want_served(self.shared.token);
    }
}

impl Drop for Listener {
    /// From then on the port is free.
    fn drop(&mut self) {
        let socket = self.shared.state().socket.take();
        if let Some(socket) = socket {
            self.shared.core.poll.remove(self.shared.token, &Watchable::of(&socket));
        }
    }
}

impl Source for Shared {
    fn serve(&self, readiness: Readiness, turn: &mut Turn<'_>) {
        let mut state = self.state();
        state.is_readable |= readiness.readable;
        while state.is_readable && !state.is_resting && state.results.len() < WAITING_MAX {
            let Some(socket) = &state.socket else { return };
            match accept(socket) {
                Ok((socket, peer)) => state.results.push_back(Ok(Accepted { socket, peer })),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.is_readable = false;
                    self.core.poll.report_again(self.token);
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    state.is_resting = true;
                    state.results.push_back(Err(error));
                }
            }
        }
        let is_news = !state.results.is_empty() && !std::mem::replace(&mut state.announced, true);
        drop(state);
        if is_news {
            turn.tell(Event::Accepted(self.token));
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
