//! What has to hold for any bytes. A fuzz target calls it; a test does with the target's corpus.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aiobpy_wire::{JobRequest, LoopStatus, MainThreadStatus, Problem};
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use http::uri::Authority;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::auth;
use crate::body::{depth_of as counted_depth_of, read_json};
use crate::files::ranges::{self, Asked};
use crate::files::{self, Validators, Verdict};
use crate::form;
use crate::gate::{Gate, Via};
use crate::limits::Limits;
use crate::main_thread::{MainThread, Refused, Work};
use crate::prefer;
use crate::router::Front;
use crate::routes::events::last_event_id;
use crate::shared::{Parts, Shared};
use crate::token::Token;
use crate::trace::Trace;

#[path = "../../../fuzz/common/head.rs"]
mod head;

const TOKEN: &str = "0123456789abcdef";
const PORT: u16 = 4321;

/// A request's headers, after a line with the size of the file that they are about.
pub fn headers(data: &[u8]) {
    let (first_line, headers, _) = head::parse(data);
    let headers = &headers;
    let longest = Duration::from_mins(5);
    assert!(prefer::wait(headers, longest).is_none_or(|wait| wait <= longest));
    ranges(headers, first_line.parse().unwrap_or(1000));
    files(headers, first_line);
    let gate = Gate::new(([127, 0, 0, 1], PORT).into());
    if gate.check(&Uri::from_static("/"), headers, Via::Plain).is_ok() {
        is_from_here(headers);
    }
    let trace = Trace::of(headers);
    assert!((1..=64).contains(&trace.request_id.len()) && trace.parent().len() == 55);
    if auth::bearer(headers).is_ok_and(|given| given == TOKEN.as_bytes()) {
        has_token(headers);
    }
    if let Ok(Some(sequence)) = last_event_id(headers) {
        let text = headers["last-event-id"].to_str().unwrap().trim();
        assert_eq!(text.trim_start_matches('0'), sequence.to_string().trim_start_matches('0'));
    }
}

/// A form: no more comes out than went in, and a file's name is that of a file.
pub fn forms(data: &[u8]) {
    const MOST: usize = 64 << 10;
    let (_, headers, body) = head::parse(data);
    let limits = Limits::default();
    let reading = form::read(&headers, Body::from(body.to_vec()), &limits, MOST);
    let Ok(form) = runtime().block_on(reading) else { return };
    let fields = form.fields.iter().map(|(_, value)| value.len() as u64);
    let files = form.uploads.iter().map(|upload| upload.bytes);
    assert!(fields.chain(files).sum::<u64>() <= body.len() as u64);
    for upload in &form.uploads {
        let name = &upload.file_name;
        assert!(!name.is_empty() && !name.starts_with('.') && name.chars().count() <= 256);
        assert!(!name.contains(['/', '\\', ':']) && !name.contains(char::is_control));
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Parts lie within the file and apart, and only what is written as the RFC has it asks for one.
fn ranges(headers: &HeaderMap, bytes: u64) {
    let Some(text) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return;
    };
    let asked = ranges::asked(text, bytes);
    if let Asked::Parts(parts) = &asked {
        assert!((1..=8).contains(&parts.len()));
        assert!(parts.iter().all(|part| part.length > 0));
        assert!(parts.iter().map(|part| part.length).sum::<u64>() <= bytes);
        assert!(
            parts.iter().all(|it| it.first.checked_add(it.length).is_some_and(|end| end <= bytes))
        );
    }
    if asked != Asked::Whole {
        let of_numbers = |byte: u8| byte.is_ascii_digit() || b" \t-,".contains(&byte);
        let (unit, list) = text.split_once('=').unwrap();
        assert!(unit.eq_ignore_ascii_case("bytes") && list.bytes().all(of_numbers), "{text}");
    }
}

/// A path leads to nothing above, whatever it is made of; weights and tags are read without an end
/// of ours.
fn files(headers: &HeaderMap, path: &str) {
    if let Ok(below) = percent_encoding::percent_decode_str(path).decode_utf8()
        && let Some(address) = files::address(path, &below)
    {
        let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.');
        assert!(address.path.is_empty() || address.path.split('/').all(is_plain));
        assert!(!address.path.contains(['\\', ':', '\0']));
    }
    assert!(files::accepted(headers).len() <= 2);
    let validators = Validators { tag: "\"tag\"".to_owned(), modified: Some(UNIX_EPOCH) };
    let _either = files::if_range_holds(headers, &validators, UNIX_EPOCH);
    if files::verdict(headers, &validators) == Verdict::NotModified {
        let named = headers.contains_key(header::IF_NONE_MATCH);
        assert!(named || headers.contains_key(header::IF_MODIFIED_SINCE));
    }
}

fn is_from_here(headers: &HeaderMap) {
    let is_ours = |authority: &str| {
        let authority: Authority = authority.parse().unwrap();
        let host = authority.host().to_ascii_lowercase();
        ["127.0.0.1", "localhost", "[::1]"].contains(&host.as_str())
            && authority.port_u16() == Some(PORT)
            && !authority.as_str().contains('@')
    };
    let text = |name| headers.get_all(name).into_iter().map(|value| value.to_str().unwrap());
    assert!(text(header::HOST).map(is_ours).eq([true]));
    assert!(text(header::ORIGIN).all(|it| it.strip_prefix("http://").is_some_and(is_ours)));
    let sites = headers.get_all("sec-fetch-site");
    assert!(sites.into_iter().all(|site| site == "same-origin" || site == "none"));
}

fn has_token(headers: &HeaderMap) {
    let mut given = headers.get_all(header::AUTHORIZATION).into_iter();
    let given = (given.next().unwrap().to_str().unwrap(), given.next());
    assert_eq!(given.1, None);
    let (scheme, token) = given.0.split_once(' ').unwrap();
    assert_eq!((scheme.to_ascii_lowercase().as_str(), token.trim()), ("bearer", TOKEN));
}

/// A whole request: `POST /api/v1/rpc/name`, headers, a body. What is answered has the hardening headers, is no
/// failure of ours, and is a problem unless it is a success; and only who is let in has a success.
pub fn requests(data: &[u8]) {
    let (first_line, headers, body) = head::parse(data);
    let (method, path) = first_line.split_once(' ').unwrap_or(("GET", "/healthz"));
    let (Ok(method), Ok(uri)) = (method.parse::<Method>(), path.parse::<Uri>()) else { return };
    SERVICE.with(|(runtime, service)| {
        runtime.block_on(async {
            let request = || {
                let mut request = Request::new(Body::from(Bytes::copy_from_slice(body)));
                *request.method_mut() = method.clone();
                *request.uri_mut() = uri.clone();
                *request.headers_mut() = headers.clone();
                request
            };
            let response = service.answer(request()).await;
            is_sound(response.map(Body::new), &headers, &uri, &method).await;
            reads_json(request(), body).await;
        });
    });
}

thread_local! {
    static SERVICE: (Runtime, Front) = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let address = ([127, 0, 0, 1], PORT).into();
        let parts = Parts { main_thread: Some(Arc::new(Echo)), ..Parts::default() };
        let token = Token::new(TOKEN).unwrap();
        (runtime, Front::new(Shared::new(address, token, Limits::default(), parts)))
    };
}

async fn is_sound(response: Response, headers: &HeaderMap, uri: &Uri, method: &Method) {
    let status = response.status();
    assert!(!status.is_server_error(), "{status}");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers().contains_key(header::CACHE_CONTROL));
    if status.is_success() {
        is_from_here(headers);
        if uri.path() != "/healthz" {
            has_token(headers);
        }
    } else if *method != Method::HEAD {
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.status, status.as_u16());
        assert!(status != StatusCode::UNAUTHORIZED || !problem.detail.contains(TOKEN));
    }
}

/// What is taken as JSON is JSON, and its depth is counted as it is.
async fn reads_json(request: Request<Body>, sent: &[u8]) {
    let is_there = request.headers().contains_key(header::CONTENT_TYPE);
    if let Ok(job) = read_json::<JobRequest>(request, &Limits::default()).await {
        assert_eq!(serde_json::from_slice::<JobRequest>(sent).ok(), Some(job));
        assert!(is_there);
    }
    if let Ok(value) = serde_json::from_slice::<Value>(sent) {
        let text = str::from_utf8(sent).unwrap();
        // A key that comes twice is there once, so the text may be deeper than what is kept of it.
        assert!(counted_depth_of(text) >= depth_of(&value), "{text}");
    }
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

/// Answers each call with its parameters, which are JSON by then.
struct Echo;

impl MainThread for Echo {
    fn post(&self, work: Work) -> Result<(), Refused> {
        let Work::Call(call) = work else { return Err(Refused::Closed) };
        assert!(serde_json::from_str::<Value>(&call.params).unwrap().is_object());
        call.answer.send(Ok(call.params));
        Ok(())
    }

    fn status(&self) -> MainThreadStatus {
        MainThreadStatus {
            blender_version: None,
            seconds_since_tick: 0.0,
            event_loop: LoopStatus::default(),
        }
    }
}

#[cfg(test)]
#[path = "../../../fuzz/common/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        corpus::replay("server_headers", super::headers);
    }

    #[test]
    fn forms() {
        corpus::replay("server_forms", super::forms);
    }

    #[test]
    fn requests() {
        corpus::replay("server_requests", super::requests);
    }
}
