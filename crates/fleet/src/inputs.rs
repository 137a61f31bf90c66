//! Files that clients send for their jobs, named by what is in them.
//!
//! **Invariant:** a file is at its final place only when all its bytes are on the disk. Who names a
//! file uses it, and what nobody has used for long is removed.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aiobpy_wire::{FieldProblem, JobRequest, Problem};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::artefacts::hash_of;
use crate::problems;

/// What the name of an input begins with; the BLAKE3 hash of its bytes follows.
const PREFIX: &str = "input:";

/// A folder of files `<first two digits>/<hash>`.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    folder: PathBuf,
    /// On the same file system: where they are before they are whole.
    work: PathBuf,
}

impl Inputs {
    pub(crate) fn open(folder: PathBuf, work: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, work })
    }

    /// A path to write a file at that is to be taken.
    pub(crate) fn new_path(&self) -> PathBuf {
        self.work.join(format!("upload-{}", Uuid::now_v7()))
    }

    /// Keeps bytes; returns their name.
    pub(crate) fn put(&self, bytes: &[u8]) -> io::Result<String> {
        let path = self.new_path();
        File::create(&path)?.write_all(bytes)?;
        self.take(&path)
    }

    /// Keeps a file, which is moved; returns its name.
    pub(crate) fn take(&self, file: &Path) -> io::Result<String> {
        let (hash, _) = hash_of(file)?;
        let place = self.place(&hash);
        let folder = place.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        File::open(file)?.sync_all()?;
        // The same bytes may be there already: only their age changes then.
        fs::rename(file, &place)?;
        File::open(folder)?.sync_all()?;
        Ok(format!("{PREFIX}{hash}"))
    }

    /// Where an input is, if it is there. It counts as used.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let hash = name.strip_prefix(PREFIX).filter(|hash| is_hash(hash))?;
        let place = self.place(hash);
        // Reading is not enough to change the times of a file on every system.
        let now = FileTimes::new().set_modified(SystemTime::now());
        File::options().append(true).open(&place).ok()?.set_times(now).ok()?;
        Some(place)
    }

    /// Whether all inputs that a request names are there.
    pub(crate) fn check(&self, request: &JobRequest) -> Result<(), Problem> {
        let mut missing = Vec::new();
        for (name, value) in &request.params {
            let pointer = format!("/params/{}", name.replace('~', "~0").replace('/', "~1"));
            for input in inputs_in(value) {
                if self.find(input).is_none() {
                    let detail = format!("there is no `{input}`");
                    missing.push(FieldProblem { pointer: pointer.clone(), detail });
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(problems::unknown_inputs(missing)) }
    }

    /// Removes what nobody has used since `time`.
    pub(crate) fn forget_before(&self, time: SystemTime) -> io::Result<()> {
        for folder in fs::read_dir(&self.folder)? {
            for file in fs::read_dir(folder?.path())? {
                let file = file?;
                if file.metadata()?.modified()? < time {
                    fs::remove_file(file.path())?;
                }
            }
        }
        Ok(())
    }

    fn place(&self, hash: &str) -> PathBuf {
        self.folder.join(hash.get(..2).unwrap_or_default()).join(hash)
    }
}

/// The names of all inputs that a job's parameters name.
pub(crate) fn named_in(params: &Map<String, Value>) -> Vec<&str> {
    params.values().flat_map(inputs_in).collect()
}

/// The hash in an input's name.
pub(crate) fn hash_in(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// The names of inputs in a parameter's value, at any depth.
fn inputs_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) if text.strip_prefix(PREFIX).is_some_and(is_hash) => vec![text],
        Value::Array(items) => items.iter().flat_map(inputs_in).collect(),
        Value::Object(members) => members.values().flat_map(inputs_in).collect(),
        _ => Vec::new(),
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn store() -> (tempfile::TempDir, Inputs) {
        let folder = tempfile::tempdir().unwrap();
        let inputs = Inputs::open(folder.path().join("inputs"), folder.path().into()).unwrap();
        (folder, inputs)
    }

    #[test]
    fn the_same_bytes_have_the_same_name_and_are_kept_once() {
        let (_folder, inputs) = store();
        let name = inputs.put(b"pixels").unwrap();
        assert_eq!(name, format!("input:{}", blake3::hash(b"pixels").to_hex()));
        assert_eq!(inputs.put(b"pixels").unwrap(), name);
        assert_eq!(fs::read(inputs.find(&name).unwrap()).unwrap(), b"pixels");
    }

    #[test]
    fn a_request_that_names_what_was_not_sent_is_told_where() {
        let (_folder, inputs) = store();
        let sent = inputs.put(b"pixels").unwrap();
        let missing = format!("input:{}", "0".repeat(64));
        let request = |params: Value| {
            let request = json!({"template": "mug", "params": params});
            inputs.check(&serde_json::from_value(request).unwrap())
        };
        assert_eq!(request(json!({"label": sent, "text": "input:nothing"})), Ok(()));
        let problem = request(json!({"labels": [{"of/front": missing}]})).unwrap_err();
        assert_eq!((problem.status, problem.kind.as_str()), (422, "unknown-input"));
        assert_eq!(problem.errors[0].pointer, "/params/labels");
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let (_folder, inputs) = store();
        assert_eq!(inputs.find("input:../../etc/passwd"), None);
        assert_eq!(inputs.find(&"0".repeat(64)), None);
    }

    #[test]
    fn what_nobody_has_used_for_long_is_forgotten() {
        let (_folder, inputs) = store();
        let name = inputs.put(b"pixels").unwrap();
        inputs.forget_before(SystemTime::now() - Duration::from_mins(1)).unwrap();
        assert!(inputs.find(&name).is_some());
        inputs.forget_before(SystemTime::now() + Duration::from_mins(1)).unwrap();
        assert_eq!(inputs.find(&name), None);
    }
}
