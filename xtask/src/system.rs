//! Debian's packages: installed as root, or the exact command to run.

use crate::failure::{Failure, Outcome};
use crate::run::{Run, find_on_path};
use crate::step::{already_done, step};

/// What the `bpy` module links to and draws with.
pub(crate) const BLENDER_LIBRARIES: &[&str] = &[
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "libgomp1",
    "libice6",
    "libsm6",
    "libxfixes3",
    "libxi6",
    "libxkbcommon0",
    "libxrender1",
    "libxxf86vm1",
];

/// What the tests with windows need: a display, hands, eyes, and a way to install Blenders.
pub(crate) const DISPLAY_TOOLS: &[&str] = &["imagemagick", "mmdebstrap", "xdotool", "xvfb"];

/// Install those of the packages that are missing.
pub(crate) fn install(purpose: &str, packages: &[&str]) -> Outcome {
    let name = format!("system packages for {purpose}");
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        already_done(&name);
        return Ok(());
    }
    let command = format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    );
    if find_on_path("apt-get").is_none() {
        return Err(Failure::new(format!(
            "these Debian packages are missing: {}",
            missing.join(" ")
        ))
        .hint("install what your distribution calls them, then run this again"));
    }
    if !is_root()? {
        return Err(Failure::new(format!(
            "these packages are missing and only root can install them: {}",
            missing.join(" ")
        ))
        .hint(format!("run this, then try again:\n\n  sudo sh -c '{command}'")));
    }
    step(&name, || {
        Run::new("apt-get").args(["update", "-q"]).check()?;
        Run::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(missing)
            .check()
    })
}

pub(crate) fn is_root() -> Outcome<bool> {
    Ok(Run::new("id").arg("-u").output()?.trim() == "0")
}

fn is_installed(package: &str) -> bool {
    Run::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status}", package])
        .output()
        .is_ok_and(|status| status == "installed")
}
