//! Clients that listen: told when something else is offered, or a resource is another one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use super::sessions::lock;
use super::streams::{self, Messages, Said};
use super::{Asked, Session, modern};
use crate::json_rpc::notification;
use crate::offers::Change;
use crate::shared::Shared;

/// Changes that come one after the other, as when an add-on is enabled, are told of once.
const SETTLED: Duration = Duration::from_millis(50);

/// `subscriptions/listen` of revision 2026-07-28.
pub(super) fn listen(asked: Asked) -> Messages {
    let filter = Filter::of(asked.params.get("notifications").unwrap_or(&Value::Null));
    let changes = asked.caller.shared.offers.changes();
    let (sender, messages) = streams::channel();
    let shared = asked.caller.shared.clone();
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let id: Value = serde_json::from_str(asked.id.json()).unwrap_or_default();
        let meta = json!({ modern::SUBSCRIPTION: id });
        let params = json!({ "notifications": filter.agreed(), "_meta": meta });
        let method = "notifications/subscriptions/acknowledged";
        let acknowledged = notification(method, &params.to_string());
        let _gone = sender.send(Said::Message(acknowledged)).await;
        let wanted = |change: &Change| filter.wants(change);
        let is_stopping = tell(&shared, changes, &sender, &meta, wanted).await;
        if is_stopping {
            let mut result = modern::complete(&asked.method, json!({}));
            result["_meta"][modern::SUBSCRIPTION] = id;
            let text = asked.response(&Ok(result));
            let _gone = sender.send(Said::Last { status: StatusCode::OK, text }).await;
        }
    });
    messages
}

/// The stream that a session of an older revision may open.
pub(crate) fn follow(shared: &Shared, session: Arc<Session>) -> Messages {
    let (sender, messages) = streams::channel();
    let changes = shared.offers.changes();
    let shared = shared.clone();
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let wanted = |change: &Change| match change {
            Change::Updated(uri) => lock(&session.subscriptions).contains(uri),
            _ => true,
        };
        tokio::select! {
            _ = tell(&shared, changes, &sender, &Value::Null, wanted) => {}
            () = session.ended.cancelled() => {}
        }
    });
    messages
}

/// Tells of changes until the client goes, or the server stops: whether it does.
async fn tell(
    shared: &Shared,
    mut changes: broadcast::Receiver<Change>,
    sender: &mpsc::Sender<Said>,
    meta: &Value,
    wanted: impl Fn(&Change) -> bool,
) -> bool {
    let mut untold = BTreeSet::new();
    loop {
        let settled = tokio::time::sleep(SETTLED);
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => { untold.insert(change); }
                // Too slow to hear of each: all may have changed.
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    untold.extend([Change::Tools, Change::Prompts, Change::Resources]);
                }
                Err(broadcast::error::RecvError::Closed) => return false,
            },
            () = settled, if !untold.is_empty() => {
                for change in std::mem::take(&mut untold).iter().filter(|change| wanted(change)) {
                    if sender.send(Said::Message(message(change, meta))).await.is_err() {
                        return false;
                    }
                }
            }
            () = sender.closed() => return false,
            () = shared.stopping.cancelled() => return true,
        }
    }
}

fn message(change: &Change, meta: &Value) -> String {
    let (method, mut params) = match change {
        Change::Tools => ("notifications/tools/list_changed", json!({})),
        Change::Prompts => ("notifications/prompts/list_changed", json!({})),
        Change::Resources => ("notifications/resources/list_changed", json!({})),
        Change::Updated(uri) => ("notifications/resources/updated", json!({ "uri": uri })),
    };
    if !meta.is_null() {
        params["_meta"] = meta.clone();
    }
    notification(method, &params.to_string())
}

/// What a client has asked to hear of.
struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    updates: BTreeSet<String>,
}

impl Filter {
    fn of(given: &Value) -> Self {
        let flag = |name: &str| given.get(name).and_then(Value::as_bool).unwrap_or_default();
        let uris = given.get("resourceSubscriptions").and_then(Value::as_array);
        let uris = uris.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Self {
            tools: flag("toolsListChanged"),
            prompts: flag("promptsListChanged"),
            resources: flag("resourcesListChanged"),
            updates: uris.collect(),
        }
    }

    fn wants(&self, change: &Change) -> bool {
        match change {
            Change::Tools => self.tools,
            Change::Prompts => self.prompts,
            Change::Resources => self.resources,
            Change::Updated(uri) => self.updates.contains(uri),
        }
    }

    fn agreed(&self) -> Value {
        let mut agreed = json!({});
        for (name, wanted) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if wanted {
                agreed[name] = true.into();
            }
        }
        if !self.updates.is_empty() {
            agreed["resourceSubscriptions"] = json!(self.updates);
        }
        agreed
    }
}
