//! Discovery files: how programs of the same user find a server and its token.
//!
//! Each server writes one file, readable by its owner alone, and removes it when it stops. Files that
//! a dead process has left behind are removed by the next server that writes into the folder.

use std::cmp::Reverse;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use aiobpy_wire::Problem;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::{private_file, sys};

/// What a discovery file says, as JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// As in `http://127.0.0.1:43210`.
    pub address: String,
    pub token: String,
    pub pid: u32,
    /// Of aiobpy, as in `0.1.0`.
    pub version: String,
    /// Whether there is a fleet behind it that takes jobs.
    #[serde(default)]
    pub takes_jobs: bool,
}

impl Discovery {
    pub fn of_this_process(address: SocketAddr, token: &str, takes_jobs: bool) -> Self {
        Self {
            address: format!("http://{address}"),
            token: token.to_owned(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            takes_jobs,
        }
    }

    /// Reads a discovery file; `None` if it is not one, or if its process has died.
    pub fn read(path: &Path) -> Option<Self> {
        parse(path).filter(|discovery| sys::is_alive(discovery.pid))
    }

    /// The servers whose files are in `folder`, the one that started last first.
    pub fn read_all(folder: &Path) -> Vec<Self> {
        let mut found: Vec<_> = files_in(folder)
            .filter_map(|path| {
                Some((fs::metadata(&path).ok()?.modified().ok()?, Self::read(&path)?))
            })
            .collect();
        found.sort_by_key(|(modified, _)| Reverse(*modified));
        found.into_iter().map(|(_, discovery)| discovery).collect()
    }
}

impl std::fmt::Debug for Discovery {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, pid, version, takes_jobs, token: _ } = self;
        write!(formatter, "Discovery({address}, {pid}, {version}, takes jobs: {takes_jobs})")
    }
}

/// The folder of discovery files of this user: `aiobpy/servers` in `$XDG_CONFIG_HOME` or `~/.config`, on Windows
/// in `%LOCALAPPDATA%`.
pub fn user_folder() -> Option<PathBuf> {
    sys::configuration_folder().map(|folder| folder.join("aiobpy").join("servers"))
}

/// The discovery file of this process in `folder`: several servers of one user do not meet.
pub fn file_of_this_process(folder: &Path) -> PathBuf {
    folder.join(format!("{}.json", std::process::id()))
}

/// A discovery file of ours.
#[derive(Debug)]
pub(crate) struct DiscoveryFile {
    path: PathBuf,
    discovery: Discovery,
}

impl DiscoveryFile {
    /// Writes the file in one step, so that nobody sees half of it, and removes stale ones.
    pub(crate) fn write(path: &Path, discovery: &Discovery) -> Result<Self, Problem> {
        let text = serde_json::to_vec_pretty(discovery).unwrap_or_default();
        private_file::write(path, &text).map_err(|error| Failure::cannot_write(path, &error))?;
        if let Some(folder) = path.parent() {
            remove_stale(folder);
        }
        Ok(Self { path: path.to_owned(), discovery: discovery.clone() })
    }

    /// Tells another token from now on.
    pub(crate) fn change_token(&mut self, token: &str) -> Result<(), Problem> {
        token.clone_into(&mut self.discovery.token);
        *self = Self::write(&self.path, &self.discovery)?;
        Ok(())
    }

    /// Removes the file, unless another server has put its own in its place.
    pub(crate) fn remove(self) {
        if parse(&self.path).is_some_and(|discovery| discovery == self.discovery)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, file = %self.path.display(), "could not remove the discovery file");
        }
    }
}

fn remove_stale(folder: &Path) {
    for path in files_in(folder) {
        if parse(&path).is_some_and(|discovery| !sys::is_alive(discovery.pid)) {
            // If it cannot be removed it does no harm: readers look at the pid, too.
            let _harmless = fs::remove_file(&path);
        }
    }
}

fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
}

fn parse(path: &Path) -> Option<Discovery> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Above what Linux gives to any process.
    const DEAD: u32 = 0x3fff_ffff;

    fn discovery() -> Discovery {
        Discovery::of_this_process("127.0.0.1:4321".parse().unwrap(), "secret", false)
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_is_for_its_owner_alone_and_goes_when_the_server_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aiobpy").join("one.json");
        let file = DiscoveryFile::write(&path, &discovery()).unwrap();
        assert_eq!(mode_of(&path), 0o600);
        assert_eq!(mode_of(path.parent().unwrap()), 0o700);
        assert_eq!(Discovery::read(&path), Some(discovery()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing beside it");
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_was_there_with_a_loose_mode_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.json");
        fs::write(&path, "{}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        DiscoveryFile::write(&path, &discovery()).unwrap();
        assert_eq!(mode_of(&path), 0o600);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (folder.path().join("one.json"), folder.path().join("elsewhere"));
        fs::write(&elsewhere, "untouched").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        DiscoveryFile::write(&path, &discovery()).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
    }

    #[test]
    fn files_of_dead_processes_are_removed_and_others_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let (dead, foreign) = (folder.path().join("dead.json"), folder.path().join("foreign.json"));
        let stale = Discovery { pid: DEAD, ..discovery() };
        fs::write(&dead, serde_json::to_string(&stale).unwrap()).unwrap();
        fs::write(&foreign, "{\"something\": \"else\"}").unwrap();
        assert_eq!(Discovery::read(&dead), None);
        DiscoveryFile::write(&folder.path().join("one.json"), &discovery()).unwrap();
        assert!(!dead.exists());
        assert!(foreign.exists());
        assert_eq!(Discovery::read_all(folder.path()), [discovery()]);
    }

    #[test]
    fn the_file_of_a_server_that_came_later_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.json");
        let earlier = DiscoveryFile::write(&path, &discovery()).unwrap();
        let later = Discovery { address: "http://127.0.0.1:1".to_owned(), ..discovery() };
        DiscoveryFile::write(&path, &later).unwrap();
        earlier.remove();
        assert_eq!(Discovery::read(&path), Some(later));
    }

    #[test]
    fn the_token_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", discovery()).contains("secret"));
    }
}
