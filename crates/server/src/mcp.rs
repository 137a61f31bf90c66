//! The Model Context Protocol over Streamable HTTP: methods as tools, and what else Python offers.
//!
//! Two revisions at one address. Of 2026-07-28 every request says all that it needs to (its header
//! and `_meta`), and the end of its stream cancels it. Clients of 2025-11-25 begin with `initialize`
//! and get a session; one that sends no session is served as well.
//! <https://modelcontextprotocol.io/specification/2026-07-28>,
//! <https://modelcontextprotocol.io/specification/2025-11-25>
//!
//! What only Python knows, the main thread answers as methods with the protocol's names.

mod calling;
mod errors;
mod listening;
mod lists;
mod modern;
mod routes;
mod sessions;
pub(crate) mod streams;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use calling::Running;
use errors::Refusal;
pub(crate) use listening::follow;
pub(crate) use modern::{check, is_spoken as is_modern};
pub(crate) use sessions::Session;
use sessions::Sessions;

use crate::caller::Caller;
use crate::json_rpc::{self, Id, Request};

/// Revisions that begin with `initialize`, the newest first.
pub(crate) const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// What all clients of one server share.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) sessions: Sessions,
    pub(crate) running: Running,
}

/// A request of a client.
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    pub(crate) id: Id,
    pub(crate) method: String,
    pub(crate) params: Value,
    pub(crate) era: Era,
}

/// How a client speaks.
#[derive(Clone)]
pub(crate) enum Era {
    /// 2026-07-28: each request for itself.
    Modern,
    /// 2025-11-25 and before.
    Legacy(Option<Arc<Session>>),
}

/// What a client gets.
pub(crate) enum Outcome {
    /// A result, or why there is none.
    Result(Result<Value, Refusal>),
    /// The protocol's session has begun.
    Session(Arc<Session>, Value),
    /// Whatever comes, as it comes.
    Stream(streams::Messages),
}

impl Asked {
    pub(crate) fn new(caller: Caller, id: Id, request: &Request, era: Era) -> Self {
        let params = serde_json::from_str(request.params()).unwrap_or_default();
        Self { caller, id, method: request.method.clone(), params, era }
    }

    pub(crate) async fn answer(self) -> Outcome {
        let is_modern = matches!(self.era, Era::Modern);
        let known = match (self.method.as_str(), is_modern) {
            ("server/discover", true) => Ok(modern::discover()),
            ("subscriptions/listen", true) => return Outcome::Stream(listening::listen(self)),
            ("initialize", false) => {
                let (session, result) = self.caller.shared.mcp.sessions.begin(&self);
                return Outcome::Session(session, result);
            }
            ("ping", false) => Ok(json!({})),
            ("logging/setLevel", false) => sessions::set_level(&self),
            ("resources/subscribe" | "resources/unsubscribe", false) => sessions::subscribe(&self),
            ("tools/list", _) => lists::tools(&self),
            ("resources/list", _) => lists::resources(&self),
            ("resources/templates/list", _) => lists::templates(&self),
            ("prompts/list", _) => lists::prompts(&self),
            ("tools/call", _) if self.is_of_site() => return self.answer_by_site().await,
            ("tools/call" | "resources/read" | "prompts/get" | "completion/complete", _) => {
                return calling::call(self);
            }
            (method, _) => Err(Refusal::unknown_method(method)),
        };
        Outcome::Result(self.finished(known))
    }

    /// Whether a tool is asked for that no method is, but a site has.
    fn is_of_site(&self) -> bool {
        let name = self.params.get("name").and_then(Value::as_str).unwrap_or_default();
        self.caller.shared.offers.method(name).is_none() && routes::call(self).is_some()
    }

    async fn answer_by_site(self) -> Outcome {
        match routes::call(&self) {
            Some(request) => routes::answer(&self, request).await,
            None => Outcome::Result(Err(Refusal::unknown_method(&self.method))),
        }
    }

    /// A result as the client's revision wants it.
    fn finished(&self, result: Result<Value, Refusal>) -> Result<Value, Refusal> {
        match (&self.era, result) {
            (Era::Modern, Ok(result)) => Ok(modern::complete(&self.method, result)),
            (_, result) => result,
        }
    }

    /// The text of the response.
    pub(crate) fn response(&self, result: &Result<Value, Refusal>) -> String {
        match result {
            Ok(result) => json_rpc::result(&self.id, &result.to_string()),
            Err(refusal) => refusal.response(&self.id),
        }
    }

    fn meta(&self, name: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(name)
    }

    /// What the client said that it can.
    fn capabilities(&self) -> Value {
        match &self.era {
            Era::Modern => self.meta(modern::CAPABILITIES).cloned().unwrap_or_default(),
            Era::Legacy(Some(session)) => session.capabilities.clone(),
            Era::Legacy(None) => Value::Null,
        }
    }
}

/// What we can.
fn capabilities(is_modern: bool) -> Value {
    let changes = json!({ "listChanged": true });
    let mut all = Map::from_iter([
        ("completions".to_owned(), json!({})),
        ("prompts".to_owned(), changes.clone()),
        ("resources".to_owned(), json!({ "listChanged": true, "subscribe": true })),
        ("tools".to_owned(), changes),
    ]);
    if !is_modern {
        all.insert("logging".to_owned(), json!({}));
    }
    all.into()
}

fn server_info() -> Value {
    json!({ "name": "aiobpy", "title": "Blender, by aiobpy", "version": env!("CARGO_PKG_VERSION") })
}
