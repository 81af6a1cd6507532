//! Split check: which requests are the first of a client since the weight came into force. Counted by the side that was
//! chosen, their shares are the weight's, or some replica goes by another.

use std::sync::atomic::{AtomicU64, Ordering};

/// Knows clients again as long as there is room for it.
#[derive(Debug)]
pub struct Split {
    /// A bit for each id that was seen. Of two ids that share a bit the second is none, whatever its side.
    seen: Box<[AtomicU64]>,
    ids: AtomicU64,
}

impl Split {
    pub fn new() -> Split {
        Split { seen: (0..WORDS).map(|_| AtomicU64::new(0)).collect(), ids: AtomicU64::new(0) }
    }

    /// Whether this is to be counted: the first time that the id is seen. Of a half full map nothing is first any more:
    /// what was counted says enough, and a fuller map would know ever fewer.
    ///
    /// `id` is a hash; of it only bits are used that the side was not chosen by.
    pub fn is_first(&self, id: u64) -> bool {
        let word = &self.seen[(id as usize / 64) % WORDS];
        let bit = 1 << (id % 64);
        // Most requests are not a client's first, and then nothing is written that other threads read.
        if word.load(Ordering::Relaxed) & bit != 0 || self.ids.load(Ordering::Relaxed) >= IDS_MAX {
            return false;
        }
        let is_first = word.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        if is_first {
            self.ids.fetch_add(1, Ordering::Relaxed);
        }
        is_first
    }

    /// With every weight that comes into force. A request that was given its side just before may still be the first.
    pub fn clear(&self) {
        for word in &self.seen {
            word.store(0, Ordering::Relaxed);
        }
        self.ids.store(0, Ordering::Relaxed);
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

    fn first(split: &Split, ids: std::ops::Range<u64>) -> u64 {
        ids.filter(|&number| split.is_first(id(number))).count() as u64
    }

    #[test]
    fn a_client_is_first_once_until_the_weight_changes() {
        let split = Split::new();
        assert_eq!([(); 3].map(|()| first(&split, 0..100)), [100, 0, 0]);
        assert_eq!(first(&split, 50..150), 50);
        split.clear();
        assert_eq!([(); 2].map(|()| first(&split, 0..100)), [100, 0]);
    }

    #[test]
    fn the_shares_are_kept_as_it_fills_and_counting_ends_at_half() {
        let split = Split::new();
        let (mut counted, mut candidate) = (0_u64, 0_u64);
        for number in (0..2_000_000).filter(|&number| split.is_first(id(number))) {
            counted += 1;
            // The upper bits, as the choice goes by them: 5 %.
            candidate += u64::from(id(number) >> 32 < (1 << 32) / 20);
        }
        assert_eq!(counted, IDS_MAX);
        let expected = counted as f64 * 0.05;
        let three_sigma = 3.0 * (expected * 0.95).sqrt();
        assert!((candidate as f64 - expected).abs() <= three_sigma, "{candidate} of {expected}");
        split.clear();
        assert_eq!(first(&split, 0..10), 10);
    }

    #[test]
    fn threads_count_a_client_once_between_them() {
        let split = Split::new();
        let counted: u64 = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| first(&split, 0..10_000)));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // Few share a bit with another.
        assert!((9_900..=10_000).contains(&counted), "{counted}");
    }
}
