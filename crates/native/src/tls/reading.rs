//! From the transport through OpenSSL to the application.

use bytes::Bytes;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyMemoryView};

use super::windows::{Piece, Room};
use super::{
    DELIVERED_AT_ONCE, FEW, RECORD, Stage, TlsCore, WHOLE_RECORD, part, pending, unless_again,
};
use crate::call::{call_method, call_method_up_to_none};

/// So many encrypted bytes are given to OpenSSL at a time.
const PIECE: usize = 8 * RECORD;

/// Why reading came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
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
    /// Has what came in looked at.
    fn _go_on_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        let arrived = std::mem::take(&mut slf.borrow_mut().arrived);
        if Self::is_in(slf, &[Stage::Wrapped])? {
            return Self::check(slf, Self::read_and_answer(slf, arrived));
        }
        Self::keep_all(slf, arrived)?;
        if Self::is_in(slf, &[Stage::Handshake])? {
            slf.call_method0("_do_handshake").map(drop)
        } else if Self::is_in(slf, &[Stage::Flushing])? {
            slf.call_method0("_do_flush").map(drop)
        } else if Self::is_in(slf, &[Stage::Shutdown])? {
            slf.call_method0("_do_shutdown").map(drop)
        } else {
            Ok(())
        }
    }

    /// Where a transport that is not ours puts what it has received.
    #[pyo3(signature = (_n, /))]
    fn get_buffer<'py>(slf: &Bound<'py, Self>, _n: isize) -> PyResult<Bound<'py, PyAny>> {
        Self::buffer(slf)
    }

    /// It has put so many bytes there.
    #[pyo3(signature = (nbytes, /))]
    fn buffer_updated(slf: &Bound<'_, Self>, nbytes: usize) -> PyResult<()> {
        let encrypted = Self::buffer(slf)?;
        Self::keep(slf, &part(&encrypted, 0, nbytes)?)?;
        Self::_go_on_reading(slf)
    }

    /// Hands over what can be decrypted, and sends what OpenSSL or the application has to say.
    #[pyo3(name = "_do_read")]
    fn do_read(slf: &Bound<'_, Self>) -> PyResult<()> {
        if !Self::is_in(slf, &[Stage::Wrapped, Stage::Flushing])? {
            return Ok(());
        }
        Self::check(slf, Self::read_and_answer(slf, Vec::new()))
    }
}

impl TlsCore {
    /// Has `pieces` given to OpenSSL by the next `_go_on_reading`.
    pub(crate) fn arrive(slf: &Bound<'_, Self>, pieces: Vec<Bytes>) {
        slf.borrow_mut().arrived.extend(pieces);
    }

    /// Copies encrypted bytes into `_incoming`.
    pub(crate) fn keep(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let incoming = Self::get(slf, |this| &this.incoming);
        call_method(&incoming, intern!(slf.py(), "write"), [data]).map(drop)
    }

    fn keep_all(slf: &Bound<'_, Self>, arrived: Vec<Bytes>) -> PyResult<()> {
        arrived.into_iter().try_for_each(|bytes| Self::keep_piece(slf, bytes))
    }

    fn keep_piece(slf: &Bound<'_, Self>, bytes: Bytes) -> PyResult<()> {
        Self::keep(slf, Bound::new(slf.py(), Piece(bytes))?.as_any())
    }

    /// `arrived` has come after what `_incoming` holds.
    fn read_and_answer(slf: &Bound<'_, Self>, mut arrived: Vec<Bytes>) -> PyResult<()> {
        let mut is_dry = false;
        if slf.borrow().is_app_reading_paused || slf.borrow().is_buffered {
            Self::keep_all(slf, std::mem::take(&mut arrived))?;
        }
        while !slf.borrow().is_app_reading_paused {
            let is_buffered = slf.borrow().is_buffered;
            let stop = if is_buffered {
                Self::fill(slf)?
            } else {
                Self::deliver(slf, std::mem::take(&mut arrived))?
            };
            match stop {
                Stop::Dry => {
                    is_dry = true;
                    break;
                }
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
        Self::control_reading(slf, is_dry)
    }

    /// Gives what has come to `data_received`, in one piece.
    fn deliver(slf: &Bound<'_, Self>, mut arrived: Vec<Bytes>) -> PyResult<Stop> {
        let py = slf.py();
        let incoming = Self::get(slf, |this| &this.incoming);
        let mut size = pending(&incoming)? + arrived.iter().map(Bytes::len).sum::<usize>();
        let mut first = None;
        if size <= FEW {
            Self::keep_all(slf, std::mem::take(&mut arrived))?;
            // What comes out is less than what went in, but for what OpenSSL has already.
            let most = if slf.borrow().has_openssl_more { RECORD } else { size };
            if most == 0 {
                return Ok(Stop::Dry);
            }
            let Some(data) = Self::read_new(slf, most)? else { return Ok(Stop::Dry) };
            if data.as_bytes().is_empty() {
                return Ok(Stop::Closed);
            }
            // An exception that says so costs as much as a small record.
            if pending(&incoming)? == 0 {
                Self::hand_over(slf, &data)?;
                return Ok(Stop::Dry);
            }
            size += data.as_bytes().len();
            first = Some(data);
        }
        let room = Room::new(py, DELIVERED_AT_ONCE.min(size + RECORD))?;
        if let Some(data) = first {
            room.get().put(py, data.as_bytes())?;
        }
        let stop = Self::read_through(slf, &room, arrived)?;
        let data = room.get().finish(py)?;
        if data.len()? > 0 {
            Self::hand_over(slf, &data)?;
        }
        Ok(stop)
    }

    /// Decrypts into `room`. Of `arrived`, a little is given to OpenSSL at a time, so that it finds
    /// it in the processor's cache.
    fn read_through(
        slf: &Bound<'_, Self>,
        room: &Bound<'_, Room>,
        arrived: Vec<Bytes>,
    ) -> PyResult<Stop> {
        let mut stop = Stop::Dry;
        for mut bytes in arrived {
            while !bytes.is_empty() {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Self::keep_piece(slf, piece)?;
                if stop == Stop::Dry {
                    stop = Self::read_into(slf, room, WHOLE_RECORD)?;
                }
            }
        }
        if stop == Stop::Dry { Self::read_into(slf, room, 0) } else { Ok(stop) }
    }

    fn hand_over(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let app_protocol = Self::get(slf, |this| &this.app_protocol);
        call_method(&app_protocol, intern!(slf.py(), "data_received"), [data]).map(drop)
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
        let (count, stop) = Self::fill_buffer(slf, &buffer, size)?;
        if count > 0 {
            app_protocol.call_method1(intern!(py, "buffer_updated"), (count,))?;
        }
        Ok(stop)
    }

    /// Decrypts record by record into `buffer`, which has room for `size` bytes.
    fn fill_buffer(
        slf: &Bound<'_, Self>,
        buffer: &Bound<'_, PyAny>,
        size: usize,
    ) -> PyResult<(usize, Stop)> {
        let incoming = Self::get(slf, |this| &this.incoming);
        let mut filled = 0;
        while filled < size {
            let rest = part(buffer, filled, size)?;
            let Some(count) = Self::read_to(slf, size - filled, &rest)? else {
                return Ok((filled, Stop::Dry));
            };
            if count == 0 {
                return Ok((filled, Stop::Closed));
            }
            filled += count;
            if filled < size && pending(&incoming)? == 0 {
                return Ok((filled, Stop::Dry));
            }
        }
        Ok((filled, Stop::Full))
    }

    /// Decrypts record by record into `room` while more than `least` encrypted bytes are there.
    fn read_into(slf: &Bound<'_, Self>, room: &Bound<'_, Room>, least: usize) -> PyResult<Stop> {
        let py = slf.py();
        let incoming = Self::get(slf, |this| &this.incoming);
        loop {
            let left = room.get().left(py);
            if left == 0 {
                return Ok(Stop::Full);
            }
            // An exception that says so costs as much as a small record.
            if pending(&incoming)? <= least {
                return Ok(Stop::Dry);
            }
            match Self::read_to(slf, left, room.as_any())? {
                None => return Ok(Stop::Dry),
                Some(0) => return Ok(Stop::Closed),
                Some(count) => room.get().note_filled(py, count)?,
            }
        }
    }

    /// Of one record, at most, new bytes. `None` if OpenSSL has to wait for more.
    fn read_new<'py>(slf: &Bound<'py, Self>, most: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(data) = Self::read(slf, most, None)? else { return Ok(None) };
        let data = data.cast_into::<PyBytes>()?;
        slf.borrow_mut().has_openssl_more = data.as_bytes().len() == most;
        Ok(Some(data))
    }

    /// The same, into `buffer`. Returns how many bytes there were.
    fn read_to(
        slf: &Bound<'_, Self>,
        most: usize,
        buffer: &Bound<'_, PyAny>,
    ) -> PyResult<Option<usize>> {
        let Some(count) = Self::read(slf, most, Some(buffer))? else { return Ok(None) };
        let count = count.extract()?;
        slf.borrow_mut().has_openssl_more = count == most;
        Ok(Some(count))
    }

    fn read<'py>(
        slf: &Bound<'py, Self>,
        most: usize,
        buffer: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let engine = Self::get(slf, |this| &this.engine);
        let most = most.into_pyobject(py)?.into_any();
        let name = intern!(py, "read");
        let read = unless_again(py, call_method_up_to_none(&engine, name, [Some(&most), buffer]))?;
        if read.is_none() {
            // It may have begun a record.
            slf.borrow_mut().has_openssl_more = true;
        }
        Ok(read)
    }

    /// Pauses the transport while too much waits for a paused application.
    fn control_reading(slf: &Bound<'_, Self>, is_dry: bool) -> PyResult<()> {
        let py = slf.py();
        let this = slf.borrow();
        // Then no more waits than a part of a record.
        let is_idle = is_dry && !this.is_reading_paused && this.incoming_high > WHOLE_RECORD;
        drop(this);
        if is_idle {
            return Ok(());
        }
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
