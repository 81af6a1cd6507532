//! Which exchanges are kept as samples of a finding: a few, any sighting as likely as any other, decided before anything
//! is redacted or written (Vitter, Random sampling with a reservoir, 1985: algorithm R).

use std::collections::HashMap;

use super::super::redact::ShownDifference;
use super::FINDINGS_MAX;
use super::tally::Keys;

/// Samples of one finding.
pub const SAMPLES_MAX: u8 = 3;

/// The exchange is the sample of a finding: of the difference at `difference`, in place of what was in `slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub difference: usize,
    pub slot: u8,
}

#[derive(Default)]
pub(super) struct Reservoirs {
    keys: Keys,
    findings: HashMap<u64, Reservoir>,
    offers: u64,
    random: Random,
}

#[derive(Clone, Copy, Default)]
struct Reservoir {
    seen: u64,
    /// One bit for each slot that holds a sample.
    filled: u8,
    /// The last exchange that was offered.
    offer: u64,
}

impl Reservoirs {
    /// What earlier runs left.
    pub(super) fn know(&mut self, key: u64, seen: u64, slots: impl Iterator<Item = u8>) {
        let filled = slots.fold(0, |filled, slot| filled | 1 << slot);
        self.findings.insert(key, Reservoir { seen, filled, offer: 0 });
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn offer(&mut self, endpoint: &str, differences: &[ShownDifference]) -> Vec<Place> {
        self.offers += 1;
        let mut places = Vec::new();
        for (index, difference) in differences.iter().enumerate() {
            let key = self.keys.finding(endpoint, difference);
            if self.findings.len() >= FINDINGS_MAX && !self.findings.contains_key(&key) {
                continue;
            }
            let reservoir = self.findings.entry(key).or_default();
            if std::mem::replace(&mut reservoir.offer, self.offers) == self.offers {
                continue;
            }
            if let Some(slot) = reservoir.offer(&mut self.random) {
                places.push(Place { difference: index, slot });
            }
        }
        places
    }

    /// What was in a slot is gone, so that the next sighting takes it.
    pub(super) fn free(&mut self, key: u64, slot: u8) {
        if let Some(reservoir) = self.findings.get_mut(&key) {
            reservoir.filled &= !(1 << slot);
        }
    }
}

impl Reservoir {
    fn offer(&mut self, random: &mut Random) -> Option<u8> {
        self.seen += 1;
        let free = (0..SAMPLES_MAX).find(|slot| self.filled & 1 << slot == 0);
        let slot = free.or_else(|| {
            let drawn = random.below(self.seen);
            (drawn < u64::from(SAMPLES_MAX)).then_some(drawn as u8)
        })?;
        self.filled |= 1 << slot;
        Some(slot)
    }
}

/// SplitMix64. Nobody gains by foreseeing it.
#[derive(Default)]
pub(super) struct Random(u64);

impl Random {
    /// 0 to `end` − 1.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of twenty sightings is kept in three of twenty runs, within chance.
    #[test]
    fn any_sighting_is_as_likely_as_any_other() {
        const SIGHTINGS: usize = 20;
        const RUNS: usize = 20_000;
        let mut random = Random::default();
        let mut kept = [0; SIGHTINGS];
        for _ in 0..RUNS {
            let mut reservoir = Reservoir::default();
            let mut slots = [0; SAMPLES_MAX as usize];
            for sighting in 0..SIGHTINGS {
                if let Some(slot) = reservoir.offer(&mut random) {
                    slots[usize::from(slot)] = sighting;
                }
            }
            slots.iter().for_each(|&sighting| kept[sighting] += 1);
        }
        let share = f64::from(SAMPLES_MAX) / SIGHTINGS as f64;
        let four_sigma = 4.0 * (RUNS as f64 * share * (1.0 - share)).sqrt();
        for (sighting, &times) in kept.iter().enumerate() {
            assert!((f64::from(times) - RUNS as f64 * share).abs() < four_sigma, "{sighting}: {times}");
        }
    }

    #[test]
    fn a_slot_that_became_free_is_taken_by_the_next() {
        let mut reservoirs = Reservoirs::default();
        reservoirs.know(7, 1_000_000, 0..SAMPLES_MAX);
        reservoirs.free(7, 1);
        let reservoir = reservoirs.findings.get_mut(&7).unwrap();
        assert_eq!(reservoir.offer(&mut reservoirs.random), Some(1));
        assert_eq!(reservoir.filled, 0b111);
    }
}
