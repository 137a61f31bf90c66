//! Skips a step whose inputs have not changed: a stamp holds the hash of what the step last ran on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Outcome};
use crate::files;

/// The hash of a step's inputs. Two of equal value were made of the same names and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inputs(String);

impl Inputs {
    /// Hash files, and the files in folders, under their paths relative to `root`. What does not
    /// exist counts as such. `.so` files and Python's caches are products, not inputs.
    pub(crate) fn of_paths(root: &Path, paths: &[&str]) -> Outcome<Self> {
        let mut hasher = blake3::Hasher::new();
        for path in paths {
            hash_path(&mut hasher, root, &root.join(path))?;
        }
        Ok(Self(hasher.finalize().to_hex().to_string()))
    }

    /// The same inputs and one more.
    #[must_use]
    pub(crate) fn and(self, more: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.0.as_bytes());
        hasher.update(more.as_bytes());
        Self(hasher.finalize().to_hex().to_string())
    }
}

/// A file that says on which inputs a step last succeeded.
pub(crate) struct Stamp(PathBuf);

impl Stamp {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn matches(&self, inputs: &Inputs) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|text| text == inputs.0)
    }

    /// To be called when the step has succeeded.
    pub(crate) fn set(&self, inputs: &Inputs) -> Outcome {
        if let Some(folder) = self.0.parent() {
            files::create_folder(folder)?;
        }
        fs::write(&self.0, &inputs.0).doing(|| format!("could not write `{}`", self.0.display()))
    }
}

fn hash_path(hasher: &mut blake3::Hasher, root: &Path, path: &Path) -> Outcome {
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    if is_product(path) {
        return Ok(());
    }
    if path.is_dir() {
        let entries =
            fs::read_dir(path).doing(|| format!("could not list `{}`", path.display()))?;
        let mut children: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        children.sort();
        return children.iter().try_for_each(|child| hash_path(hasher, root, child));
    }
    hasher.update(name.as_bytes());
    if path.exists() {
        let bytes = fs::read(path).doing(|| format!("could not read `{}`", path.display()))?;
        hasher.update(blake3::hash(&bytes).as_bytes());
    }
    Ok(())
}

fn is_product(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "__pycache__")
        || path.extension().is_some_and(|extension| extension == "so" || extension == "pyc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(folder: &Path) -> Inputs {
        Inputs::of_paths(folder, &["source", "absent"]).unwrap()
    }

    #[test]
    fn a_changed_an_added_and_a_renamed_file_each_change_the_inputs_and_a_product_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("a.py"), "1").unwrap();
        let first = inputs(folder.path());
        fs::write(source.join("a.so"), "built").unwrap();
        assert_eq!(inputs(folder.path()), first);
        fs::write(source.join("a.py"), "2").unwrap();
        let changed = inputs(folder.path());
        assert_ne!(changed, first);
        fs::rename(source.join("a.py"), source.join("b.py")).unwrap();
        let renamed = inputs(folder.path());
        assert_ne!(renamed, changed);
        fs::write(source.join("c.py"), "").unwrap();
        assert_ne!(inputs(folder.path()), renamed);
    }

    #[test]
    fn a_stamp_matches_only_the_inputs_that_it_was_set_on() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = Stamp::at(folder.path().join("deep/stamp"));
        let first = inputs(folder.path());
        assert!(!stamp.matches(&first));
        stamp.set(&first).unwrap();
        assert!(stamp.matches(&first));
        assert!(!stamp.matches(&first.and("more")));
    }
}
