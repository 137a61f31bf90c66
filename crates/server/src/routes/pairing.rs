//! The page on which a device asks to be let in, and what it asks.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::body;
use crate::connection::Connection;
use crate::cookies::Keep;
use crate::devices::shown_name;
use crate::error::Failure;
use crate::keys::address_of;
use crate::pairing::{Claim, PATIENCE};
use crate::shared::Shared;

/// `GET /pair`: what a QR code opens. The code is in the fragment, which browsers keep to themselves.
pub(crate) async fn page() -> Response {
    asset("text/html; charset=utf-8", include_str!("../../assets/pair.html"))
}

/// `GET /pair.js`
pub(crate) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../assets/pair.js"))
}

/// `GET /pair.css`
pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../../assets/pair.css"))
}

/// `GET /ca.crt`: what a device is made to trust, so that it need not be told to trust us each time.
/// It tells nothing that a handshake does not.
pub(crate) async fn authority(State(shared): State<Shared>) -> Result<Response, Failure> {
    let sharing = shared.sharing.load();
    let authority = sharing.as_ref().and_then(|sharing| sharing.authority());
    let authority = authority.ok_or(Failure::NoAuthority)?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"aiobpy.crt\""),
    ];
    Ok((headers, authority.to_vec()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    code: String,
    /// As its user calls the device.
    #[serde(default)]
    name: String,
}

/// `POST /pair/claim {"code": …, "name": …}`: answered when a person has said yes or no in Blender.
/// The answer has the device's token, for programs, and sets it as a cookie, for pages.
#[tracing::instrument(name = "routes/pairing", skip_all)]
pub(crate) async fn claim(
    State(shared): State<Shared>,
    request: Request,
) -> Result<Response, Failure> {
    let connection = request.extensions().get::<Connection>().cloned();
    let Asked { code, name } = body::read_json(request, &shared.limits).await?;
    let address = address_of(connection.as_ref());
    let now = shared.running.elapsed();
    shared.keys.may_try(address, now)?;
    if let Err(failure) = shared.pairing.claim(&code, now) {
        return Err(match failure {
            Failure::WrongCode => shared.keys.wrong(address, code.as_bytes(), now, failure),
            too_late => too_late,
        });
    }
    let peer = connection.as_ref().and_then(|connection| connection.peer);
    let (claim, answered) = Claim::new(shown_name(&name), peer.map(|peer| peer.ip()));
    shared.main_thread.as_ref().ok_or(Failure::PairingRefused)?.ask_to_pair(claim)?;
    let scope = tokio::select! {
        answered = tokio::time::timeout(PATIENCE, answered) => match answered {
            Ok(answered) => answered.ok().flatten().ok_or(Failure::PairingRefused)?,
            Err(_elapsed) => return Err(Failure::PairingUnanswered { limit: PATIENCE }),
        },
        () = shared.stopping.cancelled() => return Err(Failure::Closing),
    };
    let (device, token) = shared.keys.devices.add(&name, scope)?;
    let is_secure = connection.is_some_and(|connection| connection.is_secure());
    let cookie = shared.keys.cookie.write(token.as_str(), is_secure, Keep::ForLong);
    let told = json!({
        "id": device.id,
        "name": device.name,
        "scope": device.scope,
        "paired_at": device.paired_at,
        "token": token.as_str(),
    });
    let mut response =
        (StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(told)).into_response();
    // For the audit: who has come in.
    if let Some(principal) = shared.keys.devices.find(token.as_str().as_bytes(), now) {
        response.extensions_mut().insert(principal);
    }
    Ok(response)
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
