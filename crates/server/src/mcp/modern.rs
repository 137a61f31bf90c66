//! What only revision 2026-07-28 has: requests that say all that they need to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Value, json};

use super::{LEGACY, Refusal, capabilities, server_info};
use crate::json_rpc::Request;

pub(crate) const MODERN: &str = "2026-07-28";

pub(super) const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(super) const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// How long lists may be kept, in milliseconds. Whoever listens hears of changes.
const TTL_OF_LISTS: u64 = 5000;

/// Whether a request is of this revision, or of one that is newer still.
pub(crate) fn is_spoken(headers: &HeaderMap, request: &Request) -> bool {
    let version = header(headers, "mcp-protocol-version");
    let is_newer = version.is_some_and(|version| !LEGACY.contains(&version));
    is_newer || meta(request).is_some_and(|meta| meta.get(VERSION).is_some())
}

/// # Errors
/// The headers and `_meta` are not as the revision wants them.
pub(crate) fn check(headers: &HeaderMap, request: &Request) -> Result<(), Refusal> {
    let meta = meta(request).unwrap_or_default();
    let Some(version) = header(headers, "mcp-protocol-version") else {
        return Err(Refusal::header_mismatch("the header MCP-Protocol-Version is missing"));
    };
    for name in [VERSION, CAPABILITIES] {
        if meta.get(name).is_none() {
            return Err(Refusal::invalid_params(format!("`_meta` has no {name:?}")));
        }
    }
    if meta[VERSION] != version {
        return Err(differs("MCP-Protocol-Version", "the version in `_meta`"));
    }
    if version != MODERN {
        return Err(Refusal::unsupported_version(version, &[MODERN]));
    }
    if header(headers, "mcp-method") != Some(&request.method) {
        return Err(differs("Mcp-Method", "the method"));
    }
    match (named(request), header(headers, "mcp-name")) {
        (Some(name), Some(given)) if decoded(given) == name => Ok(()),
        (Some(_), _) => Err(differs("Mcp-Name", "the name or the URI in the parameters")),
        (None, _) => Ok(()),
    }
}

pub(super) fn discover() -> Value {
    json!({
        "supportedVersions": [MODERN],
        "capabilities": capabilities(true),
        "instructions": "Tools of a running Blender. What they change, the person who runs it sees.",
    })
}

/// A result with what the revision has every result say.
pub(super) fn complete(method: &str, mut result: Value) -> Value {
    if result.get("resultType").is_none() {
        result["resultType"] = "complete".into();
    }
    let ttl = match method {
        "server/discover"
        | "tools/list"
        | "prompts/list"
        | "resources/list"
        | "resources/templates/list" => Some(TTL_OF_LISTS),
        "resources/read" => Some(0),
        _ => None,
    };
    if let Some(ttl) = ttl {
        result["ttlMs"] = ttl.into();
        // What is offered depends on who asks.
        result["cacheScope"] = "private".into();
    }
    result["_meta"][SERVER_INFO] = server_info();
    result
}

/// What the header `Mcp-Name` has to say again.
fn named(request: &Request) -> Option<String> {
    let member = match request.method.as_str() {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return None,
    };
    let params: Value = serde_json::from_str(request.params()).ok()?;
    Some(params.get(member)?.as_str()?.to_owned())
}

/// A header's text: what is no ASCII comes in Base64, between `=?base64?` and `?=`.
fn decoded(given: &str) -> String {
    let encoded = given.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| given.to_owned())
}

fn meta(request: &Request) -> Option<Value> {
    let params: Value = serde_json::from_str(request.params()).ok()?;
    params.get("_meta").cloned()
}

fn header<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn differs(header: &str, from: &str) -> Refusal {
    Refusal::header_mismatch(format!("the header {header} is missing, or is not {from}"))
}
