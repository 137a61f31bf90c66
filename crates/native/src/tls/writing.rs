//! From the application through OpenSSL to the transport.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyMemoryView, PyTuple};

use super::{Names, RECORD, Stage, TlsCore, part, pending, unless_again};
use crate::buffers::is_view;
use crate::call::call_method;

/// Encrypted bytes that are handed to the transport in one go.
const SENT_AT_ONCE: usize = 16 * RECORD;
/// Once so many bytes are encrypted, the rest waits for another turn: a write of 100 MiB must not
/// stop a frame.
const ENCRYPTED_AT_ONCE: usize = 64 * RECORD;

/// How much one callback may still encrypt.
struct Allowance {
    left: usize,
    /// Encrypted, and not handed to the transport.
    unsent: usize,
}

impl Allowance {
    const fn new() -> Self {
        Self { left: ENCRYPTED_AT_ONCE, unsent: 0 }
    }
}

#[pymethods]
impl TlsCore {
    /// `write` of the application's transport.
    #[pyo3(signature = (data, /))]
    fn _write_one(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        if !data.is_instance_of::<PyBytes>() && !is_view(data) {
            let kind = data.get_type();
            let message = format!("data: expecting a bytes-like instance, got {}", kind.name()?);
            return Err(PyTypeError::new_err(message));
        }
        let data = own_bytes(data)?;
        if data.as_bytes().is_empty() {
            return Ok(());
        }
        if !Self::is_in(slf, &[Stage::Handshake, Stage::Wrapped])? {
            return Self::refuse_write(slf, PyTuple::new(slf.py(), [data])?.as_any());
        }
        Self::check(slf, Self::write_all(slf, std::slice::from_ref(&data)))
    }

    /// `writelines` of the application's transport.
    #[pyo3(name = "_write_appdata")]
    fn write_app_data(slf: &Bound<'_, Self>, list_of_data: &Bound<'_, PyAny>) -> PyResult<()> {
        if !Self::is_in(slf, &[Stage::Handshake, Stage::Wrapped])? {
            return Self::refuse_write(slf, list_of_data);
        }
        let mut all = Vec::new();
        for data in list_of_data.try_iter()? {
            let data = own_bytes(&data?)?;
            if !data.as_bytes().is_empty() {
                all.push(data);
            }
        }
        Self::check(slf, Self::write_all(slf, &all))
    }

    /// Encrypts what waits, and hands over what is encrypted.
    #[pyo3(name = "_do_write")]
    pub(super) fn do_write(slf: &Bound<'_, Self>) -> PyResult<()> {
        let backlog = Self::get(slf, |this| &this.backlog);
        let mut allowance = Allowance::new();
        while !backlog.is_empty()? {
            let data = backlog.get_item(0)?;
            let length = data.len()?;
            let count = Self::encrypt(slf, &data, length, &mut allowance)?;
            slf.borrow_mut().backlog_size -= count;
            if count < length {
                backlog.set_item(0, part(&data, count, length)?)?;
                break;
            }
            backlog.del_item(0)?;
        }
        Self::process_outgoing(slf)?;
        Self::go_on_soon(slf, &allowance)
    }

    /// Hands encrypted bytes to the transport, and pauses or resumes the application.
    #[pyo3(name = "_process_outgoing")]
    fn process_outgoing(slf: &Bound<'_, Self>) -> PyResult<()> {
        let encrypted = Self::send(slf)?;
        let this = slf.borrow();
        let size = encrypted + this.backlog_size;
        let is_paused = this.is_app_writing_paused;
        let is_to_change =
            if is_paused { size <= this.outgoing_low } else { size >= this.outgoing_high };
        drop(this);
        if is_to_change {
            slf.call_method0("_control_app_writing")?;
        }
        Ok(())
    }

    /// The transport's buffer is full.
    fn pause_writing(&mut self) {
        self.is_writing_paused = true;
    }

    /// The transport's buffer has room.
    fn resume_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.borrow_mut().is_writing_paused = false;
        Self::process_outgoing(slf)?;
        Self::go_on(slf)
    }

    #[pyo3(name = "_go_on_writing")]
    fn go_on_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.borrow_mut().is_to_go_on_writing = false;
        Self::go_on(slf)
    }
}

impl TlsCore {
    fn write_all(slf: &Bound<'_, Self>, all: &[Bound<'_, PyBytes>]) -> PyResult<()> {
        let backlog = Self::get(slf, |this| &this.backlog);
        let mut allowance = Allowance::new();
        let mut may_encrypt = Self::is_in(slf, &[Stage::Wrapped])? && backlog.is_empty()?;
        for data in all {
            let length = data.as_bytes().len();
            let mut count = 0;
            if may_encrypt {
                count = Self::encrypt(slf, data, length, &mut allowance)?;
                may_encrypt = count == length;
            }
            if count < length {
                slf.borrow_mut().backlog_size += length - count;
                backlog.call_method1(intern!(slf.py(), "append"), (part(data, count, length)?,))?;
            }
        }
        if Self::is_in(slf, &[Stage::Wrapped])? {
            Self::process_outgoing(slf)?;
            Self::go_on_soon(slf, &allowance)?;
        }
        Ok(())
    }

    /// Encrypts `data` and returns how many bytes of it: not all if the transport is full, if that
    /// is enough for one turn, or if OpenSSL has to hear from the other side first.
    fn encrypt(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        length: usize,
        allowance: &mut Allowance,
    ) -> PyResult<usize> {
        let py = slf.py();
        let engine = Self::get(slf, |this| &this.engine);
        let mut done = 0;
        while done < length && allowance.left > 0 && !slf.borrow().is_writing_paused {
            let some = part(data, done, length.min(done + SENT_AT_ONCE))?;
            let written = call_method(&engine, intern!(py, "write"), [&some]);
            let Some(count) = unless_again(py, written)? else { break };
            let count: usize = count.extract()?;
            done += count;
            allowance.left = allowance.left.saturating_sub(count);
            allowance.unsent += count;
            if allowance.unsent >= SENT_AT_ONCE {
                allowance.unsent = 0;
                Self::send(slf)?;
            }
        }
        Ok(done)
    }

    /// Returns how many encrypted bytes have to wait.
    fn send(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let py = slf.py();
        let outgoing = Self::get(slf, |this| &this.outgoing);
        let size = pending(&outgoing)?;
        if size == 0 || slf.borrow().is_writing_paused {
            return Ok(size);
        }
        let data = call_method(&outgoing, intern!(py, "read"), [])?;
        let transport = Self::get(slf, |this| &this.transport);
        call_method(&transport, intern!(py, "write"), [&data])?;
        Ok(0)
    }

    fn refuse_write(slf: &Bound<'_, Self>, list_of_data: &Bound<'_, PyAny>) -> PyResult<()> {
        let refuse = Names::of(slf.py())?.refuse_write.bind(slf.py());
        refuse.call1((slf, list_of_data)).map(drop)
    }

    /// Has the rest written in another turn, if this one's share is used up.
    fn go_on_soon(slf: &Bound<'_, Self>, allowance: &Allowance) -> PyResult<()> {
        if allowance.left > 0 || std::mem::replace(&mut slf.borrow_mut().is_to_go_on_writing, true)
        {
            return Ok(());
        }
        Self::call_soon(slf, &slf.getattr(intern!(slf.py(), "_go_on_writing"))?)
    }

    fn go_on(slf: &Bound<'_, Self>) -> PyResult<()> {
        if Self::is_in(slf, &[Stage::Wrapped])? {
            Self::check(slf, Self::do_write(slf))
        } else if Self::is_in(slf, &[Stage::Flushing])? {
            slf.call_method0("_do_flush").map(drop)
        } else {
            Ok(())
        }
    }
}

/// Bytes that nobody changes while they wait.
fn own_bytes<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    match data.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.clone()),
        Err(_) => Ok(PyMemoryView::from(data)?.call_method0("tobytes")?.cast_into()?),
    }
}
