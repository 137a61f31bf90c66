//! The Python module `aiobpy._native`.
//!
//! **Invariant:** the only crate that names `pyo3`. No thread of ours attaches to the interpreter:
//! what is to run in Python waits in the ready queue until the main thread pulls it
//! (`main_thread.rs`).

mod buffers;
mod call;
mod callback;
mod calls;
mod cli;
mod context;
mod errors;
mod exchange;
mod fd;
mod filling;
mod generation;
mod gil_cell;
mod handle;
mod inspection;
mod listeners;
mod loans;
mod look_ups;
mod loop_core;
mod main_thread;
mod offers;
mod outcome;
mod pairing;
mod params_check;
mod python_api;
mod server;
mod server_access;
mod serving;
mod sites;
mod socket_connection;
mod socket_operations;
mod spares;
mod stats;
mod tasks;
mod ticker;
mod tls;
mod transfer;
mod transfer_orders;
mod untracked;
mod waiting;
mod watched_fds;
mod worker_link;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    aiobpy_cli::trace::start();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<calls::CallAnswer>()?;
    module.add_class::<exchange::Exchange>()?;
    module.add_class::<exchange::UploadedFile>()?;
    module.add_class::<handle::Handle>()?;
    module.add_class::<handle::TimerHandle>()?;
    module.add_class::<loop_core::LoopCore>()?;
    module.add_class::<outcome::Outcome>()?;
    module.add_class::<pairing::PairingClaim>()?;
    module.add_class::<socket_connection::SocketConnection>()?;
    module.add_class::<ticker::Ticker>()?;
    module.add_class::<tls::TlsCore>()?;
    module.add_class::<transfer::PyTransfer>()?;
    cli::register(module)?;
    params_check::register(module)?;
    listeners::register(module)?;
    server::register(module)?;
    server_access::register(module)?;
    worker_link::register(module)?;
    Ok(())
}
