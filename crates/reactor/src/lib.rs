//! Sockets, name look-ups and timers on one I/O thread, and the queue that carries their results to
//! the main thread.
//!
//! **Invariant:** this crate knows nothing of Python, HTTP or Blender. Nothing here calls back: the
//! main thread pulls from its [`ReadyQueue`] when it is good and ready.
//!
//! Reading order: `ready.rs`, `io_thread.rs`, `connection.rs`; the rest as needed.

mod birthplace;
mod clock;
mod connection;
mod inbox;
mod io_thread;
mod listener;
mod outbox;
mod readiness;
mod ready;
mod resolver;
mod timers;
mod wake;
mod watched;

pub use clock::{Clock, monotonic_seconds};
pub use connection::{Connection, Delivery, Written};
pub use inbox::{End, ReadAhead};
pub use io_thread::{Door, Event, Reactor, Token};
pub use listener::{Accepted, Listener};
pub use readiness::{Interest, Readiness};
pub use ready::{Parked, ReadyQueue};
pub use resolver::{AddressInfo, LookupFailed, NameInfo, Query};
pub use timers::Timers;
