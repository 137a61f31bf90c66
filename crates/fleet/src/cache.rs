//! What jobs have made: for those who ask for it, and for jobs that ask for the same.
//!
//! Where that is known is the engine; a picture that is not there any more answers nothing.

use std::path::{Path, PathBuf};

use aiobpy_wire::{Artefact, JobRequest, Problem};
use uuid::Uuid;

use crate::artefacts::{Artefacts, KeepError};
use crate::engine::{Engine, EngineError, Made};
use crate::fleet::{Asker, Fleet};
use crate::problems;
use crate::specs::Asked;

/// Why an artefact is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHere {
    #[error("no node has it any more")]
    Gone,
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Keep(#[from] KeepError),
}

impl Fleet {
    /// The file that has the bytes of an artefact, fetched from the node that made it if it is not here.
    ///
    /// # Errors
    ///
    /// 404 where it is nowhere any more, 503 where it cannot be fetched now.
    pub async fn artefact_file(&self, artefact: &Artefact) -> Result<PathBuf, Problem> {
        let bringing = bring(self.engine(), self.artefacts(), self.new_part(), artefact);
        bringing.await.map_err(|error| match error {
            NotHere::Gone => problems::no_such_artefact(artefact),
            NotHere::Engine(error) => problems::queue_failed(&error),
            NotHere::Keep(error) => problems::not_kept(&error),
        })
    }

    /// Where the bytes of an artefact are, if this node has them.
    pub fn artefact_path(&self, artefact: &Artefact) -> PathBuf {
        self.artefacts().path(artefact)
    }

    /// What an earlier job has made of the same, if that is good enough and is there still.
    pub(crate) async fn made_before(&self, request: &JobRequest, asker: &Asker) -> Option<Made> {
        let specs = self.specs().filter(|_| request.cache)?;
        let recipe = self.board().recipe(request.pool.as_deref(), &request.template)?;
        let tenant = asker.tenant.as_ref().map(|tenant| tenant.name.clone());
        let begun = specs.begin(Asked::of(request, tenant), recipe).await?;
        find(self.engine(), self.artefacts(), self.new_part(), begun.spec).await
    }
}

/// What a finished job of this spec has made, if it is there still: here now, and for as long as a new job is
/// kept. `part` is where it may be while it is fetched.
pub(crate) async fn find(
    engine: &impl Engine,
    artefacts: &Artefacts,
    part: PathBuf,
    spec: String,
) -> Option<Made> {
    let found = engine.finished_as(spec).await;
    let found = found.inspect_err(|error| tracing::warn!(%error, "could not look for a picture"));
    let made = found.ok()?.as_ref().and_then(Made::of)?;
    match keep_longer(engine, artefacts, part, &made.artefact).await {
        Ok(()) => Some(made),
        Err(error) => {
            tracing::info!(hash = made.artefact.hash, %error, "a picture is made once more");
            None
        }
    }
}

/// The file of an artefact, fetched if it is not here.
pub(crate) async fn bring(
    engine: &impl Engine,
    artefacts: &Artefacts,
    part: PathBuf,
    artefact: &Artefact,
) -> Result<PathBuf, NotHere> {
    let path = artefacts.path(artefact);
    if path.is_file() {
        return Ok(path);
    }
    if !engine.get_blob(artefact.clone(), part.clone()).await? {
        return Err(NotHere::Gone);
    }
    artefacts.take(&part, artefact)?;
    Ok(path)
}

async fn keep_longer(
    engine: &impl Engine,
    artefacts: &Artefacts,
    part: PathBuf,
    artefact: &Artefact,
) -> Result<(), NotHere> {
    let path = bring(engine, artefacts, part, artefact).await?;
    // Whoever forgets what ended long ago passes over what was used just now.
    artefacts.use_now(artefact)?;
    Ok(engine.put_blob(artefact.clone(), path).await?)
}

/// A file of its own in a folder.
pub(crate) fn new_part(work_dir: &Path) -> PathBuf {
    work_dir.join(format!("fetched-{}", Uuid::now_v7()))
}
