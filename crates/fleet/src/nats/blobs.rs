//! What jobs leave behind, for nodes that did not make it.

use std::path::Path;
use std::time::Duration;

use aiobpy_wire::Artefact;
use async_nats::jetstream::object_store::{GetErrorKind, ObjectInfo, ObjectMetadata};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::engine::{Answer, EngineError};
use crate::nats::Shared;
use crate::nats::events::away;

/// A message may have twice as many bytes, and each waits for disks.
const CHUNK: usize = 512 * 1024;
/// How long it may take, besides a second for each mebibyte.
const LIMIT: Duration = Duration::from_secs(20);
/// A server may learn a moment later than another that there is an artefact.
const LOOK_FOR: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

impl Shared {
    pub(super) async fn put(&self, artefact: &Artefact, file: &Path) -> Answer<()> {
        let putting = async {
            if let Ok(info) = self.store.info(&artefact.hash).await
                && self.is_there_for_long(&info, artefact)
            {
                return Ok(());
            }
            let mut file = File::open(file).await.map_err(|error| storage(&error))?;
            let about = ObjectMetadata {
                name: artefact.hash.clone(),
                description: Some(artefact.content_type.clone()),
                chunk_size: Some(CHUNK),
                ..ObjectMetadata::default()
            };
            self.store.put(about, &mut file).await.map_err(|error| away(&error.into()))?;
            Ok(())
        };
        within(artefact, putting).await
    }

    /// Whether there is such an artefact, which is in the file then.
    pub(super) async fn get(&self, artefact: &Artefact, file: &Path) -> Answer<bool> {
        let getting = async {
            let deadline = clock::instant() + LOOK_FOR;
            let mut object = loop {
                match self.store.get(&artefact.hash).await {
                    Ok(object) => break object,
                    Err(error) if error.kind() != GetErrorKind::NotFound => {
                        return Err(away(&error.into()));
                    }
                    Err(_) if clock::instant() >= deadline => return Ok(false),
                    Err(_) => sleep(PAUSE).await,
                }
            };
            let mut written = File::create_new(file).await.map_err(|error| storage(&error))?;
            let mut hasher = blake3::Hasher::new();
            let mut buffer = vec![0; CHUNK];
            loop {
                // It checks a hash of its own; that it is the right artefact, it cannot know.
                let count = object.read(&mut buffer).await.map_err(|error| away(&error.into()))?;
                if count == 0 {
                    break;
                }
                hasher.update(&buffer[..count]);
                written.write_all(&buffer[..count]).await.map_err(|error| storage(&error))?;
            }
            written.sync_all().await.map_err(|error| storage(&error))?;
            let hash = hasher.finalize().to_hex();
            if hash.as_str() == artefact.hash {
                return Ok(true);
            }
            Err(EngineError::Storage {
                cause: format!("the servers have damaged `{}`: it is `{hash}` now", artefact.hash),
            })
        };
        within(artefact, Box::pin(getting)).await
    }

    /// Whether the same bytes, which an earlier job left, will be there as long as the new job.
    fn is_there_for_long(&self, info: &ObjectInfo, artefact: &Artefact) -> bool {
        let age = info.modified.map(|at| clock::timestamp().as_second() - at.unix_timestamp());
        let is_young = age
            .and_then(|age| u64::try_from(age.max(0)).ok())
            .is_some_and(|seconds| Duration::from_secs(seconds) < self.keep);
        !info.deleted && info.size as u64 == artefact.bytes && is_young
    }
}

async fn within<T>(artefact: &Artefact, work: impl Future<Output = Answer<T>>) -> Answer<T> {
    let limit = LIMIT + Duration::from_secs(artefact.bytes >> 20);
    let late = |_| EngineError::Away { cause: "an artefact took too long".into() };
    timeout(limit, work).await.map_err(late)?
}

fn storage(error: &std::io::Error) -> EngineError {
    EngineError::Storage { cause: error.to_string() }
}
