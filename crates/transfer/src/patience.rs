//! How long nothing may happen.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Bounds silence, not the whole: an upload of an hour is fine as long as it gets on.
#[derive(Debug)]
pub(crate) struct Patience {
    pub(crate) limit: Duration,
    touched: Mutex<Instant>,
}

/// Nothing has happened for too long.
#[derive(Debug)]
pub(crate) struct Silence;

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, touched: Mutex::new(Instant::now()) }
    }

    /// Something has happened.
    pub(crate) fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits for `future` as long as something happens.
    pub(crate) async fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, Silence> {
        self.touch();
        let mut future = pin!(future);
        loop {
            let deadline = self.deadline();
            match timeout_at(deadline, &mut future).await {
                Ok(result) => return Ok(result),
                Err(_) if self.deadline() <= deadline => return Err(Silence),
                Err(_) => {}
            }
        }
    }

    fn deadline(&self) -> Instant {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) + self.limit
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_wait_and_a_touch_prolongs_it() {
        let patience = Arc::new(Patience::new(Duration::from_secs(10)));
        let began = Instant::now();
        let same = Arc::clone(&patience);
        let touched = async {
            tokio::time::timeout(Duration::from_secs(7), pending::<()>()).await.unwrap_err();
            same.touch();
            pending::<()>().await;
        };
        assert!(patience.wait(touched).await.is_err());
        assert_eq!(began.elapsed().as_secs(), 17);
    }
}
