//! Files, read and hashed by a helper.

use std::fs::File;
use std::io::{self, Read, Take};
use std::path::{Path, PathBuf};

use crate::digest::{self, Digest};
use crate::failure::Failure;
use crate::transfers::Job;

/// Bytes that a helper reads before it looks whether it is still wanted.
const BLOCK: u64 = 4 << 20;

pub(crate) async fn hash(job: &Job, path: PathBuf, algorithm: &str) -> Result<String, Failure> {
    let digest = Digest::named(algorithm).ok_or_else(|| {
        Failure::Argument(format!(
            "there is no digest {algorithm:?} here; there are {}",
            digest::NAMES
        ))
    })?;
    let mut blocks = Blocks::open(job, path).await?;
    job.progress.begin(0, blocks.size);
    let mut under_way = (digest, Vec::new());
    while !blocks.at_end {
        (blocks, under_way) = blocks
            .next(job, under_way, |from, (digest, block)| {
                block.clear();
                let count = from.read_to_end(block)?;
                digest.update(block);
                Ok(count)
            })
            .await?;
    }
    job.progress.end();
    Ok(under_way.0.text())
}

pub(crate) async fn read(job: &Job, path: PathBuf, limit: Option<u64>) -> Result<Vec<u8>, Failure> {
    let mut blocks = Blocks::open(job, path).await?;
    let limit = limit.unwrap_or(u64::MAX);
    let size = blocks.size.unwrap_or_default();
    let mut bytes = Vec::new();
    while !blocks.at_end {
        if size.max(bytes.len() as u64) > limit {
            let what = format!("`{}`", blocks.path.display());
            return Err(Failure::TooLarge { what, limit });
        }
        if bytes.capacity() == 0 {
            bytes.reserve_exact(usize::try_from(size).unwrap_or_default() + 1);
        }
        (blocks, bytes) = blocks.next(job, bytes, |from, bytes| from.read_to_end(bytes)).await?;
    }
    Ok(bytes)
}

/// A file that is read block by block.
struct Blocks {
    path: PathBuf,
    file: File,
    /// None of what is no regular file, such as a pipe.
    size: Option<u64>,
    at_end: bool,
}

impl Blocks {
    async fn open(job: &Job, path: PathBuf) -> Result<Self, Failure> {
        job.block(move || {
            let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
            let (about, file) = opened.map_err(|source| unreadable(&path, source))?;
            if about.is_dir() {
                return Err(unreadable(&path, io::ErrorKind::IsADirectory.into()));
            }
            let size = about.is_file().then_some(about.len());
            Ok(Self { path, file, size, at_end: false })
        })
        .join()
        .await
    }

    /// Has `take` read the next block.
    async fn next<T: Send + 'static>(
        mut self,
        job: &Job,
        mut taker: T,
        take: fn(&mut Take<&mut File>, &mut T) -> io::Result<usize>,
    ) -> Result<(Self, T), Failure> {
        let (blocks, taker, count) = job
            .block(move || {
                let count = take(&mut (&mut self.file).take(BLOCK), &mut taker)
                    .map_err(|source| unreadable(&self.path, source))?;
                self.at_end = count == 0;
                Ok((self, taker, count))
            })
            .join()
            .await?;
        job.progress.add(count);
        Ok((blocks, taker))
    }
}

fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::File { doing: "read", path: path.to_owned(), source }
}
