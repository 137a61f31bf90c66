//! From the transport through OpenSSL to the application.

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

use super::{DELIVERED_AT_ONCE, Stage, TlsCore, part, pending, unless_again};

/// Why reading came to its end.
#[derive(PartialEq, Eq)]
enum Stop {
    /// OpenSSL has no more.
    Dry,
    /// The other side has said goodbye.
    Closed,
    /// There may be more.
    Full,
}

#[pymethods]
impl TlsCore {
    /// Where the transport puts what it has received.
    #[pyo3(signature = (_n, /))]
    fn get_buffer<'py>(slf: &Bound<'py, Self>, _n: isize) -> PyResult<Bound<'py, PyMemoryView>> {
        Self::buffer(slf, |buffers| &buffers.encrypted)
    }

    /// The transport has put so many bytes there.
    #[pyo3(signature = (nbytes, /))]
    fn buffer_updated(slf: &Bound<'_, Self>, nbytes: usize) -> PyResult<()> {
        let py = slf.py();
        let encrypted = Self::buffer(slf, |buffers| &buffers.encrypted)?;
        let filled = part(&encrypted, 0, nbytes)?;
        Self::get(slf, |this| &this.incoming).call_method1(intern!(py, "write"), (filled,))?;
        if Self::is_in(slf, &[Stage::Wrapped])? {
            Self::do_read(slf)
        } else if Self::is_in(slf, &[Stage::Handshake])? {
            slf.call_method0("_do_handshake").map(drop)
        } else if Self::is_in(slf, &[Stage::Flushing])? {
            slf.call_method0("_do_flush").map(drop)
        } else if Self::is_in(slf, &[Stage::Shutdown])? {
            slf.call_method0("_do_shutdown").map(drop)
        } else {
            Ok(())
        }
    }

    /// Hands over what can be decrypted, and sends what OpenSSL or the application has to say.
    #[pyo3(name = "_do_read")]
    fn do_read(slf: &Bound<'_, Self>) -> PyResult<()> {
        if !Self::is_in(slf, &[Stage::Wrapped, Stage::Flushing])? {
            return Ok(());
        }
        Self::check(slf, Self::read_and_answer(slf))
    }
}

impl TlsCore {
    fn read_and_answer(slf: &Bound<'_, Self>) -> PyResult<()> {
        while !slf.borrow().is_app_reading_paused {
            let is_buffered = slf.borrow().is_buffered;
            let stop = if is_buffered { Self::fill(slf)? } else { Self::deliver(slf)? };
            match stop {
                Stop::Dry => break,
                Stop::Closed => {
                    slf.call_method0("_call_eof_received")?;
                    slf.call_method0("_start_shutdown")?;
                    break;
                }
                // What is left when the connection closes is bounded by the high-water mark.
                Stop::Full if Self::is_in(slf, &[Stage::Flushing])? => {}
                Stop::Full => {
                    Self::call_soon(slf, &slf.getattr(intern!(slf.py(), "_do_read"))?)?;
                    break;
                }
            }
        }
        Self::do_write(slf)?;
        Self::control_reading(slf)
    }

    /// Gives what has come to `data_received`, in one piece.
    fn deliver(slf: &Bound<'_, Self>) -> PyResult<Stop> {
        let py = slf.py();
        let plain = Self::buffer(slf, |buffers| &buffers.plain)?;
        let (count, stop) = Self::read_into(slf, &plain, DELIVERED_AT_ONCE)?;
        if count > 0 {
            let data = part(&plain, 0, count)?.call_method0(intern!(py, "tobytes"))?;
            let app_protocol = Self::get(slf, |this| &this.app_protocol);
            app_protocol.call_method1(intern!(py, "data_received"), (data,))?;
        }
        Ok(stop)
    }

    /// Fills the application's own buffer once.
    fn fill(slf: &Bound<'_, Self>) -> PyResult<Stop> {
        let py = slf.py();
        let app_protocol = Self::get(slf, |this| &this.app_protocol);
        let hint = pending(&Self::get(slf, |this| &this.incoming))?;
        let buffer = app_protocol.call_method1(intern!(py, "get_buffer"), (hint,))?;
        let buffer = PyMemoryView::from(&buffer)?;
        let size = buffer.len()?;
        if size == 0 {
            return Err(PyRuntimeError::new_err("get_buffer() returned an empty buffer"));
        }
        let (count, stop) = Self::read_into(slf, &buffer, size)?;
        if count > 0 {
            app_protocol.call_method1(intern!(py, "buffer_updated"), (count,))?;
        }
        Ok(stop)
    }

    /// Decrypts record by record into one buffer, and returns how many bytes there are.
    fn read_into(
        slf: &Bound<'_, Self>,
        buffer: &Bound<'_, PyMemoryView>,
        size: usize,
    ) -> PyResult<(usize, Stop)> {
        let py = slf.py();
        let incoming = Self::get(slf, |this| &this.incoming);
        let ssl_object = Self::get(slf, |this| &this.ssl_object);
        let mut filled = 0;
        while filled < size {
            let rest = part(buffer, filled, size)?;
            let read = ssl_object.call_method1(intern!(py, "read"), (size - filled, rest));
            let Some(count) = unless_again(py, read)? else { return Ok((filled, Stop::Dry)) };
            let count: usize = count.extract()?;
            if count == 0 {
                return Ok((filled, Stop::Closed));
            }
            filled += count;
            // An exception that says so costs as much as a small record.
            if filled < size && pending(&incoming)? == 0 {
                return Ok((filled, Stop::Dry));
            }
        }
        Ok((filled, Stop::Full))
    }

    /// Pauses the transport while too much waits for a paused application.
    fn control_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let size = pending(&Self::get(slf, |this| &this.incoming))?;
        let mut this = slf.borrow_mut();
        let method = if size >= this.incoming_high && !this.is_reading_paused {
            this.is_reading_paused = true;
            intern!(py, "pause_reading")
        } else if size <= this.incoming_low && this.is_reading_paused {
            this.is_reading_paused = false;
            intern!(py, "resume_reading")
        } else {
            return Ok(());
        };
        drop(this);
        Self::get(slf, |this| &this.transport).call_method0(method).map(drop)
    }
}
