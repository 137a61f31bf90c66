//! Files that clients send for their jobs, as textures and .blends.

use std::path::PathBuf;

use aiobpy_wire::Problem;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::body;
use crate::error::Failure;
use crate::shared::WithFleet;

/// `POST /api/v1/inputs`: takes the body as a file, and answers with its name, which is the value of a
/// job's parameter. The same bytes have the same name.
#[tracing::instrument(name = "routes/inputs", skip_all)]
pub(crate) async fn take(
    State(WithFleet { fleet, shared }): State<WithFleet>,
    request: Request,
) -> Result<Response, Failure> {
    let file = Unkept(fleet.upload_path());
    let bytes = body::write_to_file(request, &shared.limits, file.0.clone()).await?;
    if bytes == 0 {
        return Err(empty().into());
    }
    let name = fleet.take_input(file.0.clone()).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": name, "bytes": bytes }))).into_response())
}

fn empty() -> Problem {
    Problem::new(422, "empty-input", "There is nothing in it", "the body has no bytes")
        .with_hint("send the file's bytes as the body, as `curl --data-binary @scene.blend` does")
}

/// A file that is gone when this is, unless it was moved.
struct Unkept(PathBuf);

impl Drop for Unkept {
    fn drop(&mut self) {
        // What was moved is not there any more; what cannot be removed goes when the server starts anew.
        let _moved = std::fs::remove_file(&self.0);
    }
}
