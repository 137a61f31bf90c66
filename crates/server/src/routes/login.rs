//! From a token, or the code of a link, to a cookie, for pages: scripts cannot read it, and no other site can have it sent.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth;
use crate::body;
use crate::connection::Connection;
use crate::cookies::Keep;
use crate::error::Failure;
use crate::principal::Principal;
use crate::shared::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Login {
    Token(String),
    /// Of a link that signs in: see `dashboard.rs`.
    Code(String),
}

/// `POST /login {"token": …}` or `{"code": …}`: the answer sets the cookie.
#[tracing::instrument(name = "routes/login", skip_all)]
pub(crate) async fn log_in(
    State(shared): State<Shared>,
    request: Request,
) -> Result<Response, Failure> {
    let connection = request.extensions().get::<Connection>().cloned();
    let asked = body::read_json(request, &shared.limits).await?;
    let now = shared.running.elapsed();
    let principal = match asked {
        Login::Token(token) => shared.keys.by_token(token.as_bytes(), connection.as_ref(), now)?,
        Login::Code(code) => shared.keys.by_link(&code, connection.as_ref(), now)?,
    };
    let secret = shared.keys.log_in(&principal, now)?;
    let is_secure = connection.is_some_and(|connection| connection.is_secure());
    let cookie = shared.keys.cookie.write(secret.as_str(), is_secure, Keep::ForNow);
    let mut response =
        ([(header::SET_COOKIE, cookie)], Json(described(&principal))).into_response();
    response.extensions_mut().insert(principal);
    Ok(response)
}

/// `POST /logout`: ends the session, with all that it has open. A paired device is forgotten.
#[tracing::instrument(name = "routes/login", skip_all)]
pub(crate) async fn log_out(
    State(shared): State<Shared>,
    request: Request,
) -> Result<Response, Failure> {
    let (method, headers) = (request.method(), request.headers());
    let connection = request.extensions().get::<Connection>();
    let Some(secret) = auth::cookie(&shared, headers, connection) else {
        return Err(Failure::NoToken);
    };
    auth::check_that_no_form_sent_it(method, headers)?;
    shared.keys.log_out(secret, shared.running.elapsed())?;
    let is_secure = connection.is_some_and(Connection::is_secure);
    let cookie = shared.keys.cookie.write("", is_secure, Keep::NoMore);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// `GET /api/v1/me`: who the server takes the client for.
#[tracing::instrument(name = "routes/login", skip_all)]
pub(crate) async fn show(principal: axum::Extension<Principal>) -> Json<Value> {
    Json(described(&principal))
}

pub(crate) fn described(principal: &Principal) -> Value {
    json!({
        "name": &*principal.name,
        "scope": principal.scope,
        "may_run_python": principal.may(aiobpy_wire::Scope::Exec).is_ok(),
    })
}
