//! `AIOBPY_TRACE`: the rooms that a run goes through, one line each, in a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use tracing::span::{Attributes, Id};
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Starts to log, and to trace if the environment asks for it. Does nothing the second time.
///
/// `AIOBPY_LOG` says what is logged, as in `warn,aiobpy_fleet=debug`; `AIOBPY_TRACE` names the file
/// that each span which is entered adds its name to.
pub fn start() {
    let filter = EnvFilter::try_from_env("AIOBPY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter);
    let rooms = std::env::var_os("AIOBPY_TRACE").and_then(|path| {
        let file = OpenOptions::new().create(true).append(true).open(path).ok()?;
        let ours = Targets::new().with_targets(OURS.map(|target| (target, Level::TRACE)));
        Some(Rooms { file: Mutex::new(file) }.with_filter(ours))
    });
    let _done_before = tracing_subscriber::registry().with(log).with(rooms).try_init();
}

/// The crates whose spans are rooms.
const OURS: [&str; 5] =
    ["_native", "aiobpy_fleet", "aiobpy_reactor", "aiobpy_server", "aiobpy_cli"];

struct Rooms {
    file: Mutex<File>,
}

impl<S: Subscriber> Layer<S> for Rooms {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let line = format!("{}\n", attributes.metadata().name());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop what is traced.
        let _written_or_full = file.write_all(line.as_bytes());
    }
}
