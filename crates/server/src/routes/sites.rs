//! Requests for what add-ons have hung on the server.

use std::path::PathBuf;
use std::sync::Arc;

use aiobpy_wire::{HandlerAnswer, RouteAnswer, TakenBody, Takes};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};

use crate::auth::Principal;
use crate::body;
use crate::connection::Connection;
use crate::error::Failure;
use crate::exchange::{AnsweredFile, Begun, Head, ReceivedBody, Start};
use crate::files::{self, FolderRequest};
use crate::limits::Limits;
use crate::shared::Shared;
use crate::sites::Found;
use crate::websocket;

/// Any request that no route of our own takes.
pub(crate) async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let found = match shared.sites.find(method, path) {
        Some(Ok(found)) => found,
        Some(Err(failure)) => return shared.refuse(request, failure).await,
        None => {
            let path = path.to_owned();
            return shared.refuse(request, Failure::UnknownRoute { path }).await;
        }
    };
    let principal = request.extensions().get::<Principal>().cloned();
    let Some(principal) = principal else {
        return shared.refuse(request, Failure::NoToken).await;
    };
    if let Err(failure) = principal.may(found.scope) {
        return shared.refuse(request, failure).await;
    }
    let answered = match found.answer {
        RouteAnswer::Handler(handler) => {
            answer_by_handler(&shared, handler, found, principal, request).await
        }
        RouteAnswer::Folder { folder, is_single_page } => {
            return answer_from_folder(&shared, folder, is_single_page, found.parameters, request)
                .await;
        }
    };
    answered.unwrap_or_else(Failure::into_response)
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

#[tracing::instrument(name = "routes/sites", skip_all)]
async fn answer_by_handler(
    shared: &Shared,
    answer: HandlerAnswer,
    found: Found,
    principal: Principal,
    mut request: Request,
) -> Result<Response, Failure> {
    let main_thread = shared.main_thread.as_ref().ok_or(Failure::NoMainThread)?;
    let upgrade = match answer.takes {
        Takes::Requests => None,
        Takes::Both if !websocket::is_asked_for(&request) => None,
        Takes::Both | Takes::Websockets => Some(websocket::Upgrade::of(&mut request)?),
    };
    let connection = request.extensions().get::<Connection>().cloned();
    let (parts, body) = request.into_parts();
    let (received, streamed) = match answer.body {
        TakenBody::Stream => (ReceivedBody::Streamed, upgrade.is_none().then_some(body)),
        _ => (received(answer.body, &parts.headers, body, &shared.limits).await?, None),
    };
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
        tls: connection.and_then(|connection| connection.tls),
        principal,
        body: received,
    };
    let (client, begun) = main_thread
        .begin(head, |client| {
            if let Some(body) = streamed {
                shared.tasks.spawn(client.read_body(body));
            }
        })
        .await?;
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
