//! `GET /api/v1/echo`: a WebSocket that sends back what it gets, to see that one gets through.

use axum::extract::{Request, State};
use axum::response::Response;

use crate::error::Failure;
use crate::shared::Shared;
use crate::websocket::Upgrade;

/// Answers while the main thread is blocked, as it does not need it.
#[tracing::instrument(name = "routes/echo", skip_all)]
pub(crate) async fn open(
    State(shared): State<Shared>,
    mut request: Request,
) -> Result<Response, Failure> {
    Ok(Upgrade::of(&mut request)?.echo(&shared))
}
