//! The file in which Jupyter reads how to start a kernel.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::failure::Failure;

const FILE: &str = "kernel.json";

/// A `kernel.json`.
#[derive(Debug)]
pub(crate) struct Kernelspec(Value);

impl Kernelspec {
    pub(crate) fn new(command: &[String], display_name: &str) -> Self {
        Self(json!({
            "argv": command,
            "display_name": display_name,
            "language": "python",
            // A signal may not get through the programs that start Blender.
            "interrupt_mode": "message",
            "kernel_protocol_version": "5.5",
            "metadata": {
                "debugger": true,
                "supported_encryption": ["curve"],
                "aiobpy": { "version": env!("CARGO_PKG_VERSION") },
            },
        }))
    }

    pub(crate) fn display_name(&self) -> &str {
        self.0["display_name"].as_str().unwrap_or_default()
    }

    /// Writes it into `folder`, in place of an earlier one of ours.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        if folder.exists() && read_ours(folder)?.is_none() {
            return Err(Failure::new(format!(
                "`{}` has a kernel that `aiobpy jupyter install` did not write",
                folder.display()
            ))
            .with_hint("give ours another name: `--name NAME`"));
        }
        let file = folder.join(FILE);
        let text = format!("{:#}\n", self.0);
        fs::create_dir_all(folder).and_then(|()| fs::write(&file, text)).map_err(|error| {
            Failure::new(format!("could not write `{}`: {error}", file.display()))
                .with_hint("name a place that you may write to: `--user` or `--prefix PATH`")
        })
    }

    fn is_ours(&self) -> bool {
        self.0["metadata"]["aiobpy"].is_object()
    }
}

/// Removes the folder of a kernel of ours.
pub(crate) fn remove(folder: &Path) -> Result<(), Failure> {
    if read_ours(folder)?.is_none() {
        return Err(Failure::new(format!(
            "`{}` has no kernel that `aiobpy jupyter install` wrote",
            folder.display()
        ))
        .with_hint("`aiobpy jupyter list` shows those that it did"));
    }
    fs::remove_dir_all(folder)
        .map_err(|error| Failure::new(format!("could not remove `{}`: {error}", folder.display())))
}

/// The kernels of ours among those in the folder, by name.
pub(crate) fn all_of_ours(kernels: &Path) -> Result<Vec<(PathBuf, Kernelspec)>, Failure> {
    let Ok(entries) = fs::read_dir(kernels) else { return Ok(Vec::new()) };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let mut found = Vec::new();
    for folder in folders {
        if let Some(kernelspec) = read_ours(&folder)? {
            found.push((folder, kernelspec));
        }
    }
    Ok(found)
}

/// As Jupyter has it: letters of ASCII, digits, dots, dashes and underscores.
pub(crate) fn parse_name(name: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&letter);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
        return Err("use ASCII letters, digits, `.`, `-` and `_`, as in `blender-5.2`".to_owned());
    }
    Ok(name.to_owned())
}

/// The kernelspec in the folder if it is ours; `None` if there is none or somebody else's.
fn read_ours(folder: &Path) -> Result<Option<Kernelspec>, Failure> {
    let file = folder.join(FILE);
    match fs::read_to_string(&file) {
        Ok(text) => {
            let kernelspec = serde_json::from_str(&text).ok().map(Kernelspec);
            Ok(kernelspec.filter(Kernelspec::is_ours))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Failure::new(format!("could not read `{}`: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_one_of_ours_is_replaced_and_removed_but_nobody_elses() {
        let kernels = tempfile::tempdir().unwrap();
        let ours = kernels.path().join("blender");
        Kernelspec::new(&["blender".to_owned()], "Blender 4.5").write(&ours).unwrap();
        Kernelspec::new(&["blender".to_owned()], "Blender 5.0").write(&ours).unwrap();
        let theirs = kernels.path().join("python3");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join(FILE), r#"{"argv": []}"#).unwrap();

        let found = all_of_ours(kernels.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.display_name(), "Blender 5.0");
        assert!(Kernelspec::new(&[], "Blender").write(&theirs).is_err());
        assert!(remove(&theirs).unwrap_err().to_string().contains("has no kernel that"));
        remove(&ours).unwrap();
        assert!(all_of_ours(kernels.path()).unwrap().is_empty());
        assert!(theirs.exists());
    }

    #[test]
    fn a_name_is_one_that_jupyter_finds() {
        assert_eq!(parse_name("blender-5.2").unwrap(), "blender-5.2");
        for name in ["", "my blender", "../python3", ".", "blüte"] {
            assert!(parse_name(name).is_err(), "{name}");
        }
    }
}
