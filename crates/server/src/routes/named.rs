//! What an address names, if it is there and the client may see it.

use aiobpy_fleet::Fleet;
use aiobpy_wire::{Batch, BatchId, Job, JobId};
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::error::Failure;
use crate::principal::Principal;
use crate::shared::WithFleet;

/// The job or the batch whose id is in the address.
pub(crate) struct Named<T>(pub(crate) T);

/// What a fleet keeps under an id.
pub(crate) trait Kept: Sized + Send {
    fn find(fleet: &Fleet, id: &str) -> impl Future<Output = Result<Option<Self>, Failure>> + Send;

    fn tenant(&self) -> Option<&str>;

    fn unknown(id: String) -> Failure;
}

impl<T: Kept> FromRequestParts<WithFleet> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &WithFleet) -> Result<Self, Failure> {
        let bad_path =
            |rejection: PathRejection| Failure::BadPath { detail: rejection.body_text() };
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(bad_path)?;
        let principal = Extension::<Principal>::from_request_parts(parts, state).await;
        let found = T::find(&state.fleet, &id).await?;
        let may_see = |it: &T| principal.is_ok_and(|principal| principal.may_see(it.tenant()));
        found.filter(may_see).map(Self).ok_or_else(|| T::unknown(id))
    }
}

impl Kept for Job {
    async fn find(fleet: &Fleet, id: &str) -> Result<Option<Self>, Failure> {
        match id.parse::<JobId>() {
            Ok(id) => Ok(fleet.look_up(id).await?),
            Err(_) => Ok(None),
        }
    }

    fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    fn unknown(id: String) -> Failure {
        Failure::UnknownJob { id }
    }
}

impl Kept for Batch {
    async fn find(fleet: &Fleet, id: &str) -> Result<Option<Self>, Failure> {
        match id.parse::<BatchId>() {
            Ok(id) => Ok(fleet.batch(id).await),
            Err(_) => Ok(None),
        }
    }

    fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    fn unknown(id: String) -> Failure {
        Failure::UnknownBatch { id }
    }
}
