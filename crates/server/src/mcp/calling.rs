//! Requests that only Python can answer: what is said on the way, and questions back to the client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aiobpy_wire::Problem;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::sessions::{is_wanted, lock};
use super::streams::{self, Said};
use super::{Asked, Era, Outcome, Refusal, modern};
use crate::caller::Caller;
use crate::json_rpc::{Id, notification};
use crate::main_thread::{Answered, Next, Note, Pending};

/// What is under way, for clients that name it.
#[derive(Default)]
pub(crate) struct Running {
    /// By who asks and the request's id.
    calls: Mutex<HashMap<(Arc<str>, String), CancellationToken>>,
    /// Questions that wait for an answer, and who is asked.
    questions: Mutex<HashMap<u64, Arc<str>>>,
}

/// Before the number of a question, in its id.
const QUESTION: &str = "aiobpy-";

/// Has Python answer; the messages end with the response.
pub(super) fn call(asked: Asked) -> Outcome {
    let told = json!({
        "params": asked.params,
        "is_stateless": matches!(asked.era, Era::Modern),
        "capabilities": asked.capabilities(),
    });
    let pending = match asked.caller.start_of_protocol(&asked.method, told.to_string()) {
        Ok(pending) => pending,
        Err(failure) => return Outcome::Result(Err(Refusal::of(&failure))),
    };
    let (sender, messages) = streams::channel();
    let shared = asked.caller.shared.clone();
    shared.tasks.spawn(async move { Call::new(asked, sender).follow(pending).await });
    Outcome::Stream(messages)
}

impl Running {
    /// `notifications/cancelled`
    pub(crate) fn cancel(&self, caller: &Caller, request_id: &Value) {
        let key = (Arc::clone(&caller.principal.name), request_id.to_string());
        if let Some(cancel) = lock(&self.calls).get(&key) {
            cancel.cancel();
        }
    }

    /// Hands on what a client has answered to a question, if it was asked one.
    pub(crate) fn answered(&self, caller: &Caller, id: &Id, answer: Result<&str, &str>) {
        let number = serde_json::from_str::<String>(id.json())
            .ok()
            .and_then(|id| id.strip_prefix(QUESTION).and_then(|number| number.parse::<u64>().ok()));
        let Some(number) = number else { return };
        let mut questions = lock(&self.questions);
        if questions.get(&number) != Some(&caller.principal.name) {
            return;
        }
        questions.remove(&number);
        drop(questions);
        let answer = answer.map(str::to_owned).map_err(|error| {
            let error: Value = serde_json::from_str(error).unwrap_or_default();
            let detail = error["message"].as_str().unwrap_or("the client refused").to_owned();
            Problem::new(502, "client-refused", "The client refused", detail)
        });
        if let Ok(door) = caller.door() {
            door.reply(number, answer);
        }
    }
}

/// One request that Python answers.
struct Call {
    asked: Asked,
    sender: mpsc::Sender<Said>,
    cancel: CancellationToken,
    /// How far it has come, as it was told.
    progress: Option<f64>,
    questions: Vec<u64>,
}

impl Call {
    fn new(asked: Asked, sender: mpsc::Sender<Said>) -> Self {
        let cancel = asked.caller.shared.stopping.child_token();
        if matches!(asked.era, Era::Legacy(_)) {
            let running = &asked.caller.shared.mcp.running;
            lock(&running.calls).insert(key(&asked), cancel.clone());
        }
        Self { asked, sender, cancel, progress: None, questions: Vec::new() }
    }

    async fn follow(mut self, mut pending: Pending) {
        let is_modern = matches!(self.asked.era, Era::Modern);
        loop {
            let next = tokio::select! {
                biased;
                next = pending.next() => next,
                // Dropping the call cancels it.
                () = self.cancel.cancelled() => return,
                // In the older revisions, a client that has gone has not cancelled.
                () = self.sender.closed(), if is_modern => return,
            };
            let said = match next {
                Some(Next::Note(note)) => self.said(note).map(Said::Message),
                Some(Next::Answer(answered)) => Some(self.response(answered)),
                None => return,
            };
            if let Some(said) = said {
                let _gone = self.sender.send(said).await;
            }
        }
    }

    fn response(&self, answered: Result<Answered, crate::error::Failure>) -> Said {
        let result = match answered {
            Ok(answered) => Ok(serde_json::from_str(&answered.json).unwrap_or_default()),
            Err(failure) => Err(Refusal::of(&failure).with("uri", self.asked.params.get("uri"))),
        };
        let result = self.asked.finished(result);
        let status = result.as_ref().map_or_else(|refusal| refusal.status, |_| StatusCode::OK);
        Said::Last { status, text: self.asked.response(&result) }
    }

    /// The message that tells of a note, if the client wants it.
    fn said(&mut self, note: Note) -> Option<String> {
        match note {
            Note::Begun => None,
            Note::Progress { fraction, text } => self.progress(fraction?, &text),
            Note::Log { level, data } => self.log(&level, &data),
            Note::Question { number, method, params } => {
                let name = Arc::clone(&self.asked.caller.principal.name);
                lock(&self.asked.caller.shared.mcp.running.questions).insert(number, name);
                self.questions.push(number);
                let method = Value::from(method);
                Some(format!(
                    r#"{{"jsonrpc":"2.0","id":"{QUESTION}{number}","method":{method},"params":{params}}}"#
                ))
            }
        }
    }

    /// Progress only ever grows.
    fn progress(&mut self, fraction: f64, text: &str) -> Option<String> {
        let token = self.asked.meta("progressToken")?;
        if self.progress.is_some_and(|told| fraction <= told) {
            return None;
        }
        self.progress = Some(fraction);
        let mut params = json!({ "progressToken": token, "progress": fraction, "total": 1.0 });
        if !text.is_empty() {
            params["message"] = text.into();
        }
        Some(notification("notifications/progress", &params.to_string()))
    }

    fn log(&self, level: &str, data: &str) -> Option<String> {
        let is_wanted = match &self.asked.era {
            Era::Modern => {
                self.asked.meta(modern::LOG_LEVEL)?.as_str().is_some_and(|it| is_wanted(level, it))
            }
            Era::Legacy(Some(session)) => is_wanted(level, &lock(&session.level)),
            Era::Legacy(None) => true,
        };
        let params = format!(r#"{{"level":{},"data":{data}}}"#, Value::from(level));
        is_wanted.then(|| notification("notifications/message", &params))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let running = &self.asked.caller.shared.mcp.running;
        lock(&running.calls).remove(&key(&self.asked));
        let mut questions = lock(&running.questions);
        for number in &self.questions {
            questions.remove(number);
        }
    }
}

fn key(asked: &Asked) -> (Arc<str>, String) {
    (Arc::clone(&asked.caller.principal.name), asked.id.json().to_owned())
}
