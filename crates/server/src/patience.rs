//! A request's body that has to come at some pace.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// Each byte buys so much more waiting, up to the limit: a KiB buys a second.
const BOUGHT: Duration = Duration::from_nanos(1_000_000_000 / 1024);

/// A body that is given up when it has been waited for too long in all. Time in which nobody reads
/// it does not count.
pub(crate) struct Patient<B> {
    body: B,
    limit: Duration,
    /// How much waiting is left.
    left: Duration,
    /// Runs while the body is waited for.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<B> Patient<B> {
    pub(crate) fn new(body: B, limit: Duration) -> Self {
        Self { body, limit, left: limit, waiting: None }
    }
}

impl<B> Body for Patient<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
            let left = this.left;
            let waiting =
                this.waiting.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + left)));
            std::task::ready!(waiting.as_mut().poll(context));
            return Poll::Ready(Some(Err(Box::new(TooSlow))));
        };
        if let Some(waiting) = this.waiting.take() {
            this.left = waiting.deadline().saturating_duration_since(Instant::now());
        }
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let bytes = u32::try_from(data.remaining()).unwrap_or(u32::MAX);
            this.left = this.limit.min(this.left + BOUGHT.saturating_mul(bytes));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why it was given up.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body comes too slowly")
    }
}

impl Error for TooSlow {}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::{Instant, interval_at};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(15);

    /// The clock stands still until everybody waits, and then goes on by itself.
    async fn after(time: Duration) {
        interval_at(Instant::now() + time, time).tick().await;
    }

    /// A body whose pieces of one size come at one pace.
    async fn read(size: usize, pace: Duration, pieces: usize) -> Result<usize, String> {
        let pieces = Box::pin(stream::unfold(0, move |sent| async move {
            if sent == pieces {
                return None;
            }
            after(pace).await;
            Some((Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![0; size]))), sent + 1))
        }));
        let mut body = Patient::new(StreamBody::new(pieces), LIMIT);
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame.map_err(|error| error.to_string())?.into_data().unwrap().len();
        }
        Ok(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up() {
        let error = read(1, Duration::from_secs(1), 1000).await.unwrap_err();
        assert_eq!(error, "the body comes too slowly");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        assert!(read(1, Duration::from_hours(1), 1).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_may_take_as_long_as_it_needs() {
        assert_eq!(read(2048, Duration::from_secs(1), 600).await, Ok(2048 * 600));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_fast_is_no_licence_to_stop_for_long() {
        let mut body = Patient::new(
            StreamBody::new(Box::pin(stream::unfold(false, |has_sent| async move {
                if has_sent {
                    after(Duration::from_mins(1)).await;
                }
                Some((Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![0; 1 << 20]))), true))
            }))),
            LIMIT,
        );
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
    }
}
