//! Whether the other end of a WebSocket is there still.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::websocket::ending::End;

/// What was heard of a client lately.
#[derive(Default)]
pub(super) struct Liveness {
    is_there: AtomicBool,
    /// It may have said much, but nobody listens now.
    is_held_up: AtomicBool,
    ask: Notify,
}

impl Liveness {
    /// The client has sent something.
    pub(super) fn is_there(&self) {
        self.is_there.store(true, Ordering::Relaxed);
    }

    /// While this lasts, nothing is read, so that silence means nothing.
    pub(super) async fn held_up<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.is_held_up.store(true, Ordering::Relaxed);
        let done = waiting.await;
        self.is_held_up.store(false, Ordering::Relaxed);
        self.is_there();
        done
    }

    /// Waits until the client has to be asked whether it is there.
    pub(super) async fn asks(&self) {
        self.ask.notified().await;
    }

    /// Waits until nothing has come for a while, not even the answer to a ping.
    pub(super) async fn lost(&self, silence: Duration) -> End {
        let mut was_asked = false;
        loop {
            sleep(silence).await;
            let is_there = self.is_there.swap(false, Ordering::Relaxed);
            if is_there || self.is_held_up.load(Ordering::Relaxed) {
                was_asked = false;
            } else if was_asked {
                return End::Gone;
            } else {
                self.ask.notify_one();
                was_asked = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_asked_once_and_then_given_up() {
        let liveness = Liveness::default();
        let mut lost = std::pin::pin!(liveness.lost(SILENCE));
        tokio::select! {
            biased;
            () = liveness.asks() => {}
            _ = lost.as_mut() => panic!("it was not asked"),
        }
        assert!(matches!(lost.await, End::Gone));
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_is_there_still() {
        let liveness = Liveness::default();
        let answers = async {
            for _ in 0..10 {
                liveness.asks().await;
                liveness.is_there();
            }
        };
        tokio::select! {
            () = answers => {}
            _ = liveness.lost(SILENCE) => panic!("it has answered"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_blamed_for_a_handler_that_does_not_listen() {
        let liveness = Liveness::default();
        let busy = liveness.held_up(sleep(SILENCE * 20));
        tokio::select! {
            () = busy => {}
            _ = liveness.lost(SILENCE) => panic!("nothing was read meanwhile"),
        }
    }
}
