//! Whoever sends wrong secrets waits: longer each time, each address by itself.
//!
//! A program that goes on sending an old token guesses nothing: it is told to wait, and holds up nobody
//! else at its address. On this computer all programs share one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::token::Digest;

/// So many wrong secrets are forgiven.
const FORGIVEN: u32 = 8;
const LONGEST: Duration = Duration::from_mins(1);
/// After so long without a wrong secret, all is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(10);
/// So many addresses are remembered; then those that have been quiet for longest are not.
const ADDRESSES: usize = 1024;
/// So many wrong secrets of one address are known again.
const KNOWN: usize = 4;

/// Who has sent wrong secrets. Times are counted from the server's start.
#[derive(Debug, Default)]
pub(crate) struct Backoff(HashMap<IpAddr, Guesser>);

#[derive(Debug, Default)]
struct Guesser {
    /// Secrets that differ.
    guesses: u32,
    /// Wrong secrets that were sent again, and how often.
    known: Vec<(Digest, u32)>,
    until: Duration,
    last: Duration,
}

impl Backoff {
    /// How much longer nothing from this address is looked at.
    pub(crate) fn wait(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        let guesser = self.0.get(&network_of(address))?;
        guesser.until.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    /// Notes a wrong secret; says how long whoever has sent it is to wait, if at all.
    pub(crate) fn wrong(
        &mut self,
        address: IpAddr,
        secret: Digest,
        now: Duration,
    ) -> Option<Duration> {
        self.forget(now);
        let guesser = self.0.entry(network_of(address)).or_default();
        guesser.last = now;
        if let Some((_, times)) = guesser.known.iter_mut().find(|(known, _)| *known == secret) {
            *times += 1;
            return pause(*times);
        }
        if guesser.known.len() == KNOWN {
            guesser.known.remove(0);
        }
        guesser.known.push((secret, 1));
        guesser.guesses += 1;
        let pause = pause(guesser.guesses);
        guesser.until = now + pause.unwrap_or_default();
        pause
    }

    fn forget(&mut self, now: Duration) {
        if self.0.len() < ADDRESSES {
            return;
        }
        self.0.retain(|_, guesser| now.saturating_sub(guesser.last) < FORGOTTEN);
        while self.0.len() >= ADDRESSES {
            let quietest = self.0.iter().min_by_key(|(_, guesser)| guesser.last);
            let Some(address) = quietest.map(|(address, _)| *address) else { return };
            self.0.remove(&address);
        }
    }
}

fn pause(times: u32) -> Option<Duration> {
    let beyond = times.checked_sub(FORGIVEN + 1)?;
    Some(Duration::from_secs(1_u64.checked_shl(beyond.min(16)).unwrap_or(1)).min(LONGEST))
}

/// One home or one computer has all the addresses of an IPv6 network of 64 bits.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if !address.is_loopback() => {
            if let Some(address) = address.to_ipv4_mapped() {
                return address.into();
            }
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::digest;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn guess(
        backoff: &mut Backoff,
        address: IpAddr,
        times: u32,
        now: Duration,
    ) -> Vec<Option<u64>> {
        (0..times)
            .map(|time| {
                let secret = digest(format!("{now:?} {time}").as_bytes());
                backoff.wrong(address, secret, now).map(|wait| wait.as_secs())
            })
            .collect()
    }

    #[test]
    fn each_wrong_secret_beyond_the_first_few_doubles_the_wait() {
        let mut backoff = Backoff::default();
        assert_eq!(guess(&mut backoff, HERE, 8, seconds(0)), [None; 8]);
        let waits = guess(&mut backoff, HERE, 8, seconds(1));
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60].map(Some));
        assert_eq!(backoff.wait(HERE, seconds(1)), Some(seconds(60)));
        assert_eq!(backoff.wait(HERE, seconds(60)), Some(seconds(1)));
        assert_eq!(backoff.wait(HERE, seconds(61)), None);
    }

    #[test]
    fn another_address_is_not_held_up() {
        let mut backoff = Backoff::default();
        guess(&mut backoff, HERE, 20, seconds(0));
        assert!(backoff.wait(HERE, seconds(0)).is_some());
        assert_eq!(backoff.wait("192.168.1.2".parse().unwrap(), seconds(0)), None);
    }

    #[test]
    fn one_wrong_secret_again_and_again_waits_itself_and_holds_up_nobody() {
        let mut backoff = Backoff::default();
        let old = digest(b"that of yesterday");
        let waits: Vec<_> = (0..10).map(|_| backoff.wrong(HERE, old, seconds(0))).collect();
        assert_eq!(waits[7], None);
        assert_eq!(waits[8], Some(seconds(1)));
        assert_eq!(backoff.wait(HERE, seconds(0)), None);
    }

    #[test]
    fn all_addresses_of_one_network_are_one() {
        let mut backoff = Backoff::default();
        guess(&mut backoff, "fe80::1".parse().unwrap(), 20, seconds(0));
        assert!(backoff.wait("fe80::2".parse().unwrap(), seconds(0)).is_some());
        assert!(backoff.wait("fe80:0:0:1::2".parse().unwrap(), seconds(0)).is_none());
        guess(&mut backoff, "192.168.1.2".parse().unwrap(), 20, seconds(0));
        assert!(backoff.wait("::ffff:192.168.1.2".parse().unwrap(), seconds(0)).is_some());
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let mut backoff = Backoff::default();
        for number in 0..2000_u32 {
            let address = std::net::Ipv4Addr::from_bits(number).into();
            guess(&mut backoff, address, 1, Duration::from_millis(number.into()));
        }
        assert_eq!(backoff.0.len(), ADDRESSES);
        assert!(backoff.0.contains_key(&std::net::Ipv4Addr::from_bits(1999).into()));
    }
}
