//! Files as one archive, made while it is sent: nothing is compressed, since pictures and videos are
//! already, so that its length is known beforehand.
//!
//! The format: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, with Zip64 where numbers
//! need it.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Bytes that are read in one go.
const CHUNK: usize = 256 << 10;
/// Chunks that wait for a slow client.
const AHEAD: usize = 4;
/// What 32 and 16 bits cannot hold stands in Zip64's own fields.
const MOST_32: u64 = 0xffff_ffff;
const MOST_16: u64 = 0xffff;
/// UTF-8 names.
const FLAGS: u16 = 1 << 11;
/// The first of January 1980: the same files, the same archive.
const DATE: u16 = (1 << 5) | 1;

/// One file of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Without folders.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// How long the archive is.
pub(crate) fn length(entries: &[Entry]) -> u64 {
    let mut directory = Directory::default();
    for entry in entries {
        let offset = directory.offset;
        directory.offset += local_header(entry, 0).len() as u64 + entry.bytes;
        directory.add(entry, 0, offset);
    }
    directory.offset + directory.finish().len() as u64
}

/// The archive, read and sent piece by piece.
pub(crate) fn body(entries: Vec<Entry>) -> Body {
    let (pieces, received) = mpsc::channel(AHEAD);
    spawn_blocking(move || {
        if let Err(error) = write(&entries, &pieces) {
            // Who has gone hears nothing of it.
            let _gone = pieces.blocking_send(Err(error));
        }
    });
    Body::from_stream(stream::unfold(received, |mut received| async {
        received.recv().await.map(|piece| (piece, received))
    }))
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

fn write(entries: &[Entry], pieces: &Pieces) -> io::Result<()> {
    let mut directory = Directory::default();
    for entry in entries {
        let sum = checksum(entry)?;
        let (header, offset) = (local_header(entry, sum), directory.offset);
        directory.offset += header.len() as u64 + entry.bytes;
        send(pieces, header)?;
        each_chunk(entry, |chunk| send(pieces, chunk.to_vec()))?;
        directory.add(entry, sum, offset);
    }
    send(pieces, directory.finish())
}

fn send(pieces: &Pieces, bytes: Vec<u8>) -> io::Result<()> {
    pieces.blocking_send(Ok(bytes.into())).map_err(|_gone| io::ErrorKind::BrokenPipe.into())
}

/// Stands before the bytes, so they are read twice: the second time from the system's memory.
fn checksum(entry: &Entry) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    each_chunk(entry, |chunk| {
        hasher.update(chunk);
        Ok(())
    })?;
    Ok(hasher.finalize())
}

fn each_chunk(entry: &Entry, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::open(&entry.path)?.take(entry.bytes);
    let mut chunk = vec![0; CHUNK];
    let mut left = entry.bytes;
    while left > 0 {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        take(&chunk[..count])?;
        left -= count as u64;
    }
    Ok(())
}

fn local_header(entry: &Entry, sum: u32) -> Vec<u8> {
    let is_large = entry.bytes >= MOST_32;
    let mut extra = Vec::new();
    if is_large {
        extra.extend(zip64_extra(&[entry.bytes, entry.bytes]));
    }
    let mut header = Vec::new();
    header.extend(0x0403_4b50_u32.to_le_bytes());
    for number in [version(is_large), FLAGS, 0, 0, DATE] {
        header.extend(number.to_le_bytes());
    }
    for number in [sum, low_32(entry.bytes), low_32(entry.bytes)] {
        header.extend(number.to_le_bytes());
    }
    header.extend(low_16(entry.name.len() as u64).to_le_bytes());
    header.extend(low_16(extra.len() as u64).to_le_bytes());
    header.extend(entry.name.as_bytes());
    header.extend(extra);
    header
}

/// What stands at the end: where each file is.
#[derive(Default)]
struct Directory {
    bytes: Vec<u8>,
    count: u64,
    /// Where the next file begins, and after the last this directory.
    offset: u64,
}

impl Directory {
    fn add(&mut self, entry: &Entry, sum: u32, offset: u64) {
        let mut large = Vec::new();
        if entry.bytes >= MOST_32 {
            large.extend([entry.bytes, entry.bytes]);
        }
        if offset >= MOST_32 {
            large.push(offset);
        }
        let extra = if large.is_empty() { Vec::new() } else { zip64_extra(&large) };
        let version = version(!large.is_empty());
        self.bytes.extend(0x0201_4b50_u32.to_le_bytes());
        for number in [version, version, FLAGS, 0, 0, DATE] {
            self.bytes.extend(number.to_le_bytes());
        }
        for number in [sum, low_32(entry.bytes), low_32(entry.bytes)] {
            self.bytes.extend(number.to_le_bytes());
        }
        let lengths = [low_16(entry.name.len() as u64), low_16(extra.len() as u64)];
        for number in lengths.into_iter().chain([0, 0, 0]) {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(0_u32.to_le_bytes());
        self.bytes.extend(low_32(offset).to_le_bytes());
        self.bytes.extend(entry.name.as_bytes());
        self.bytes.extend(extra);
        self.count += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let (length, offset, count) = (self.bytes.len() as u64, self.offset, self.count);
        if length >= MOST_32 || offset >= MOST_32 || count >= MOST_16 {
            let end = offset + length;
            self.bytes.extend(0x0606_4b50_u32.to_le_bytes());
            self.bytes.extend(44_u64.to_le_bytes());
            self.bytes.extend(version(true).to_le_bytes());
            self.bytes.extend(version(true).to_le_bytes());
            self.bytes.extend(0_u64.to_le_bytes());
            for number in [count, count, length, offset] {
                self.bytes.extend(number.to_le_bytes());
            }
            self.bytes.extend(0x0706_4b50_u32.to_le_bytes());
            self.bytes.extend(0_u32.to_le_bytes());
            self.bytes.extend(end.to_le_bytes());
            self.bytes.extend(1_u32.to_le_bytes());
        }
        self.bytes.extend(0x0605_4b50_u32.to_le_bytes());
        for number in [0, 0, low_16(count), low_16(count)] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(low_32(length).to_le_bytes());
        self.bytes.extend(low_32(offset).to_le_bytes());
        self.bytes.extend(0_u16.to_le_bytes());
        self.bytes
    }
}

fn zip64_extra(numbers: &[u64]) -> Vec<u8> {
    let mut extra = Vec::new();
    extra.extend(1_u16.to_le_bytes());
    extra.extend(low_16(numbers.len() as u64 * 8).to_le_bytes());
    for number in numbers {
        extra.extend(number.to_le_bytes());
    }
    extra
}

fn version(is_zip64: bool) -> u16 {
    if is_zip64 { 45 } else { 20 }
}

fn low_32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn low_16(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn entry(folder: &std::path::Path, name: &str, bytes: &[u8]) -> Entry {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        Entry { name: name.to_owned(), path, bytes: bytes.len() as u64 }
    }

    #[tokio::test]
    async fn an_archive_is_as_long_as_was_said_and_ends_with_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let large = vec![7; 3 * CHUNK / 2];
        let entries = vec![
            entry(folder.path(), "0001.png", b"one"),
            entry(folder.path(), "0002.png", &large),
            entry(folder.path(), "0003.png", b""),
        ];
        let promised = length(&entries);
        let sent = to_bytes(body(entries), usize::MAX).await.unwrap();
        assert_eq!(sent.len() as u64, promised);
        assert_eq!(&sent[..4], b"PK\x03\x04");
        assert_eq!(&sent[sent.len() - 22..][..4], b"PK\x05\x06");
        assert_eq!(sent[sent.len() - 12..][..2], 3_u16.to_le_bytes());
    }

    #[tokio::test]
    async fn an_archive_whose_file_is_gone_breaks_off() {
        let folder = tempfile::tempdir().unwrap();
        let entry = entry(folder.path(), "0001.png", b"one");
        std::fs::remove_file(&entry.path).unwrap();
        assert!(to_bytes(body(vec![entry]), usize::MAX).await.is_err());
    }

    #[test]
    fn what_is_too_large_for_32_bits_is_told_in_64() {
        let entry = Entry { name: "a".into(), path: PathBuf::new(), bytes: 5 << 30 };
        let header = local_header(&entry, 0);
        assert_eq!(header[18..22], u32::MAX.to_le_bytes());
        assert_eq!(header[header.len() - 8..], (5_u64 << 30).to_le_bytes());
        let two = [entry.clone(), entry];
        // Two files with 31 bytes of header each and 20 more for Zip64; two lines of the directory, the
        // second of which tells its offset as well; and the two ends.
        let wanted = 2 * ((5 << 30) + 31 + 20) + (47 + 20) + (47 + 28) + 56 + 20 + 22;
        assert_eq!(length(&two), wanted);
    }
}
