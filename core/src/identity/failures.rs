//! Who keeps sending bad credentials, by address: a table of fixed size.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How many bad credentials each address has sent within a minute.
///
/// The table never grows: addresses share sets of a few places, and in a full set the one whose minute is the oldest gives
/// way. Somebody with many addresses can only make it forget.
#[derive(Debug, Default)]
pub struct Failures {
    /// Empty until the first failure.
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    address: u64,
    /// When the minute began; since the Unix epoch.
    since: Duration,
    /// 0 where the slot is free.
    count: u32,
}

const SETS_BITS: u32 = 10;
const SLOTS_OF_SET: usize = 4;
const WINDOW: Duration = Duration::from_secs(60);

impl Failures {
    /// How many addresses there is room for.
    pub const CAPACITY: usize = (1 << SETS_BITS) * SLOTS_OF_SET;

    /// Notes a failure; says how many seconds are left until the minute is over, where it had more than `limit`.
    ///
    /// `address` is the peer's, with or without a port; what is none is not counted.
    pub fn count(&mut self, address: &str, limit: u32, now: Duration) -> Option<u64> {
        let slot = self.slot(network(address)?, now)?;
        if now.saturating_sub(slot.since) >= WINDOW {
            (slot.since, slot.count) = (now, 0);
        }
        slot.count = slot.count.saturating_add(1);
        let left = (slot.since + WINDOW).saturating_sub(now);
        (slot.count > limit).then(|| left.as_millis().div_ceil(1000).try_into().unwrap_or(1).max(1))
    }

    fn slot(&mut self, address: u64, now: Duration) -> Option<&mut Slot> {
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); Self::CAPACITY];
        }
        // Fibonacci hashing: the upper bits depend on all of the address.
        let set = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SETS_BITS);
        let set = self.slots.chunks_exact_mut(SLOTS_OF_SET).nth(usize::try_from(set).ok()?)?;
        let known = set.iter().position(|slot| slot.count > 0 && slot.address == address);
        let oldest = || set.iter().enumerate().min_by_key(|(_, slot)| (slot.count > 0, slot.since));
        let (position, is_known) = match known {
            Some(position) => (position, true),
            None => (oldest()?.0, false),
        };
        let slot = set.get_mut(position)?;
        if !is_known {
            *slot = Slot { address, since: now, count: 0 };
        }
        Some(slot)
    }
}

/// What stands for one sender: an IPv4 address, or the /64 of an IPv6 address, all of which one host has.
fn network(address: &str) -> Option<u64> {
    let address = match address.parse::<SocketAddr>() {
        Ok(socket) => socket.ip(),
        Err(_) => address.parse().ok()?,
    };
    Some(match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn after(seconds: u64) -> Duration {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_beyond_the_limit_has_to_wait_until_the_minute_is_over() {
        let mut failures = Failures::default();
        for second in 0..10 {
            assert_eq!(failures.count("192.0.2.1:1234", 10, after(second)), None);
        }
        assert_eq!(failures.count("192.0.2.1:9", 10, after(10)), Some(50), "another port is no other sender");
        assert_eq!(failures.count("192.0.2.2:1", 10, after(10)), None, "another address is");
        assert_eq!(failures.count("192.0.2.1", 10, after(59)), Some(1));
        assert_eq!(failures.count("192.0.2.1", 10, after(60)), None);
        assert_eq!(failures.count("nowhere", 0, NOW), None);
    }

    #[test]
    fn a_host_of_ipv6_is_one_sender_with_all_its_addresses() {
        let mut failures = Failures::default();
        assert_eq!(failures.count("[2001:db8::1]:1", 1, NOW), None);
        assert_eq!(failures.count("[2001:db8::2]:1", 1, NOW), Some(60));
        assert_eq!(failures.count("[2001:db8:0:1::2]:1", 1, NOW), None);
        assert_eq!(failures.count("192.0.2.1:1", 1, NOW), None);
        assert_eq!(failures.count("[::ffff:192.0.2.1]:1", 1, NOW), Some(60));
    }

    #[test]
    fn a_million_addresses_take_no_more_room_than_one() {
        let mut failures = Failures::default();
        failures.count("192.0.2.1", 1, NOW);
        let capacity = failures.slots.capacity();
        for bits in 0..1_000_000_u32 {
            failures.count(
                &std::net::Ipv4Addr::from_bits(bits.wrapping_mul(2_654_435_761)).to_string(),
                1,
                NOW,
            );
        }
        assert_eq!((failures.slots.capacity(), failures.slots.len()), (capacity, Failures::CAPACITY));
        assert!(size_of::<Slot>() * Failures::CAPACITY <= 128 << 10);
        // The one that came last is there all the same.
        assert_eq!(failures.count("203.0.113.7", 1, after(1)), None);
        assert_eq!(failures.count("203.0.113.7", 1, after(1)), Some(60));
    }
}
