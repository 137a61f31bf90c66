//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::shared::Shared;

/// So many connections beyond the limit are told that they are too many; the rest are just closed.
const TOLD: usize = 32;

/// How many connections there are, of all listeners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    served: usize,
    refused: usize,
    by_address: HashMap<Option<IpAddr>, usize>,
}

/// The right to a connection, until it is dropped.
pub(crate) struct Place {
    places: Places,
    address: Option<IpAddr>,
    shared: Shared,
    /// One too many: to be told so.
    pub(crate) is_extra: bool,
}

impl Places {
    /// `None` if it is not even worth an answer.
    ///
    /// # Arguments
    /// * `address`: of the client; none over a Unix socket.
    pub(crate) fn take(&self, address: Option<IpAddr>, shared: &Shared) -> Option<Place> {
        let address = address.map(neighbourhood);
        let mut counts = self.lock();
        let from_address = counts.by_address.get(&address).copied().unwrap_or_default();
        let has_room = counts.served < shared.limits.connections
            && from_address < shared.limits.connections_per_address;
        if has_room {
            counts.served += 1;
            counts.by_address.insert(address, from_address + 1);
            shared.connections.fetch_add(1, Ordering::Relaxed);
        } else if counts.refused < TOLD {
            counts.refused += 1;
        } else {
            return None;
        }
        drop(counts);
        Some(Place { places: self.clone(), address, shared: shared.clone(), is_extra: !has_room })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.lock();
        if self.is_extra {
            counts.refused -= 1;
            return;
        }
        counts.served -= 1;
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: of IPv6 the network, as whoever has one of it has all of it.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| neighbourhood(text.parse().unwrap()).to_string();
        assert_eq!(of("192.168.1.2"), "192.168.1.2");
        assert_eq!(of("::ffff:192.168.1.2"), "192.168.1.2");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::1"), "::1");
    }
}
