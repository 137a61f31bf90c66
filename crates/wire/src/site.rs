//! Sites: what add-ons hang on the web server, as Python describes it to the server.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a request may do. Each scope includes those before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at what is there.
    Read,
    /// Change what is there, and call methods.
    #[default]
    Control,
    /// Read and write files in the folders that the user allows.
    Files,
    /// Run any Python.
    Exec,
    /// Let others in.
    Admin,
}

/// All that is served under one prefix. A site that is described anew takes the place of the one
/// before it, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteDescription {
    /// Where it begins, as in `/a/my_addon`: without a slash at its end.
    pub prefix: String,
    pub routes: Vec<RouteDescription>,
    /// A `Content-Security-Policy` for the pages of this site, in the place of the usual one, which
    /// lets them load what comes from this server alone. Frames of others stay forbidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_security_policy: Option<String>,
}

impl SiteDescription {
    pub fn new(prefix: impl Into<String>, routes: Vec<RouteDescription>) -> Self {
        Self { prefix: prefix.into(), routes, content_security_policy: None }
    }
}

/// One address of a site, and who answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteDescription {
    /// Below the prefix, as in `/objects/{name}`; `{*rest}` takes all that follows.
    pub pattern: String,
    /// Upper case; empty for every method.
    #[serde(default)]
    pub methods: Vec<String>,
    #[serde(default)]
    pub scope: Scope,
    pub answer: RouteAnswer,
    /// What is said of it: an Operation Object of OpenAPI, without its problems. `None` for what no
    /// document can say, as of an application that is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Value>,
}

/// What a handler answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Takes {
    #[default]
    Requests,
    Websockets,
    Both,
}

/// How a handler gets a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TakenBody {
    /// As a stream, as far as it asks for it.
    #[default]
    Stream,
    /// Not at all.
    Ignored,
    /// Whole, and only if it is JSON.
    Json {
        /// So many at most; `None` for what the server allows.
        #[serde(default)]
        bytes: Option<usize>,
    },
    /// Whole, and only if it is a form; files in it are kept on the disk.
    Form {
        #[serde(default)]
        bytes: Option<usize>,
    },
    /// Whole, whatever it is.
    Bytes {
        #[serde(default)]
        bytes: Option<usize>,
    },
}

/// A handler in Python that answers a route.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerAnswer {
    /// Its number.
    pub handler: u64,
    #[serde(default)]
    pub takes: Takes,
    #[serde(default)]
    pub body: TakenBody,
    /// How many seconds an answer may be given again without asking Python.
    #[serde(default)]
    pub cache_seconds: Option<f64>,
}

/// Who answers a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RouteAnswer {
    /// A handler in Python.
    Handler(HandlerAnswer),
    /// Files below a folder.
    Folder {
        folder: PathBuf,
        /// Whether an address that is no file gets `index.html`, for pages that route by themselves.
        #[serde(default)]
        is_single_page: bool,
    },
    /// The events of a feed, as they happen, by its number.
    Events { source: u64 },
    /// What was published last, and to who follows it each time, by its number.
    Snapshot { source: u64 },
}
