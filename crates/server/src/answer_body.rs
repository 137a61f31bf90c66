//! An answer on its way to its client: it is counted, told of at its end, and cut short when whoever
//! gets it is let in no more.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::observe::Seen;

/// Up to so many bytes go out in one piece: there is nothing to cut.
const ONE_PIECE: u64 = 64 << 10;

/// The body of an answer.
pub struct AnswerBody {
    body: Body,
    /// Completes when whoever gets it is let in no more.
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Told when it is dropped.
    seen: Option<Box<Seen>>,
}

impl AnswerBody {
    /// One that nobody is told of.
    pub(crate) fn unseen(body: Body) -> Self {
        Self { body, ended: None, seen: None }
    }

    /// One that is told of at its end. Events and downloads may take hours; revoked, they end at once.
    pub(crate) fn seen(response: Response, seen: Box<Seen>) -> http::Response<Self> {
        response.map(|body| {
            let is_short = body.size_hint().exact().is_some_and(|bytes| bytes <= ONE_PIECE);
            let ended = seen.principal().filter(|_| !is_short).map(|principal| {
                let ended: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(principal.ended());
                ended
            });
            Self { body, ended, seen: Some(seen) }
        })
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(ended) = &mut self.ended
            && ended.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(axum::Error::new(LetInNoMore))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let Some(seen) = &mut self.seen
        {
            seen.count(data.len());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why an answer was cut short.
#[derive(Debug)]
struct LetInNoMore;

impl std::fmt::Display for LetInNoMore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("whoever got the answer was let in no more")
    }
}

impl std::error::Error for LetInNoMore {}
