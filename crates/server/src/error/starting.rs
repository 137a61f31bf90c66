//! What keeps the server from starting, or from listening where it is told to.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use aiobpy_wire::Problem;

use crate::error::Failure;

/// What stops the server from starting. Not HTTP's business; the status is the nearest one.
impl Failure {
    pub(crate) fn no_randomness(error: &dyn fmt::Display) -> Problem {
        Problem::new(
            500,
            "no-randomness",
            "No token can be made",
            format!("the operating system gives no random numbers: {error}"),
        )
        .with_hint("set AIOBPY_TOKEN to a secret of your own")
    }

    pub(crate) fn unusable_token(shortest: usize) -> Problem {
        Problem::new(
            400,
            "unusable-token",
            "The token cannot be used",
            format!(
                "a token needs {shortest} characters or more, of letters, digits and - . _ ~ + / ="
            ),
        )
        .with_hint("leave it out to get a random one")
    }

    pub(crate) fn not_loopback(address: std::net::IpAddr) -> Problem {
        Problem::new(
            400,
            "not-loopback",
            "Not a loopback address",
            format!("the server listens on this computer alone, and {address} is seen by others"),
        )
        .with_hint("listen on 127.0.0.1")
    }

    pub(crate) fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Problem {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            return Problem::new(
                409,
                "port-in-use",
                "The port is in use",
                format!("another program listens on port {} of {}", address.port(), address.ip()),
            )
            .with_hint("choose another port, or leave the port out to get a free one");
        }
        Problem::new(
            500,
            "cannot-listen",
            "The server cannot listen",
            format!("cannot listen on {address}: {error}"),
        )
        .with_hint("choose a port from 1024 on, or leave the port out to get a free one")
    }

    pub(crate) fn cannot_listen_at(path: &Path, error: &std::io::Error) -> Problem {
        use std::io::ErrorKind::{AddrInUse, AlreadyExists, Unsupported};
        let detail = format!("cannot listen at {}: {error}", path.display());
        let (status, hint) = match error.kind() {
            AddrInUse => (409, "another program listens there: choose another path"),
            AlreadyExists => (409, "something else is there: choose another path"),
            Unsupported => (500, "leave the path out: this system has no such sockets here"),
            _ => (500, "choose a short path in a folder that you may write to"),
        };
        Problem::new(status, "cannot-listen", "The server cannot listen", detail).with_hint(hint)
    }

    pub(crate) fn unusable_certificate(path: &Path, error: &dyn fmt::Display) -> Problem {
        Problem::new(
            400,
            "unusable-certificate",
            "The certificate cannot be used",
            format!("{} cannot be read: {error}", path.display()),
        )
        .with_hint("name PEM files: one with the certificates, and one with the key, unencrypted")
    }

    pub(crate) fn unusable_identity(error: &dyn fmt::Display) -> Problem {
        Problem::new(
            400,
            "unusable-certificate",
            "The certificate cannot be used",
            format!("the certificate and its key cannot be used: {error}"),
        )
        .with_hint("the key has to be that of the first certificate")
    }

    pub(crate) fn cannot_sign(error: &dyn fmt::Display) -> Problem {
        Problem::new(
            500,
            "cannot-sign",
            "No certificate can be made",
            format!("a certificate for this network cannot be signed: {error}"),
        )
        .with_hint("give a certificate of your own: `aiobpy.server.share(tls=(…))`")
    }

    pub(crate) fn no_network() -> Problem {
        Problem::new(
            409,
            "no-network",
            "There is no network to share on",
            "this computer has no address on a private network",
        )
        .with_hint("connect it to your network, as by Wi-Fi, then share again")
    }

    pub(crate) fn no_qr_code(error: &dyn fmt::Display) -> Problem {
        Problem::new(500, "no-qr-code", "No QR code can be drawn", format!("{error}"))
    }

    pub(crate) fn cannot_write(path: &Path, error: &dyn fmt::Display) -> Problem {
        Problem::new(
            500,
            "unwritable-file",
            "A file cannot be written",
            format!("cannot write {}: {error}", path.display()),
        )
        .with_hint("make its folder writable, or set XDG_CONFIG_HOME to a folder that is")
    }
}
