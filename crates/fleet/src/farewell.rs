//! How long tasks may take to end once they have been told to.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Longer than a worker needs that has to be killed, and than an engine that is away is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until all tasks have ended, but not for ever: what hangs then ends with the process.
pub(crate) async fn to(tasks: &TaskTracker, whose: &str) {
    tasks.close();
    if timeout(LIMIT, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "{whose} has not ended in {LIMIT:?}; it is left");
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_that_end_are_waited_for_and_no_longer() {
        let (tasks, began) = (TaskTracker::new(), Instant::now());
        tasks.spawn(sleep(Duration::from_secs(7)));
        to(&tasks, "a nap").await;
        assert_eq!((tasks.len(), began.elapsed().as_secs()), (0, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_hangs_is_left() {
        let (tasks, began) = (TaskTracker::new(), Instant::now());
        tasks.spawn(std::future::pending::<()>());
        to(&tasks, "a riddle").await;
        assert_eq!((tasks.len(), began.elapsed()), (1, LIMIT));
    }
}
