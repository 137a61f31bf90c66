//! The web server of a Python process: `_native.Server`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aiobpy_server::{Limits, MainThread, Parts, ServerConfig, Token, discovery};
use aiobpy_wire::Problem;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::handle::lock;
use crate::loop_core::LoopCore;
use crate::offers::Offers;
use crate::sites::{Feed, Sites, Snapshot};

/// How long the main thread waits, when it stops the server, for answers under way to end.
const FAREWELL: Duration = Duration::from_millis(200);
/// Bytes of JSON that one event may carry: a thousand events are kept in memory.
const LARGEST_EVENT: usize = 64 << 10;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Sites>()?;
    module.add_class::<Feed>()?;
    module.add_class::<Snapshot>()?;
    module.add_class::<Offers>()?;
    module.add_class::<Server>()
}

/// The web server of this process. It listens when it has been made, until `stop()`.
///
/// Its thread never attaches to Python. What needs Python goes through the queue of the loop.
#[pyclass(frozen, module = "aiobpy._native")]
pub(crate) struct Server {
    /// As in `http://127.0.0.1:43210`.
    #[pyo3(get)]
    address: String,
    #[pyo3(get)]
    port: u16,
    /// The token of the time when it stopped.
    last_token: Mutex<String>,
    /// Where programs of this user find the address and the token.
    #[pyo3(get)]
    discovery_file: Option<PathBuf>,
    pub(crate) running: Mutex<Option<Running>>,
}

pub(crate) struct Running {
    pub(crate) server: aiobpy_server::Server,
    pub(crate) runtime: Runtime,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (
        event_loop, *, port = None, token = None, exec = false, connections = None,
        announced = true, blender_version = None, sites = None, offers = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "Python gives them by name")]
    fn new(
        event_loop: &Bound<'_, LoopCore>,
        port: Option<u16>,
        token: Option<String>,
        exec: bool,
        connections: Option<usize>,
        announced: bool,
        blender_version: Option<String>,
        sites: Option<&Sites>,
        offers: Option<&Offers>,
    ) -> PyResult<Self> {
        let limits = limits(connections)?;
        let main_thread: Arc<dyn MainThread> =
            Arc::new(event_loop.get().main_thread(blender_version));
        let sites = sites.map(|sites| Arc::clone(&sites.sites)).unwrap_or_default();
        let offers = offers.map(|offers| Arc::clone(&offers.offers)).unwrap_or_default();
        let folder = if announced { discovery::user_folder() } else { None };
        let parts = Parts {
            main_thread: Some(main_thread),
            sites,
            offers,
            devices_file: folder.as_ref().map(|folder| folder.with_file_name("devices.json")),
            ..Parts::default()
        };
        parts.exec.set(exec);
        let started = event_loop.py().detach(|| start(parts, port, token, limits, folder));
        let (running, discovery_file) = started.map_err(|problem| raised(&problem))?;
        let address = running.server.address();
        Ok(Self {
            address: format!("http://{address}"),
            port: address.port(),
            last_token: Mutex::new(running.server.token().as_str().to_owned()),
            discovery_file,
            running: Mutex::new(Some(running)),
        })
    }

    /// What clients have to send, as `Authorization: Bearer <token>`.
    #[getter]
    fn token(&self) -> String {
        match &*lock(&self.running) {
            Some(running) => running.server.token().as_str().to_owned(),
            None => lock(&self.last_token).clone(),
        }
    }

    /// How many connections are open; 0 when the server has stopped.
    #[getter]
    fn connections(&self) -> u64 {
        lock(&self.running).as_ref().map_or(0, |running| running.server.connections())
    }

    /// Tells those who follow the events. `data` is the text of a JSON value.
    ///
    /// Raises `ValueError` if it is not one, or if it is larger than 64 KiB.
    fn publish(&self, topic: String, data: &str) -> PyResult<()> {
        if data.len() > LARGEST_EVENT {
            return Err(PyValueError::new_err(format!(
                "the data of an event may have {LARGEST_EVENT} bytes as JSON, and that of \
                 {topic:?} has {}; publish where to find it instead",
                data.len()
            )));
        }
        let data = serde_json::from_str(data)
            .map_err(|error| PyValueError::new_err(format!("not JSON: {error}")))?;
        if let Some(running) = &*lock(&self.running) {
            running.server.publish(topic, data);
        }
        Ok(())
    }

    /// Ends all connections, listens no more and removes the discovery file; its thread has ended
    /// when this returns. Does nothing if it has stopped.
    fn stop(&self, py: Python<'_>) {
        let running = lock(&self.running).take();
        // Not under the lock, and without the interpreter: an answer under way may need either.
        py.detach(|| {
            if let Some(Running { server, runtime }) = running {
                server.token().as_str().clone_into(&mut lock(&self.last_token));
                runtime.block_on(server.stop());
                drop(runtime);
            }
        });
    }

    fn __repr__(&self) -> String {
        let state = if lock(&self.running).is_some() { "at" } else { "stopped, was at" };
        format!("<aiobpy.server.Server {state} {}>", self.address)
    }
}

fn start(
    parts: Parts,
    port: Option<u16>,
    token: Option<String>,
    limits: Limits,
    folder: Option<PathBuf>,
) -> Result<(Running, Option<PathBuf>), Problem> {
    let token = match token {
        Some(token) => Token::new(token)?,
        None => Token::from_environment_or_random()?,
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("aiobpy-server")
        .enable_all()
        .build()
        .map_err(|error| {
            let detail = format!("cannot start the server's thread: {error}");
            Problem::new(500, "no-thread", "The server cannot start", detail)
        })?;
    let mut config = ServerConfig::new(token);
    config.port = port;
    config.limits = limits;
    config.remembered_port_file = folder.as_ref().map(|folder| folder.with_file_name("port"));
    config.discovery_file = folder.map(|folder| discovery::file_of_this_process(&folder));
    let discovery_file = config.discovery_file.clone();
    let server = runtime.block_on(aiobpy_server::Server::start(config, parts))?;
    Ok((Running { server, runtime }, discovery_file))
}

/// So many connections, three quarters of them from one address, so that there is room for others.
fn limits(connections: Option<usize>) -> PyResult<Limits> {
    let limits = Limits { farewell: FAREWELL, ..Limits::default() };
    match connections {
        None => Ok(limits),
        Some(0) => Err(PyValueError::new_err("without connections nobody can reach the server")),
        Some(connections) => {
            let connections_per_address = (connections / 4 * 3).max(1);
            Ok(Limits { connections, connections_per_address, ..limits })
        }
    }
}

/// A wrong argument is a `ValueError`; what the system refuses is an `OSError`.
pub(crate) fn raised(problem: &Problem) -> PyErr {
    match problem.status {
        400 => PyValueError::new_err(problem.to_string()),
        _ => PyOSError::new_err(problem.to_string()),
    }
}
