//! Requests for what add-ons have hung on the server.

use aiobpy_wire::{RouteAnswer, Takes};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::auth::Principal;
use crate::connection::Connection;
use crate::error::Failure;
use crate::exchange::{Begun, Head, Start};
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
        RouteAnswer::Handler { handler, takes, .. } => {
            let asked = (handler, takes);
            answer_by_handler(&shared, asked, found, principal, request).await
        }
        RouteAnswer::Folder { .. } => {
            Err(Failure::UnknownRoute { path: request.uri().path().to_owned() })
        }
    };
    answered.unwrap_or_else(Failure::into_response)
}

#[tracing::instrument(name = "routes/sites", skip_all)]
async fn answer_by_handler(
    shared: &Shared,
    (handler, takes): (u64, Takes),
    found: Found,
    principal: Principal,
    mut request: Request,
) -> Result<Response, Failure> {
    let main_thread = shared.main_thread.as_ref().ok_or(Failure::NoMainThread)?;
    let upgrade = match takes {
        Takes::Requests => None,
        Takes::Both if !websocket::is_asked_for(&request) => None,
        Takes::Both | Takes::Websockets => Some(websocket::Upgrade::of(&mut request)?),
    };
    let connection = request.extensions().get::<Connection>().copied();
    let (parts, body) = request.into_parts();
    let head = Head {
        handler,
        is_websocket: upgrade.is_some(),
        method: parts.method,
        uri: parts.uri,
        version: parts.version,
        headers: parts.headers,
        prefix: found.site.prefix.clone(),
        parameters: found.parameters,
        client: connection.and_then(|connection| connection.peer),
        server: shared.address,
        is_secure: connection.is_some_and(|connection| connection.is_secure),
        principal,
    };
    let (client, begun) = main_thread
        .begin(head, |client| {
            if upgrade.is_none() {
                let reading = client.read_body(body);
                shared.tasks.spawn(reading);
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
        Begun::Dropped => Err(Failure::Closing),
    }
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
