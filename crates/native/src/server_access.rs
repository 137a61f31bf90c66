//! Who may ask the web server for what, and who has asked: the rest of `_native.Server`.

use std::path::PathBuf;

use aiobpy_server::{Certificate, QrCode, Share, Token, discovery};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::handle::lock;
use crate::server::{Running, Server, raised};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(qr_code, module)?)
}

#[pymethods]
impl Server {
    /// Whether Python may be run from outside.
    #[getter]
    fn allows_exec(&self) -> bool {
        self.ask(|running| running.server.exec().is_on()).unwrap_or(false)
    }

    /// Lets Python be run from outside, by those whose scope includes it; or no more.
    fn allow_exec(&self, is_on: bool) {
        self.ask(|running| running.server.exec().set(is_on));
    }

    /// Puts another token in the place of the server's own: who came in by the old one is out.
    ///
    /// Raises `ValueError` if it cannot be used, and `OSError` if no file can be written.
    #[pyo3(signature = (token = None))]
    fn change_token(&self, token: Option<String>) -> PyResult<()> {
        let token = match token {
            Some(token) => Token::new(token),
            None => Token::random(),
        };
        let token = token.map_err(|problem| raised(&problem))?;
        match &mut *lock(&self.running) {
            Some(running) => running.server.change_token(token).map_err(|problem| raised(&problem)),
            None => Ok(()),
        }
    }

    /// The devices that were paired, the last one first: the text of a JSON array.
    fn devices(&self) -> String {
        json(self.ask(|running| running.server.devices()))
    }

    /// Lets a device in no more, and cuts what it has open. Whether there was one.
    ///
    /// Raises `OSError` if the list of devices cannot be written.
    fn revoke(&self, device: &str) -> PyResult<bool> {
        let revoked = self.ask(|running| running.server.revoke(device)).unwrap_or(Ok(false));
        revoked.map_err(|problem| raised(&problem))
    }

    /// Lets devices on the network reach the server, by TLS at its own port.
    ///
    /// `host` is what this computer is called; `addresses` are those to listen at, all private ones
    /// if left out; `tls` names PEM files, with certificates and their key, in the place of the
    /// user's own authority. Raises `ValueError` for what cannot be used, else `OSError`.
    #[pyo3(signature = (host, *, addresses = None, tls = None))]
    fn share(
        &self,
        py: Python<'_>,
        host: String,
        addresses: Option<Vec<String>>,
        tls: Option<(PathBuf, PathBuf)>,
    ) -> PyResult<()> {
        let addresses = addresses
            .map(|addresses| addresses.iter().map(|address| address.parse()).collect())
            .transpose()
            .map_err(|_| PyValueError::new_err("an address to share at is none of IP"))?;
        let certificate = match (tls, discovery::user_folder()) {
            (Some((chain, key)), _) => Certificate::Own { chain, key },
            (None, Some(folder)) => {
                Certificate::OfAuthority(folder.with_file_name("authority.json"))
            }
            (None, None) => {
                return Err(PyOSError::new_err("there is no home folder to keep a key in"));
            }
        };
        let share = Share { addresses, host, certificate };
        // Without the interpreter: others may wait for it while this waits.
        let shared =
            py.detach(|| self.ask(|running| running.runtime.block_on(running.server.share(share))));
        shared.unwrap_or(Ok(())).map_err(|problem| raised(&problem))
    }

    /// Is there for this computer alone again; cuts the connections of others.
    fn unshare(&self) {
        self.ask(|running| running.server.unshare());
    }

    /// Where others reach the server, as in `https://192.168.1.2:43210`; empty if it is not shared.
    #[getter]
    fn shared_at(&self) -> Vec<String> {
        self.ask(|running| running.server.shared_at()).unwrap_or_default()
    }

    /// What a person compares before a device trusts this computer's authority.
    #[getter]
    fn authority_fingerprint(&self) -> Option<String> {
        self.ask(|running| running.server.authority_fingerprint()).flatten()
    }

    /// Makes a code that lets one device ask to be let in, and returns the address to open there.
    ///
    /// Raises `OSError` if there is no randomness.
    fn open_pairing(&self) -> PyResult<Option<String>> {
        let opened = self.ask(|running| running.server.open_pairing());
        opened.transpose().map_err(|problem| raised(&problem))
    }

    /// Makes the code of `open_pairing` good no more.
    fn close_pairing(&self) {
        self.ask(|running| running.server.close_pairing());
    }

    /// How many seconds the code is still good; `None` if there is none.
    #[getter]
    fn pairing_remaining(&self) -> Option<f64> {
        let remaining = self.ask(|running| running.server.pairing_remaining()).flatten();
        remaining.map(|remaining| remaining.as_secs_f64())
    }

    /// The newest requests, newest first: the text of a JSON array.
    fn requests(&self, limit: usize) -> String {
        json(self.ask(|running| running.server.requests(limit)))
    }

    /// The newest requests that changed something or were refused: the text of a JSON array.
    fn audit(&self, limit: usize) -> String {
        json(self.ask(|running| running.server.audit(limit)))
    }
}

impl Server {
    /// `None` if the server has stopped.
    fn ask<T>(&self, question: impl FnOnce(&Running) -> T) -> Option<T> {
        lock(&self.running).as_ref().map(question)
    }
}

/// A text as a QR code: squares along a side, a byte for each (1 is dark) row by row from the top
/// and without a margin, a drawing as SVG, and the text for a dark terminal.
#[pyfunction]
fn qr_code(py: Python<'_>, text: &str) -> PyResult<(usize, Py<PyBytes>, String, String)> {
    let code = QrCode::new(text).map_err(|problem| raised(&problem))?;
    let squares = PyBytes::new(py, &code.squares()).unbind();
    Ok((code.size(), squares, code.svg(), code.text()))
}

/// An array; empty if there is nothing to tell.
fn json<T: Serialize>(list: Option<Vec<T>>) -> String {
    serde_json::to_string(&list.unwrap_or_default()).unwrap_or_else(|_unwritable| "[]".to_owned())
}
