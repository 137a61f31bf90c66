//! JSON-RPC 2.0 (<https://www.jsonrpc.org/specification>): messages and their answers, whatever they
//! arrive by.

mod errors;
mod message;

use std::sync::Arc;

use futures_util::future::{self, BoxFuture};
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

pub(crate) use errors::code_of;
pub(crate) use message::{Id, Message, Request, Wrong, error, notification, read, result};

use crate::error::Failure;

/// Requests that one batch may have.
pub(crate) const LONGEST_BATCH: usize = 100;

/// What answers requests: the method's result, as the text of a JSON value.
pub(crate) type Answering =
    Arc<dyn Fn(Request) -> BoxFuture<'static, Result<String, Failure>> + Send + Sync>;

/// What goes back to the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// There were notifications alone.
    Nothing,
    /// A response, or an array of them.
    Text(String),
    /// What came is no request at all; the text says why.
    Refusal(String),
}

/// Answers what a client has sent: one request or a batch of them.
///
/// The requests of a batch run at the same time; the answers come in the requests' order.
/// Notifications run as tasks of their own.
pub(crate) async fn answer(text: &str, tasks: &TaskTracker, answering: &Answering) -> Reply {
    let whole = match serde_json::from_str::<&RawValue>(text) {
        Ok(whole) => whole.get(),
        Err(wrong) => {
            return Reply::Refusal(refused(&Failure::NotJson { detail: wrong.to_string() }));
        }
    };
    if !whole.starts_with('[') {
        return match read(whole) {
            Ok(message) => match answer_one(message, tasks, answering).await {
                Some(text) => Reply::Text(text),
                None => Reply::Nothing,
            },
            Err(Wrong { id, failure }) => Reply::Refusal(error(&id, &failure)),
        };
    }
    let batch: Vec<&RawValue> = match serde_json::from_str(whole) {
        Ok(batch) => batch,
        Err(wrong) => {
            return Reply::Refusal(refused(&Failure::NotJson { detail: wrong.to_string() }));
        }
    };
    if batch.is_empty() || batch.len() > LONGEST_BATCH {
        let detail = format!("a batch has 1 to {LONGEST_BATCH} requests, not {}", batch.len());
        return Reply::Refusal(refused(&Failure::InvalidRequest { detail }));
    }
    let answers = batch.into_iter().map(|request| async {
        match read(request.get()) {
            Ok(message) => answer_one(message, tasks, answering).await,
            Err(Wrong { id, failure }) => Some(error(&id, &failure)),
        }
    });
    let answers: Vec<String> = future::join_all(answers).await.into_iter().flatten().collect();
    if answers.is_empty() {
        Reply::Nothing
    } else {
        Reply::Text(format!("[{}]", answers.join(",")))
    }
}

/// Reads one message, where batches are not spoken.
///
/// # Errors
/// It is no JSON, or no message.
pub(crate) fn read_one(text: &str) -> Result<Message, Wrong> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => read(value.get()),
        Err(error) => {
            let failure = Failure::NotJson { detail: error.to_string() };
            Err(Wrong { id: Id::null(), failure })
        }
    }
}

async fn answer_one(
    message: Message,
    tasks: &TaskTracker,
    answering: &Answering,
) -> Option<String> {
    match message {
        Message::Request(id, request) => Some(match answering(request).await {
            Ok(json) => result(&id, &json),
            Err(failure) => error(&id, &failure),
        }),
        Message::Notification(request) => {
            let answered = answering(request);
            tasks.spawn(async move {
                if let Err(failure) = answered.await {
                    let problem = failure.problem();
                    tracing::debug!(kind = problem.kind, "a notification failed");
                }
            });
            None
        }
        // We ask nothing here.
        Message::Response { .. } => {
            let detail = "it is an answer, and nothing was asked".to_owned();
            Some(refused(&Failure::InvalidRequest { detail }))
        }
    }
}

fn refused(failure: &Failure) -> String {
    error(&Id::null(), failure)
}

#[cfg(test)]
mod tests;
