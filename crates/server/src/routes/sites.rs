//! Requests for what add-ons have hung on the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aiobpy_wire::{HandlerAnswer, RouteAnswer, Scope, TakenBody, Takes};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use http_body::Body as _;

use crate::body;
use crate::cache::{Kept, Key};
use crate::connection::Connection;
use crate::error::Failure;
use crate::exchange::{AnsweredFile, Begun, Client, Head, ReceivedBody, Start};
use crate::files::conditions::{Validators, Verdict, verdict};
use crate::files::{self, FolderRequest};
use crate::form;
use crate::harden::OfSite;
use crate::limits::Limits;
use crate::main_thread::SERVER_TIMING;
use crate::routes::pushed;
use crate::sender::Sender;
use crate::shared::Shared;
use crate::sites::{Found, Source};
use crate::websocket;

/// Any request that no route of our own takes.
pub(crate) async fn answer(shared: &Shared, mut request: Request, sender: Sender) -> Response {
    let path = request.uri().path();
    // Over HTTP/2 a WebSocket begins with CONNECT; to who looks for its route it is the same.
    let is_websocket = websocket::is_asked_for(&request);
    let method = if is_websocket { &Method::GET } else { request.method() };
    let found = match shared.sites.find(method, path) {
        Some(Ok(found)) => found,
        Some(Err(failure)) => return shared.refuse(request, failure).await,
        None => {
            let path = path.to_owned();
            return shared.refuse(request, Failure::UnknownRoute { path }).await;
        }
    };
    let Some(principal) = &sender.principal else {
        return shared.refuse(request, Failure::NoToken).await;
    };
    if let Err(failure) = principal.may(found.scope) {
        return shared.refuse(request, failure).await;
    }
    let is_foreign = matches!(found.answer, RouteAnswer::Handler(_));
    let of_site = OfSite { site: Arc::clone(&found.site), is_foreign };
    let answered = match found.answer {
        RouteAnswer::Handler(handler) => {
            let asked = Asked { handler, found, sender };
            match handler.cache_seconds {
                Some(seconds) => answer_from_cache(shared, seconds, asked, request).await,
                None => answer_by_handler(shared, asked, request).await,
            }
        }
        RouteAnswer::Events { source } | RouteAnswer::Snapshot { source } => {
            sender.note_in(&mut request);
            answer_from_source(shared, source, request)
        }
        RouteAnswer::Folder { folder, is_single_page } => {
            let below = found.parameters;
            Ok(answer_from_folder(shared, folder, is_single_page, below, request).await)
        }
    };
    let mut response = answered.unwrap_or_else(Failure::into_response);
    response.extensions_mut().insert(of_site);
    response
}

/// The last part of the pattern says where below the folder, as in `/static/{*rest}`.
#[tracing::instrument(name = "routes/sites", skip_all)]
async fn answer_from_folder(
    shared: &Shared,
    folder: PathBuf,
    is_single_page: bool,
    parameters: Vec<(String, String)>,
    request: Request,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if method != Method::GET && method != Method::HEAD {
        let allowed = Some("GET, HEAD".to_owned());
        return shared.refuse(request, Failure::WrongMethod { method, path, allowed }).await;
    }
    let below = parameters.last().map_or("", |(_, value)| value);
    let (uri, headers) = (request.uri(), request.headers());
    let of_folder = FolderRequest { method: &method, uri, headers, below };
    let cache = Arc::clone(&shared.files);
    match files::answer(folder, is_single_page, cache, of_folder).await {
        Ok(response) => response,
        Err(failure) => shared.refuse(request, failure).await,
    }
}

/// Handlers have no part in it.
#[tracing::instrument(name = "routes/sites", skip_all)]
fn answer_from_source(shared: &Shared, source: u64, request: Request) -> Result<Response, Failure> {
    match shared.sites.source(source) {
        Some(Source::Feed(feed)) => pushed::follow(shared, &feed, &request),
        Some(Source::Snapshot(snapshot)) => pushed::show(shared, &snapshot, request),
        None => Err(Failure::UnknownRoute { path: request.uri().path().to_owned() }),
    }
}

/// A handler that is asked, and what is known of the request.
struct Asked {
    handler: HandlerAnswer,
    found: Found,
    sender: Sender,
}

/// Gives the last answer again, while it is fresh. Else one asks the handler, and all others wait
/// for that answer.
#[tracing::instrument(name = "routes/sites", skip_all)]
async fn answer_from_cache(
    shared: &Shared,
    seconds: f64,
    asked: Asked,
    request: Request,
) -> Result<Response, Failure> {
    let longest = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let key = Key {
        handler: asked.handler.handler,
        target: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        scope: asked.sender.principal.as_ref().map_or(Scope::Read, |principal| principal.scope),
    };
    let headers = request.headers().clone();
    let entry = shared.cache.entry(&key);
    if let Some(kept) = entry.fresh(longest) {
        return Ok(give_again(&kept, longest, &headers));
    }
    let mut turn = Some(entry.asking.lock().await);
    if let Some(kept) = entry.fresh(longest) {
        return Ok(give_again(&kept, longest, &headers));
    }
    if entry.is_not_kept() {
        turn = None;
    }
    let (client, begun, upgrade) = ask(shared, asked, request).await?;
    if let Begun::Whole(start, body) = &begun
        && let Some(kept) = shared.cache.keep(&key, &entry, start, body)
    {
        return Ok(give_again(&kept, longest, &headers));
    }
    drop(turn);
    finish(shared, client, begun, upgrade).await
}

fn give_again(kept: &Kept, longest: Duration, headers: &HeaderMap) -> Response {
    let validators = Validators { tag: kept.tag.clone(), modified: None };
    let mut response = match verdict(headers, &validators) {
        Verdict::Go => {
            let headers = kept.headers.clone();
            respond(Start { status: StatusCode::OK, headers }, Body::from(kept.body.clone()))
        }
        Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::Failed => StatusCode::PRECONDITION_FAILED.into_response(),
    };
    let headers = response.headers_mut();
    // Of the request that was answered first.
    headers.remove(SERVER_TIMING);
    let mut set = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &kept.tag);
    set(header::AGE, &kept.age().as_secs().to_string());
    if !kept.headers.contains_key(header::CACHE_CONTROL) {
        set(header::CACHE_CONTROL, &format!("private, max-age={}", longest.as_secs()));
    }
    response
}

#[tracing::instrument(name = "routes/sites", skip_all)]
async fn answer_by_handler(
    shared: &Shared,
    asked: Asked,
    request: Request,
) -> Result<Response, Failure> {
    let (client, begun, upgrade) = ask(shared, asked, request).await?;
    finish(shared, client, begun, upgrade).await
}

/// Has the handler begin its answer.
async fn ask(
    shared: &Shared,
    asked: Asked,
    mut request: Request,
) -> Result<(Client, Begun, Option<websocket::Upgrade>), Failure> {
    let Asked { handler: answer, found, sender } = asked;
    let main_thread = shared.main_thread.as_ref().ok_or(Failure::NoMainThread)?;
    let upgrade = match answer.takes {
        Takes::Requests => None,
        Takes::Both if !websocket::is_asked_for(&request) => None,
        Takes::Both | Takes::Websockets => {
            sender.note_in(&mut request);
            Some(websocket::Upgrade::of(&mut request)?)
        }
    };
    let Sender { connection, principal, trace } = sender;
    let principal = principal.ok_or(Failure::NoToken)?;
    let (parts, body) = request.into_parts();
    let (received, streamed) = match answer.body {
        TakenBody::Stream => (ReceivedBody::Streamed, upgrade.is_none().then_some(body)),
        _ => (received(answer.body, &parts.headers, body, &shared.limits).await?, None),
    };
    let takes_hints = parts.version == Version::HTTP_11 && upgrade.is_none();
    let rest = body::rest_of(&parts.headers, &shared.limits);
    let head = Head {
        handler: answer.handler,
        is_websocket: upgrade.is_some(),
        method: parts.method,
        uri: parts.uri,
        version: parts.version,
        headers: parts.headers,
        prefix: found.site.prefix.clone(),
        parameters: found.parameters,
        client: connection.as_ref().and_then(|connection| connection.peer),
        server: connection.as_ref().and_then(|it| it.local).unwrap_or(shared.address),
        is_secure: connection.as_ref().is_some_and(Connection::is_secure),
        heads: connection.as_ref().filter(|_| takes_hints).and_then(|it| it.heads.get().cloned()),
        tls: connection.and_then(|connection| connection.tls.clone()),
        principal,
        trace,
        body: received,
    };
    let (client, begun) = main_thread
        .begin(head, |client| {
            match streamed {
                // Most requests have none.
                Some(body) if body.is_end_stream() => client.has_no_body(),
                Some(body) => drop(shared.tasks.spawn(client.read_body(body, rest))),
                None => {}
            }
        })
        .await?;
    Ok((client, begun, upgrade))
}

/// Sends what the handler answers.
async fn finish(
    shared: &Shared,
    client: Client,
    begun: Begun,
    upgrade: Option<websocket::Upgrade>,
) -> Result<Response, Failure> {
    match begun {
        Begun::Streamed(start) if start.status == StatusCode::SWITCHING_PROTOCOLS => {
            let upgrade = upgrade.ok_or(Failure::Closing)?;
            let response = respond(start, Body::empty());
            Ok(upgrade.accept(response, client, shared))
        }
        Begun::Whole(start, bytes) => Ok(respond(start, Body::from(bytes))),
        Begun::Streamed(start) => Ok(respond(start, Body::new(client.answering()))),
        Begun::File(answered) => {
            let AnsweredFile { start, path, asked } = *answered;
            let Start { status, headers } = start;
            let mut response =
                files::send_named(path, headers, asked.as_ref(), &shared.files).await?;
            if response.status() == StatusCode::OK {
                *response.status_mut() = status;
            }
            Ok(response)
        }
        Begun::Dropped => Err(Failure::Closing),
    }
}

/// What is read before the handler is asked, so that it need not wait.
async fn received(
    taken: TakenBody,
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
) -> Result<ReceivedBody, Failure> {
    let whole = match taken {
        TakenBody::Stream => return Ok(ReceivedBody::Streamed),
        TakenBody::Ignored => None,
        TakenBody::Json { bytes } => {
            let most = bytes.unwrap_or(limits.body_bytes);
            body::read_json_text(headers, body, limits, most).await?
        }
        TakenBody::Form { bytes } => {
            let most = bytes.unwrap_or(limits.body_bytes);
            let form = form::read(headers, body, limits, most).await?;
            return Ok(ReceivedBody::Form(form));
        }
        TakenBody::Bytes { bytes } => {
            let most = bytes.unwrap_or(limits.body_bytes);
            Some(body::read_bytes(headers, body, limits, most).await?)
        }
    };
    Ok(whole.map_or(ReceivedBody::Absent, ReceivedBody::Whole))
}

fn respond(start: Start, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = start.status;
    *response.headers_mut() = start.headers;
    // A connection's own business, which hyper sees to.
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE] {
        response.headers_mut().remove(name);
    }
    response
}
