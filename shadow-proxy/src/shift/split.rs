//! Split check: how many clients each side got since the weight came into force. Their shares are the weight's, or some
//! replica goes by another.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::exchange::Side;

/// A client is counted with its first request, as long as there is room to know it again.
pub struct Split {
    /// A bit for each id that was seen. Of two ids that share a bit the second is not counted, whatever its side.
    seen: Box<[AtomicU64]>,
    counted: [AtomicU64; 2],
}

/// Clients by the side that served their first request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub legacy: u64,
    pub candidate: u64,
    /// No more are counted: what there is says enough, and a fuller map would count ever fewer.
    pub is_full: bool,
}

impl Split {
    pub fn new() -> Split {
        Split { seen: (0..WORDS).map(|_| AtomicU64::new(0)).collect(), counted: Default::default() }
    }

    /// `id` is a hash; of it only bits are used that the side was not chosen by.
    pub fn count(&self, id: u64, side: Side) {
        let word = &self.seen[(id as usize / 64) % WORDS];
        let bit = 1 << (id % 64);
        // Most requests are not a client's first, and then nothing is written that other threads read.
        if word.load(Ordering::Relaxed) & bit != 0 || self.counted().is_full {
            return;
        }
        if word.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            self.counted[side as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn counted(&self) -> Counted {
        let [legacy, candidate] = [0, 1].map(|side: usize| self.counted[side].load(Ordering::Relaxed));
        Counted { legacy, candidate, is_full: legacy + candidate >= IDS_MAX }
    }

    /// With every weight that comes into force. A request that was given its side just before may still be counted.
    #[cfg_attr(not(test), expect(dead_code, reason = "called by what sets weights, once that has epochs"))]
    pub fn clear(&self) {
        for word in &self.seen {
            word.store(0, Ordering::Relaxed);
        }
        for count in &self.counted {
            count.store(0, Ordering::Relaxed);
        }
    }
}

impl Default for Split {
    fn default() -> Split {
        Split::new()
    }
}

/// 128 KiB.
const WORDS: usize = 1 << 14;
/// Half of the bits.
const IDS_MAX: u64 = 64 * WORDS as u64 / 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern in any of their bits.
    fn id(number: u64) -> u64 {
        let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    #[test]
    fn a_client_is_counted_once_until_the_weight_changes() {
        let split = Split::new();
        for round in 0..3 {
            for number in 0..100 {
                // A second replica with another weight: the first side counts.
                split.count(id(number), if number < 25 && round == 0 { Side::Candidate } else { Side::Legacy });
            }
        }
        assert_eq!(split.counted(), Counted { legacy: 75, candidate: 25, is_full: false });
        split.clear();
        assert_eq!(split.counted(), Counted::default());
        split.count(id(0), Side::Legacy);
        assert_eq!(split.counted(), Counted { legacy: 1, candidate: 0, is_full: false });
    }

    #[test]
    fn the_shares_are_kept_as_it_fills_and_counting_ends_at_half() {
        let split = Split::new();
        for number in 0..2_000_000 {
            // The upper bits, as the choice goes by them.
            split.count(id(number), if id(number) >> 32 < (1 << 32) / 20 { Side::Candidate } else { Side::Legacy });
        }
        let counted = split.counted();
        assert!(counted.is_full);
        let all = counted.legacy + counted.candidate;
        assert_eq!(all, IDS_MAX);
        let expected = all as f64 * 0.05;
        let three_sigma = 3.0 * (expected * 0.95).sqrt();
        assert!((counted.candidate as f64 - expected).abs() <= three_sigma, "{counted:?}");
    }

    #[test]
    fn threads_count_a_client_once_between_them() {
        let split = Split::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|number| split.count(id(number), Side::Legacy)));
            }
        });
        let counted = split.counted().legacy;
        // Few share a bit with another.
        assert!((9_900..=10_000).contains(&counted), "{counted}");
    }
}
