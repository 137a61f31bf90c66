//! How a device is let in: a code that is shown in Blender, once, and a person who allows it there.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiobpy_wire::{Problem, Scope};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use crate::error::Failure;
use crate::token::{Digest, digest, random_digits};

/// How long a code is good.
pub(crate) const LIFE: Duration = Duration::from_mins(2);
/// How long a person has to say yes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// So many wrong codes, from wherever, and the right one is good no more.
const TRIES: u32 = 10;

/// The one code that is good now, if one is. Times are counted from the server's start.
#[derive(Debug, Default)]
pub(crate) struct Pairing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// Was good: whoever sends it is told that he comes too late.
    spent: Option<Digest>,
}

#[derive(Debug)]
struct Open {
    code: Digest,
    until: Duration,
    tries: u32,
}

/// A device that has sent the code, and waits for a person to allow it.
#[derive(Debug)]
pub struct Claim {
    /// As the device calls itself.
    pub name: String,
    pub address: Option<IpAddr>,
    answer: oneshot::Sender<Option<Scope>>,
}

impl Claim {
    pub(crate) fn new(
        name: String,
        address: Option<IpAddr>,
    ) -> (Self, oneshot::Receiver<Option<Scope>>) {
        let (answer, answered) = oneshot::channel();
        (Self { name, address, answer }, answered)
    }

    /// Lets the device in, or refuses it. Whether it still waits.
    pub fn answer(self, scope: Option<Scope>) -> bool {
        self.answer.send(scope).is_ok()
    }

    /// Whether nobody waits any more.
    pub fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }
}

impl Pairing {
    /// Makes a new code of 128 bits, in the place of the one before it.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn open(&self, now: Duration) -> Result<String, Problem> {
        self.open_for(now, LIFE)
    }

    /// As [`Self::open`], good for another while.
    pub(crate) fn open_for(&self, now: Duration, life: Duration) -> Result<String, Problem> {
        const CODE_BYTES: usize = 16;
        let code = random_digits::<CODE_BYTES>()?;
        let mut state = self.lock();
        state.spend();
        state.open = Some(Open { code: digest(code.as_bytes()), until: now + life, tries: 0 });
        Ok(code)
    }

    /// Makes the code good no more.
    pub(crate) fn close(&self) {
        self.lock().spend();
    }

    /// How much longer the code is good; `None` if there is none.
    pub(crate) fn remaining(&self, now: Duration) -> Option<Duration> {
        let until = self.lock().open.as_ref()?.until;
        until.checked_sub(now).filter(|remaining| !remaining.is_zero())
    }

    /// Takes the code: it is good once.
    ///
    /// # Errors
    /// It is wrong, or it was good and is no more.
    pub(crate) fn claim(&self, code: &str, now: Duration) -> Result<(), Failure> {
        let given = digest(code.as_bytes());
        let mut state = self.lock();
        let Some(open) = &mut state.open else { return Err(state.too_late_or_wrong(&given)) };
        let is_right: bool = open.code.ct_eq(&given).into();
        open.tries += 1;
        let is_over = now >= open.until || open.tries > TRIES;
        if is_right || is_over {
            state.spend();
        }
        match (is_right, is_over) {
            (true, false) => Ok(()),
            (true, true) => Err(Failure::CodeExpired),
            (false, _) => Err(state.too_late_or_wrong(&given)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn spend(&mut self) {
        if let Some(open) = self.open.take() {
            self.spent = Some(open.code);
        }
    }

    fn too_late_or_wrong(&self, given: &Digest) -> Failure {
        match &self.spent {
            Some(spent) if spent == given => Failure::CodeExpired,
            _ => Failure::WrongCode,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn is_wrong(claimed: &Result<(), Failure>) -> bool {
        matches!(claimed, Err(Failure::WrongCode))
    }

    fn is_late(claimed: &Result<(), Failure>) -> bool {
        matches!(claimed, Err(Failure::CodeExpired))
    }

    #[test]
    fn a_code_has_128_bits_and_is_good_once() {
        let pairing = Pairing::default();
        assert!(is_wrong(&pairing.claim("", NOW)));
        let code = pairing.open(NOW).unwrap();
        assert_eq!(code.len(), 32);
        assert_eq!(pairing.remaining(NOW), Some(LIFE));
        assert!(is_wrong(&pairing.claim("0", NOW)));
        assert!(pairing.claim(&code, NOW).is_ok());
        assert!(is_late(&pairing.claim(&code, NOW)));
        assert_eq!(pairing.remaining(NOW), None);
    }

    #[test]
    fn after_two_minutes_it_is_good_no_more() {
        let pairing = Pairing::default();
        let code = pairing.open(NOW).unwrap();
        assert!(is_late(&pairing.claim(&code, NOW + LIFE)));
        assert!(is_late(&pairing.claim(&code, NOW)));
    }

    #[test]
    fn after_ten_wrong_ones_the_right_one_is_good_no_more() {
        let pairing = Pairing::default();
        let code = pairing.open(NOW).unwrap();
        for guess in 0..TRIES {
            assert!(is_wrong(&pairing.claim(&guess.to_string(), NOW)));
        }
        assert!(is_late(&pairing.claim(&code, NOW)));
    }

    #[test]
    fn a_new_code_takes_the_place_of_the_one_before() {
        let pairing = Pairing::default();
        let (one, other) = (pairing.open(NOW).unwrap(), pairing.open(NOW).unwrap());
        assert!(is_late(&pairing.claim(&one, NOW)));
        assert!(pairing.claim(&other, NOW).is_ok());
        let closed = pairing.open(NOW).unwrap();
        pairing.close();
        assert!(is_late(&pairing.claim(&closed, NOW)));
    }

    #[test]
    fn a_claim_is_answered_while_somebody_waits() {
        let (claim, mut answered) = Claim::new("iPad".to_owned(), None);
        assert!(claim.answer(Some(Scope::Read)));
        assert_eq!(answered.try_recv(), Ok(Some(Scope::Read)));
        let (claim, answered) = Claim::new("iPad".to_owned(), None);
        drop(answered);
        assert!(claim.is_abandoned());
        assert!(!claim.answer(None));
    }
}
