//! Where a server listens besides loopback: `_native.Listener`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use aiobpy_server::tls::{Tls, TlsIdentity};
use aiobpy_server::{Listen, Opened};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::handle::lock;
use crate::server::{Server, raised};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Listener>()
}

/// Something that a server listens on besides loopback, until it is closed or the server stops.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct Listener {
    opened: Opened,
    /// None where there is no TLS.
    tls: Option<Tls>,
}

#[pymethods]
impl Listener {
    /// The address and the port; None at a path.
    #[getter]
    fn address(&self) -> Option<(String, u16)> {
        self.opened.address().map(|address| (address.ip().to_string(), address.port()))
    }

    /// Shows another certificate from the next handshake on.
    ///
    /// Raises `ValueError` if it cannot be used, or if there is no TLS here.
    #[expect(clippy::needless_pass_by_value, reason = "Python's paths come as new ones")]
    fn replace_certificate(&self, chain: PathBuf, key: PathBuf) -> PyResult<()> {
        let Some(tls) = &self.tls else {
            return Err(PyValueError::new_err("no TLS is spoken here, so there is no certificate"));
        };
        let replaced = TlsIdentity::from_pem_files(&chain, &key).and_then(|it| tls.replace(it));
        replaced.map_err(|problem| raised(&problem))
    }

    /// Listens no more, and cuts the connections that came by it.
    fn close(&self) {
        self.opened.close();
    }
}

#[pymethods]
impl Server {
    /// Listens with TLS on loopback, with a certificate of one's own; `aiobpy.server.share` does on
    /// the network, as that takes the user's consent.
    ///
    /// `chain` and `key` are PEM files; port 0 is any free one. Raises `ValueError` if the address
    /// or the certificate cannot be used, `OSError` if the address cannot be had.
    #[expect(clippy::needless_pass_by_value, reason = "Python's paths come as new ones")]
    fn open_secure(
        &self,
        py: Python<'_>,
        address: &str,
        port: u16,
        chain: PathBuf,
        key: PathBuf,
    ) -> PyResult<Listener> {
        let ip: IpAddr = address.parse().map_err(|_| {
            PyValueError::new_err(format!("{address:?} is no address, such as '127.0.0.1'"))
        })?;
        if !ip.is_loopback() {
            let message = format!("others see {address}; aiobpy.server.share() serves them");
            return Err(PyValueError::new_err(message));
        }
        let identity = TlsIdentity::from_pem_files(&chain, &key).map_err(|it| raised(&it))?;
        let tls = Tls::new(identity).map_err(|problem| raised(&problem))?;
        let listen = Listen::Secure { address: SocketAddr::new(ip, port), tls: tls.clone() };
        Ok(Listener { opened: self.open(py, listen)?, tls: Some(tls) })
    }

    /// Listens at a path, for this user alone. The file is removed when it is closed.
    ///
    /// Raises `OSError` if another program listens there, or where there are no Unix sockets.
    fn open_local(&self, py: Python<'_>, path: PathBuf) -> PyResult<Listener> {
        Ok(Listener { opened: self.open(py, Listen::Local(path))?, tls: None })
    }
}

impl Server {
    fn open(&self, py: Python<'_>, listen: Listen) -> PyResult<Opened> {
        // Without the interpreter, which whoever holds the lock may wait for.
        let opened = py.detach(|| {
            let running = lock(&self.running);
            running.as_ref().map(|it| it.runtime.block_on(it.server.open(listen)))
        });
        let opened = opened.ok_or_else(|| PyRuntimeError::new_err("the server has stopped"))?;
        opened.map_err(|problem| raised(&problem))
    }
}
