//! One message of JSON-RPC: read, and written.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::errors::error_object;
use crate::error::Failure;

/// Names a request, as it was sent: text, a number or null.
#[derive(Clone, Debug)]
pub(crate) struct Id(Box<RawValue>);

impl Id {
    pub(crate) fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// As JSON has it.
    pub(crate) fn json(&self) -> &str {
        self.0.get()
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// An object or an array; `None` if it was left out.
    pub(crate) params: Option<Box<RawValue>>,
}

impl Request {
    /// The text of the parameters: those that were left out are an empty object.
    pub(crate) fn params(&self) -> &str {
        self.params.as_ref().map_or("{}", |params| params.get())
    }
}

#[derive(Debug)]
pub(crate) enum Message {
    Request(Id, Request),
    /// A request that wants no answer.
    Notification(Request),
    /// The answer to a request of ours; an error as the text of its object.
    Response {
        id: Id,
        answer: Result<Box<RawValue>, Box<RawValue>>,
    },
}

/// What is no message, and the id that it has nevertheless.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) id: Id,
    pub(crate) failure: Failure,
}

#[derive(Deserialize)]
struct Members {
    #[serde(default, deserialize_with = "there")]
    jsonrpc: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "there")]
    id: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "there")]
    method: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "there")]
    params: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "there")]
    result: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "there")]
    error: Option<Box<RawValue>>,
}

/// A member that is `null` is there, too.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Reads one message: the text of a JSON value.
///
/// # Errors
/// It is none of JSON-RPC 2.0.
pub(crate) fn read(text: &str) -> Result<Message, Wrong> {
    let wrong = |id: Id, detail: &str| Wrong {
        id,
        failure: Failure::InvalidRequest { detail: detail.to_owned() },
    };
    let members: Members = serde_json::from_str(text).map_err(|error| {
        let detail = format!("it is no object with the members of a request: {error}");
        wrong(Id::null(), &detail)
    })?;
    let Members { jsonrpc, id, method, params, result, error } = members;
    let id = id.map(|id| if is_id(&id) { Ok(Id(id)) } else { Err(()) });
    let id = match id {
        Some(Err(())) => return Err(wrong(Id::null(), "`id` is text, a number or null")),
        Some(Ok(id)) => Some(id),
        None => None,
    };
    let known = || id.clone().unwrap_or_else(Id::null);
    if jsonrpc.as_ref().and_then(|version| text_of(version)).as_deref() != Some("2.0") {
        return Err(wrong(known(), "the member `jsonrpc` must be \"2.0\""));
    }
    let Some(method) = method else {
        return match (id, result, error) {
            (Some(id), Some(result), None) => Ok(Message::Response { id, answer: Ok(result) }),
            (Some(id), None, Some(error)) => Ok(Message::Response { id, answer: Err(error) }),
            (id, ..) => Err(wrong(id.unwrap_or_else(Id::null), "the member `method` is missing")),
        };
    };
    let Some(method) = text_of(&method) else {
        return Err(wrong(known(), "`method` is a text"));
    };
    if params.as_ref().is_some_and(|params| !params.get().starts_with(['{', '['])) {
        return Err(wrong(known(), "`params` is an object or an array"));
    }
    let request = Request { method, params };
    Ok(match id {
        Some(id) => Message::Request(id, request),
        None => Message::Notification(request),
    })
}

/// The response to a request that went well; `json` is the text of a JSON value.
pub(crate) fn result(id: &Id, json: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{json}}}"#, id.json())
}

/// The response to a request that failed.
pub(crate) fn error(id: &Id, failure: &Failure) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"error":{}}}"#, id.json(), error_object(failure))
}

/// A notification of ours; `params` is the text of a JSON object.
pub(crate) fn notification(method: &str, params: &str) -> String {
    let method = serde_json::Value::from(method);
    format!(r#"{{"jsonrpc":"2.0","method":{method},"params":{params}}}"#)
}

fn is_id(value: &RawValue) -> bool {
    let first = value.get().bytes().next();
    value.get() == "null"
        || first.is_some_and(|byte| byte == b'"' || byte == b'-' || byte.is_ascii_digit())
}

fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}
