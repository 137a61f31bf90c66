//! Real Blenders with windows: Debian's, each in a tree of its own in the cache, run with `chroot`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache;
use crate::failure::{Doing, Failure, Outcome};
use crate::files;
use crate::run::Run;
use crate::step::{already_done, step, warn};
use crate::system;

/// A Debian release and the Blender that it brings.
struct Release {
    suite: &'static str,
    blender: &'static str,
}

const RELEASES: &[Release] = &[
    Release { suite: "trixie", blender: "Blender 4.3" },
    Release { suite: "sid", blender: "the newest Blender" },
];

/// Blender, the GL that it loads by itself, and the Python modules that Debian's package forgets.
const PACKAGES: &[&str] = &[
    "blender",
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "python3-cattr",
    "python3-numpy",
    "python3-requests",
    "python3-zstandard",
];

/// Have the trees, and return those that could be had. At least one can.
pub(crate) fn prepare() -> Outcome<Vec<PathBuf>> {
    let mut trees = Vec::new();
    let mut failures = Vec::new();
    for release in RELEASES {
        match prepare_one(release) {
            Ok(tree) => trees.push(tree),
            Err(failure) => {
                warn(&format!(
                    "{} of Debian {} could not be installed today; going on without it.\n{failure}",
                    release.blender, release.suite
                ));
                failures.push(failure);
            }
        }
    }
    match failures.pop() {
        Some(failure) if trees.is_empty() => Err(failure),
        _ => Ok(trees),
    }
}

fn prepare_one(release: &Release) -> Outcome<PathBuf> {
    let name = format!("{} of Debian {}", release.blender, release.suite);
    let folder = cache::folder().join("blender");
    let tree = folder.join(release.suite);
    let _lock = cache::lock(&format!("blender-{}", release.suite))?;
    if has_blender(&tree) {
        already_done(&name);
        return Ok(tree);
    }
    if !system::is_root()? {
        return Err(Failure::new(format!("only root can build and enter `{}`", tree.display()))
            .hint("run the tests as root, as in `sudo -E cargo xtask test`"));
    }
    step(&name, || {
        files::create_folder(&folder)?;
        // Built under another name, so that an interrupted build is never taken for a Blender.
        let partial = folder.join(format!("{}.partial", release.suite));
        files::remove(&partial)?;
        bootstrap(release.suite, &partial)?;
        if !has_blender(&partial) {
            return Err(Failure::new(format!("no Blender came with Debian {}", release.suite)));
        }
        files::remove(&tree)?;
        fs::rename(&partial, &tree).doing(|| format!("could not name `{}`", tree.display()))
    })?;
    Ok(tree)
}

fn bootstrap(suite: &str, target: &Path) -> Outcome {
    Run::new("mmdebstrap")
        .args(["--variant=apt", "--skip=check/qemu"])
        // A mirror that has not been refreshed for a week still serves.
        .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
        .arg(format!("--include={}", PACKAGES.join(",")))
        .arg(suite)
        .arg(target)
        .arg(mirror()?)
        .check()
        .map_err(|failure| {
            failure.hint(format!("see mmdebstrap's message above for why Debian {suite} failed"))
        })
}

/// The archive that this machine's own apt uses.
fn mirror() -> Outcome<String> {
    let targets = Run::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"])
        .output()?;
    main_archive(&targets).ok_or_else(|| {
        Failure::new("apt knows no Debian archive with the component `main`")
            .hint("run `apt-get update`; a list of sources must be in /etc/apt")
    })
}

fn main_archive(targets: &str) -> Option<String> {
    targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(uri, component)| *component == "main" && !uri.contains("security"))
        .map(|(uri, _)| uri.to_owned())
}

fn has_blender(tree: &Path) -> bool {
    tree.join("usr/bin/blender").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_main_archive_and_not_that_of_security_updates() {
        let targets = "http://mirror.test/debian-security/ main\n\
                       http://mirror.test/debian/ contrib\n\
                       http://mirror.test/debian/ main\n";
        assert_eq!(main_archive(targets).as_deref(), Some("http://mirror.test/debian/"));
        assert_eq!(main_archive(""), None);
    }
}
