//! Debian's packages: installed as root, or the exact command to run.

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::run::{Run, find_on_path};
use crate::step::{already_done, step, warn};

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

/// The servers that the tests of libraries start, each on a port of its own.
pub(crate) const SERVERS: &[&str] =
    &["mosquitto", "nats-server", "ngircd", "postgresql", "rabbitmq-server", "redis-server"];

/// What downloads and uploads are tested against: a web server with HTTP/2 and TLS, a forward proxy, and a
/// child that takes pictures and says how far it is; and the client that a guide's lines use.
pub(crate) const TRANSFER_PEERS: &[&str] =
    &["curl", "ffmpeg", "nginx-light", "openssl", "tinyproxy-bin"];

/// What the comparison of event loops needs: a rival for downloads, and a certificate for TLS.
pub(crate) const LOOP_BENCH_TOOLS: &[&str] = &["curl", "openssl"];

/// The browser that pages are tried in.
pub(crate) const BROWSER: &[&str] = &["chromium"];

/// Slow clients, for a judge of the web server.
pub(crate) const SLOW_CLIENTS: &[&str] = &["slowhttptest"];

/// What the comparison of web servers needs: a load that all others are measured by, too.
pub(crate) const WEB_BENCH_TOOLS: &[&str] = &["wrk"];

/// A clock that can be set for one process.
pub(crate) const CHAOS_TOOLS: &[&str] = &["faketime"];

/// Networks of their own for processes, which can be cut and slow.
pub(crate) const NETWORKS: &[&str] = &["iproute2"];

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
        let _services_stay_off = ServicesStayOff::begin()?;
        Run::new("apt-get").args(["update", "-q"]).check()?;
        Run::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(missing)
            .check()
    })
}

/// While it lives, the packages that are installed start none of their services: Debian's own way,
/// which is a program that refuses.
struct ServicesStayOff {
    /// The program, if it is ours and not the machine's.
    ours: Option<PathBuf>,
}

impl ServicesStayOff {
    fn begin() -> Outcome<Self> {
        let policy = PathBuf::from("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self { ours: None });
        }
        files::write_program(&policy, "#!/bin/sh\nexit 101\n")?;
        Ok(Self { ours: Some(policy) })
    }
}

impl Drop for ServicesStayOff {
    fn drop(&mut self) {
        if let Some(Err(failure)) = self.ours.as_deref().map(files::remove) {
            warn(&format!("no service will start when its package is installed.\n{failure}"));
        }
    }
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
