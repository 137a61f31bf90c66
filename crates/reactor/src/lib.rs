//! Sockets, name look-ups and timers, the thread that serves them while the main thread has other
//! work, and the queue that carries their results to the main thread.
//!
//! **Invariant:** this crate knows nothing of Python, HTTP or Blender. Nothing here calls back: the
//! main thread pulls from its [`ReadyQueue`] when it is good and ready.
//!
//! Reading order: `ready.rs`, `poll.rs`, `driving.rs`, `connection.rs`; the rest as needed.

mod birthplace;
mod clock;
mod connection;
mod driving;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod inbox;
mod io_thread;
mod listener;
mod look_up_threads;
mod outbox;
mod poll;
mod ready;
mod resolver;
mod sync;
mod sys;
mod timers;
#[cfg_attr(feature = "loom", path = "wake_model.rs")]
mod wake;
mod watch;

pub use clock::{Clock, monotonic_seconds};
pub use connection::{Connection, Data, Delivery, Written};
pub use inbox::{End, ReadAhead};
pub use io_thread::{Door, Event, Reactor, Token, TokenMap};
pub use listener::{Accepted, Burst, Listener};
pub use ready::{Parked, ReadyQueue};
pub use resolver::{AddressInfo, LookupFailed, NameInfo, Query};
pub use sys::send;
pub use timers::Timers;
pub use watch::{Interest, Watch};
