//! How many wrong tokens are looked at. Pure: the time comes in.

use std::collections::HashMap;
use std::net::IpAddr;

#[derive(Default)]
pub struct Attempts {
    by_address: HashMap<IpAddr, Seen>,
    of_all: Window,
}

#[derive(Default)]
struct Seen {
    window: Window,
    /// Had the right token, so that others who guess do not keep it out.
    was_right: bool,
}

#[derive(Default)]
struct Window {
    since_ms: u64,
    wrong: u32,
}

impl Attempts {
    /// How long until a token of this address is looked at; none: at once.
    pub fn wait_ms(&mut self, address: IpAddr, now_ms: u64) -> Option<u64> {
        let seen = self.by_address.get(&network(address));
        let own = seen.and_then(|seen| seen.window.wait_ms(WRONG_OF_ADDRESS_MAX, now_ms));
        let is_known = seen.is_some_and(|seen| seen.was_right);
        own.or_else(|| self.of_all.wait_ms(WRONG_OF_ALL_MAX, now_ms).filter(|_| !is_known))
    }

    pub fn wrong(&mut self, address: IpAddr, now_ms: u64) {
        self.of_all.add(now_ms);
        if let Some(seen) = self.seen(address, now_ms) {
            seen.window.add(now_ms);
        }
    }

    pub fn right(&mut self, address: IpAddr, now_ms: u64) {
        if let Some(seen) = self.seen(address, now_ms) {
            seen.was_right = true;
        }
    }

    /// None where so many addresses are remembered that only the count of all is left.
    fn seen(&mut self, address: IpAddr, now_ms: u64) -> Option<&mut Seen> {
        let network = network(address);
        if self.by_address.len() >= ADDRESSES_MAX && !self.by_address.contains_key(&network) {
            self.by_address.retain(|_, seen| seen.was_right || !seen.window.is_over(now_ms));
            if self.by_address.len() >= ADDRESSES_MAX {
                return None;
            }
        }
        Some(self.by_address.entry(network).or_default())
    }
}

impl Window {
    fn add(&mut self, now_ms: u64) {
        if self.wrong == 0 || self.is_over(now_ms) {
            *self = Window { since_ms: now_ms, wrong: 0 };
        }
        self.wrong = self.wrong.saturating_add(1);
    }

    fn wait_ms(&self, wrong_max: u32, now_ms: u64) -> Option<u64> {
        (!self.is_over(now_ms) && self.wrong >= wrong_max)
            .then(|| (self.since_ms + WINDOW_MS).saturating_sub(now_ms).max(1))
    }

    /// Also when the clock went back.
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms < self.since_ms || now_ms - self.since_ms >= WINDOW_MS
    }
}

/// Of IPv6 the /64, which one host has whole.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) >> 64 << 64).to_be_bytes()),
        v4 => v4,
    }
}

const WINDOW_MS: u64 = 60_000;
const WRONG_OF_ADDRESS_MAX: u32 = 20;
const WRONG_OF_ALL_MAX: u32 = 200;
const ADDRESSES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn one_address_waits_until_its_minute_is_over() {
        let mut attempts = Attempts::default();
        for n in 0..WRONG_OF_ADDRESS_MAX {
            assert_eq!(attempts.wait_ms(address(1), 1_000), None, "{n}");
            attempts.wrong(address(1), 1_000);
        }
        assert_eq!(attempts.wait_ms(address(1), 1_000), Some(60_000));
        assert_eq!(attempts.wait_ms(address(1), 60_999), Some(1));
        assert_eq!(attempts.wait_ms(address(2), 1_000), None);
        assert_eq!(attempts.wait_ms(address(1), 61_000), None);
        assert_eq!(attempts.wait_ms(address(1), 500), None, "a clock that went back locks nobody out");
    }

    #[test]
    fn many_addresses_wait_together_but_not_those_that_were_right() {
        let mut attempts = Attempts::default();
        attempts.right(address(7), 0);
        (0..WRONG_OF_ALL_MAX).for_each(|n| attempts.wrong(address(100 + n), 0));
        assert_eq!(attempts.wait_ms(address(9), 10), Some(59_990));
        assert_eq!(attempts.wait_ms(address(7), 10), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut attempts = Attempts::default();
        (0..5_000).for_each(|n| attempts.wrong(address(n), 0));
        assert_eq!(attempts.by_address.len(), ADDRESSES_MAX);
        attempts.wrong(address(9_999), WINDOW_MS);
        assert_eq!(attempts.by_address.len(), 1, "those whose minute is over make room");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let [one, other, third] = ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"]
            .map(|text| network(text.parse::<IpAddr>().expect("an address")));
        assert!(one == other && one != third);
        assert_eq!(network("::ffff:10.0.0.1".parse().expect("an address")), IpAddr::from([10, 0, 0, 1]));
    }
}
