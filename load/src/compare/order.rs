//! In which order sides are measured. Pure.

use crate::random::SplitMix64;

/// One side's turn in a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slot {
    pub(crate) pair: usize,
    /// 0 is legacy, 1 the candidate, what is beside them follows.
    pub(crate) side: usize,
    /// Legacy for the second time.
    pub(crate) control: bool,
}

/// Each pair has every side once and legacy a second time, at the other end. The next pair has them in reverse, so
/// that whatever drifts falls on all alike: ABBA or BAAB, as the seed says for each two pairs.
pub(crate) fn slots(sides: usize, pairs: usize, seed: u64) -> Vec<Slot> {
    let mut random = SplitMix64::new(seed);
    let mut slots = Vec::with_capacity(pairs * (sides + 1));
    let mut backwards = false;
    for pair in 0..pairs {
        backwards = if pair % 2 == 0 { random.below(2) == 1 } else { !backwards };
        let mut turn: Vec<Slot> = (0..sides).map(|side| Slot { pair, side, control: false }).collect();
        turn.push(Slot { pair, side: 0, control: true });
        if backwards {
            turn.reverse();
        }
        slots.extend(turn);
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(slots: &[Slot]) -> String {
        slots.iter().map(|slot| if slot.control { 'a' } else { char::from(b'A' + slot.side as u8) }).collect()
    }

    #[test]
    fn every_two_pairs_mirror_each_other_and_seeds_differ() {
        for seed in 0..20 {
            let order = shown(&slots(2, 6, seed));
            for two in order.as_bytes().chunks(6) {
                let reversed: Vec<u8> = two.iter().rev().copied().collect();
                assert_eq!(two, reversed, "{order}");
            }
            assert_eq!(order, shown(&slots(2, 6, seed)));
        }
        let orders: std::collections::BTreeSet<String> = (0..20).map(|seed| shown(&slots(2, 6, seed))).collect();
        assert!(orders.len() > 3, "{orders:?}");
    }

    #[test]
    fn each_pair_has_each_side_once_and_the_control() {
        let slots = slots(4, 3, 1);
        assert_eq!(slots.len(), 15);
        for pair in 0..3 {
            let mut sides: Vec<usize> =
                slots.iter().filter(|slot| slot.pair == pair && !slot.control).map(|slot| slot.side).collect();
            sides.sort_unstable();
            assert_eq!(sides, [0, 1, 2, 3]);
        }
    }
}
