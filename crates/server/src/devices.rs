//! Devices that were paired: who they are, how much they may do, and what is known of their tokens.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aiobpy_wire::{Problem, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::principal::{ExecSwitch, Principal};
use crate::private_file;
use crate::token::{Digest, Token, digest, random_digits};

/// How often the file is looked at, in case another Blender of this user has changed it.
const LOOK: Duration = Duration::from_secs(1);
const LONGEST_NAME: usize = 60;
/// So many devices are kept; more is no household.
const MOST: usize = 64;

/// A device as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub id: String,
    /// As the device has called itself.
    pub name: String,
    pub scope: Scope,
    pub paired_at: Timestamp,
}

/// As it stands in the file: the token itself is nowhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    device: Device,
    /// BLAKE3, as hexadecimal digits.
    token: String,
}

/// The devices of this user, for as long as a server runs.
#[derive(Debug)]
pub(crate) struct Devices {
    /// `None` to keep them in memory alone.
    file: Option<PathBuf>,
    exec: ExecSwitch,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_token: HashMap<Digest, Entry>,
    /// The file as it was read or written last.
    seen: Option<(SystemTime, u64)>,
    looked: Duration,
}

#[derive(Debug)]
struct Entry {
    device: Device,
    principal: Principal,
}

impl Devices {
    pub(crate) fn new(file: Option<PathBuf>, exec: ExecSwitch) -> Self {
        let devices = Self { file, exec, kept: Mutex::default() };
        devices.reload(&mut devices.lock());
        devices
    }

    /// Whose token it is. `now` is counted from the server's start.
    pub(crate) fn find(&self, token: &[u8], now: Duration) -> Option<Principal> {
        let mut kept = self.lock();
        if now.saturating_sub(kept.looked) >= LOOK {
            kept.looked = now;
            self.reload(&mut kept);
        }
        Some(kept.by_token.get(&digest(token))?.principal.clone())
    }

    /// Lets a device in, from now on; its token is told once, here.
    ///
    /// # Errors
    /// There are too many, no randomness, or the file cannot be written.
    pub(crate) fn add(&self, name: &str, scope: Scope) -> Result<(Device, Token), Problem> {
        const ID_BYTES: usize = 8;
        let token = Token::random()?;
        let id = random_digits::<ID_BYTES>()?;
        let device = Device { id, name: shown_name(name), scope, paired_at: Timestamp::now() };
        let mut kept = self.lock();
        self.reload(&mut kept);
        if kept.by_token.len() >= MOST {
            return Err(Failure::TooManyDevices { most: MOST }.problem());
        }
        let entry = Entry::new(device.clone(), &self.exec);
        kept.by_token.insert(digest(token.as_str().as_bytes()), entry);
        self.save(&mut kept)?;
        Ok((device, token))
    }

    /// Lets a device in no more, and ends what it has open. `None` if there is no such device.
    ///
    /// # Errors
    /// The file cannot be written; the device is out all the same, until the server stops.
    pub(crate) fn revoke(&self, id: &str) -> Result<Option<Device>, Problem> {
        let mut kept = self.lock();
        self.reload(&mut kept);
        let found = kept.by_token.iter().find(|(_, entry)| entry.device.id == id);
        let Some(token) = found.map(|(token, _)| *token) else { return Ok(None) };
        let revoked = kept.by_token.remove(&token);
        if let Some(entry) = &revoked {
            entry.principal.end();
        }
        self.save(&mut kept)?;
        Ok(revoked.map(|entry| entry.device))
    }

    /// The device that is this principal, if one is.
    pub(crate) fn of(&self, principal: &Principal) -> Option<Device> {
        let kept = self.lock();
        let mut entries = kept.by_token.values();
        entries.find(|entry| entry.principal.is_same(principal)).map(|entry| entry.device.clone())
    }

    /// The one that was paired last stands first.
    pub(crate) fn list(&self) -> Vec<Device> {
        let mut kept = self.lock();
        self.reload(&mut kept);
        let mut devices: Vec<_> = kept.by_token.values().map(|it| it.device.clone()).collect();
        devices.sort_by_key(|device| std::cmp::Reverse(device.paired_at));
        devices
    }

    /// Takes over what another process has written. Devices that are gone are let in no more.
    fn reload(&self, kept: &mut Kept) {
        let Some(file) = &self.file else { return };
        let seen = state_of(file);
        if seen == kept.seen {
            return;
        }
        kept.seen = seen;
        let mut before = std::mem::take(&mut kept.by_token);
        for (token, device) in read(file) {
            let entry = before.remove(&token).filter(|entry| entry.device == device);
            let entry = entry.unwrap_or_else(|| Entry::new(device, &self.exec));
            kept.by_token.insert(token, entry);
        }
        for entry in before.into_values() {
            entry.principal.end();
        }
    }

    fn save(&self, kept: &mut Kept) -> Result<(), Problem> {
        let Some(file) = &self.file else { return Ok(()) };
        let records: Vec<_> = kept
            .by_token
            .iter()
            .map(|(token, entry)| Record {
                device: entry.device.clone(),
                token: blake3::Hash::from_bytes(*token).to_hex().to_string(),
            })
            .collect();
        let text = serde_json::to_vec_pretty(&records).unwrap_or_default();
        let written = private_file::write(file, &text);
        kept.seen = state_of(file);
        written.map_err(|error| Failure::cannot_write(file, &error))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic runs under the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(device: Device, exec: &ExecSwitch) -> Self {
        let principal = Principal::new(&device.name, device.scope, exec.clone());
        Self { device, principal }
    }
}

fn read(file: &Path) -> Vec<(Digest, Device)> {
    let Ok(bytes) = std::fs::read(file) else { return Vec::new() };
    let records: Vec<Record> = match serde_json::from_slice(&bytes) {
        Ok(records) => records,
        Err(error) => {
            tracing::warn!(%error, file = %file.display(), "the list of devices cannot be read");
            return Vec::new();
        }
    };
    let digest_of = |text: &str| Some(*blake3::Hash::from_hex(text).ok()?.as_bytes());
    records
        .into_iter()
        .filter_map(|record| Some((digest_of(&record.token)?, record.device)))
        .take(MOST)
        .collect()
}

/// When it was written, and how long it is: clocks of file systems are coarse.
fn state_of(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// What a device calls itself, fit to be shown to a person who decides by it.
pub(crate) fn shown_name(name: &str) -> String {
    let plain = |character: &char| !character.is_control() && !is_formatting(*character);
    let name: String = name.trim().chars().filter(plain).take(LONGEST_NAME).collect();
    if name.is_empty() { "a device without a name".to_owned() } else { name }
}

/// Characters that turn the direction of text, or take no room: what they hide could mislead.
fn is_formatting(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(folder: &Path) -> Devices {
        Devices::new(Some(folder.join("aiobpy").join("devices.json")), ExecSwitch::default())
    }

    fn find(devices: &Devices, token: &Token, seconds: u64) -> Option<Principal> {
        devices.find(token.as_str().as_bytes(), Duration::from_secs(seconds))
    }

    #[test]
    fn a_paired_device_is_known_by_its_token_also_by_a_later_server() {
        let folder = tempfile::tempdir().unwrap();
        let devices = in_folder(folder.path());
        let (device, token) = devices.add("iPad", Scope::Control).unwrap();
        let later = in_folder(folder.path());
        let principal = find(&later, &token, 0).unwrap();
        assert_eq!((&*principal.name, principal.scope), ("iPad", Scope::Control));
        assert_eq!(later.list(), [device]);
        assert!(find(&later, &Token::random().unwrap(), 0).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_alone_and_has_no_token() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let devices = in_folder(folder.path());
        let (_, token) = devices.add("iPad", Scope::Read).unwrap();
        let file = devices.file.as_deref().unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(file).unwrap().contains(token.as_str()));
    }

    #[test]
    fn a_revoked_device_is_unknown_and_what_it_had_open_ends() {
        let folder = tempfile::tempdir().unwrap();
        let devices = in_folder(folder.path());
        let (device, token) = devices.add("iPad", Scope::Read).unwrap();
        let (_, other) = devices.add("Phone", Scope::Read).unwrap();
        let principal = find(&devices, &token, 0).unwrap();
        assert_eq!(devices.revoke(&device.id).unwrap(), Some(device.clone()));
        assert!(principal.has_ended());
        assert!(find(&devices, &token, 0).is_none());
        assert!(find(&devices, &other, 0).is_some());
        assert_eq!(devices.revoke(&device.id).unwrap(), None);
    }

    #[test]
    fn another_server_of_the_user_sees_that_a_device_was_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (in_folder(folder.path()), in_folder(folder.path()));
        let (device, token) = one.add("iPad", Scope::Read).unwrap();
        let principal = find(&other, &token, 1).unwrap();
        one.revoke(&device.id).unwrap();
        assert!(find(&other, &token, 2).is_none());
        assert!(principal.has_ended());
    }

    #[test]
    fn a_name_is_fit_to_be_shown() {
        assert_eq!(shown_name(" iPad\u{202e}\n of Ada "), "iPad of Ada");
        assert_eq!(shown_name("\u{200b}\t"), "a device without a name");
        assert_eq!(shown_name(&"x".repeat(100)).len(), LONGEST_NAME);
    }
}
