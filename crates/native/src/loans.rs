//! Python's bytes, lent to the I/O thread until it has sent them: a large `write` copies nothing.

use std::collections::HashMap;
use std::sync::Arc;

use aiobpy_reactor::ReadyQueue;
use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::gil_cell::GilCell;
use crate::loop_core::LoopCore;
use crate::main_thread::Ready;

/// What a loop has lent. Bytes objects refer to nothing, so the garbage collector need not know.
#[derive(Default)]
pub(crate) struct Loans(GilCell<Ledger>);

#[derive(Default)]
struct Ledger {
    count: u64,
    lent: HashMap<u64, Py<PyBytes>>,
}

/// From so many bytes on, a loan costs less than a copy.
const WORTH_LENDING: usize = 64 << 10;

impl LoopCore {
    /// What `bytes` holds from `start` on, for the I/O thread to send.
    pub(crate) fn lend(&self, bytes: &Bound<'_, PyBytes>, start: usize) -> Bytes {
        let rest = &bytes.as_bytes()[start..];
        if rest.len() < WORTH_LENDING {
            return Bytes::copy_from_slice(rest);
        }
        let mut ledger = self.loans.0.borrow_mut(bytes.py());
        ledger.count += 1;
        let number = ledger.count;
        ledger.lent.insert(number, bytes.clone().unbind());
        #[expect(unsafe_code, reason = "the I/O thread sends out of Python's memory")]
        // SAFETY: a bytes object never changes nor moves, and the ledger holds it until the loan has
        // been dropped, which is when it says so through the queue, or until the I/O thread has
        // ended: `Loans` is emptied, and dropped, only after the reactor.
        let memory = unsafe { std::slice::from_raw_parts(rest.as_ptr(), rest.len()) };
        Bytes::from_owner(Loan { memory, number, queue: Arc::clone(&self.queue) })
    }

    /// Nobody looks at the loan any more.
    pub(crate) fn take_back(&self, py: Python<'_>, number: u64) {
        let returned = self.loans.0.borrow_mut(py).lent.remove(&number);
        drop(returned);
    }

    /// Once the I/O thread has ended.
    pub(crate) fn take_all_back(&self, py: Python<'_>) {
        let returned = std::mem::take(&mut self.loans.0.borrow_mut(py).lent);
        drop(returned);
    }
}

struct Loan {
    memory: &'static [u8],
    number: u64,
    queue: Arc<ReadyQueue<Ready>>,
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        self.memory
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.queue.arrive(Ready::Returned(self.number));
    }
}
