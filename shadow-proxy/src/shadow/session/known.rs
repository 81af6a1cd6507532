//! The values that are known, bounded: one that was used is not pushed out by those that never were.

use std::time::{Duration, Instant};

use lru::LruCache;

use super::BYTES_MAX;

pub(super) struct Known {
    /// Issued, and not carried by any call yet.
    fresh: LruCache<u128, Counterpart>,
    used: LruCache<u128, Counterpart>,
    /// Of all counterparts.
    bytes: usize,
    entries_max: usize,
    /// Without a use.
    ttl: Duration,
}

struct Counterpart {
    /// What the other side issued; the value itself where it issued none or the same. None: it was not asked or failed,
    /// so that it knows nothing of the session.
    value: Option<Box<str>>,
    ends: Instant,
}

impl Counterpart {
    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len())
    }
}

impl Known {
    pub(super) fn new(entries_max: usize, ttl: Duration) -> Known {
        Known { fresh: LruCache::unbounded(), used: LruCache::unbounded(), bytes: 0, entries_max, ttl }
    }

    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.used.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn contains(&self, key: u128) -> bool {
        self.peek(key).is_some()
    }

    /// Whether nothing is known that the other side issued in its place.
    pub(super) fn is_without_counterpart(&self, key: u128) -> bool {
        self.peek(key).is_none_or(|known| known.value.is_none())
    }

    /// Whether a value was issued in whose place the side of the key knows another, or none.
    pub(super) fn is_others(&self, key: u128, value: &str) -> bool {
        self.peek(key).is_some_and(|known| known.value.as_deref() != Some(value))
    }

    /// A counterpart whose time begins anew, if the value is known.
    pub(super) fn used(&mut self, key: u128, now: Instant) -> Option<Option<&str>> {
        if self.peek(key)?.ends <= now {
            self.forget(key);
            return None;
        }
        if let Some(counterpart) = self.fresh.pop(&key) {
            self.used.put(key, counterpart);
            // So that those who come anew have room for a while.
            if self.used.len() > self.entries_max / 4 * 3
                && let Some((oldest, counterpart)) = self.used.pop_lru()
            {
                self.fresh.put(oldest, counterpart);
            }
        }
        let list = if self.used.contains(&key) { &mut self.used } else { &mut self.fresh };
        let counterpart = list.get_mut(&key)?;
        counterpart.ends = now + self.ttl;
        Some(counterpart.value.as_deref())
    }

    /// How many had to go before their time.
    pub(super) fn learn(&mut self, key: u128, value: Option<&str>, now: Instant) -> u64 {
        self.forget(key);
        let counterpart = Counterpart { value: value.map(Box::from), ends: now + self.ttl };
        let mut evicted = 0;
        // All of a list live equally long after their last use, so its least recently used ends first.
        loop {
            let is_over =
                |list: &LruCache<u128, Counterpart>| list.peek_lru().is_some_and(|(_, oldest)| oldest.ends <= now);
            let of_used = is_over(&self.used) || self.fresh.is_empty();
            let is_early = !is_over(&self.used) && !is_over(&self.fresh);
            let has_room = self.len() < self.entries_max && self.bytes + counterpart.bytes() <= BYTES_MAX;
            if self.is_empty() || is_early && has_room {
                break;
            }
            let list = if of_used { &mut self.used } else { &mut self.fresh };
            self.bytes -= list.pop_lru().map_or(0, |(_, oldest)| oldest.bytes());
            evicted += u64::from(is_early);
        }
        self.bytes += counterpart.bytes();
        self.fresh.put(key, counterpart);
        evicted
    }

    fn peek(&self, key: u128) -> Option<&Counterpart> {
        self.used.peek(&key).or_else(|| self.fresh.peek(&key))
    }

    fn forget(&mut self, key: u128) {
        let gone = self.used.pop(&key).or_else(|| self.fresh.pop(&key));
        self.bytes -= gone.map_or(0, |counterpart| counterpart.bytes());
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> (usize, usize) {
        let all = self.fresh.iter().chain(self.used.iter());
        (self.bytes, all.map(|(_, counterpart)| counterpart.bytes()).sum())
    }
}
