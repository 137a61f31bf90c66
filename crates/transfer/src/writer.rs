//! From the network to the part: one batch is written while the next one comes.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::decode::{Decoder, Encoding};
use crate::part::Part;
use crate::transfers::{Blocking, Job};

/// A part that helpers write to, one at a time.
#[derive(Clone)]
pub(crate) struct SharedPart(Arc<Mutex<Part>>);

impl SharedPart {
    pub(crate) fn new(part: Part) -> Self {
        Self(Arc::new(Mutex::new(part)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Part> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for SharedPart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes what comes, and has helpers decode and write it.
pub(crate) struct Writer<'a> {
    job: &'a Job,
    decoder: Arc<Mutex<Option<Decoder<SharedPart>>>>,
    batch: Vec<Bytes>,
    held: usize,
    written_at: Instant,
    under_way: Option<Blocking<io::Result<()>>>,
}

/// Bytes of a batch: enough that handing it over costs nothing beside writing it.
const BATCH: usize = 1 << 20;
/// What comes slowly is written all the same, so that little is lost with the process.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

impl<'a> Writer<'a> {
    pub(crate) fn new(job: &'a Job, part: SharedPart, encoding: Encoding) -> Self {
        Self {
            job,
            decoder: Arc::new(Mutex::new(Some(Decoder::new(encoding, part)))),
            batch: Vec::new(),
            held: 0,
            written_at: Instant::now(),
            under_way: None,
        }
    }

    /// Waits while the disk is slower than the network.
    pub(crate) async fn take(&mut self, piece: Bytes) -> io::Result<()> {
        self.held += piece.len();
        self.batch.push(piece);
        if self.held >= BATCH || self.written_at.elapsed() >= AT_LEAST_EVERY {
            self.write_batch().await?;
        }
        Ok(())
    }

    /// Writes what is left, though more was to come.
    pub(crate) async fn settle(&mut self) -> io::Result<()> {
        self.write_batch().await?;
        self.last_one().await
    }

    /// Writes what is left; all has come.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.settle().await?;
        let decoder = Arc::clone(&self.decoder);
        let end = move || match lock(&decoder).take() {
            Some(decoder) => decoder.end().map(drop),
            None => Ok(()),
        };
        self.job.block(end).join().await
    }

    async fn write_batch(&mut self) -> io::Result<()> {
        self.last_one().await?;
        let batch = std::mem::take(&mut self.batch);
        (self.held, self.written_at) = (0, Instant::now());
        let decoder = Arc::clone(&self.decoder);
        self.under_way = Some(self.job.block(move || match &mut *lock(&decoder) {
            Some(decoder) => batch.iter().try_for_each(|piece| decoder.write_all(piece)),
            None => Ok(()),
        }));
        Ok(())
    }

    async fn last_one(&mut self) -> io::Result<()> {
        match self.under_way.take() {
            Some(under_way) => under_way.join().await,
            None => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
