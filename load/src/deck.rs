//! Which case comes next: dealt from a shuffled deck that holds each case as often as its weight says, so that the
//! mix of every whole deck is exact, and the same for the same seed.

use crate::random::SplitMix64;

#[derive(Debug)]
pub(crate) struct Deck {
    cards: Vec<u32>,
    dealt: usize,
    random: SplitMix64,
}

impl Deck {
    /// A deck of the cases `0..weights.len()`. At least one weight is not 0.
    pub(crate) fn new(weights: &[u32], seed: u64) -> Self {
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let cards: Vec<u32> =
            (0u32..).zip(weights).flat_map(|(case, weight)| (0..weight / divisor).map(move |_| case)).collect();
        let dealt = cards.len();
        Self { cards, dealt, random: SplitMix64::new(seed) }
    }

    pub(crate) fn deal(&mut self) -> usize {
        if self.dealt == self.cards.len() {
            self.random.shuffle(&mut self.cards);
            self.dealt = 0;
        }
        let card = self.cards[self.dealt];
        self.dealt += 1;
        card as usize
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deal(weights: &[u32], seed: u64, count: usize) -> Vec<usize> {
        let mut deck = Deck::new(weights, seed);
        (0..count).map(|_| deck.deal()).collect()
    }

    fn counts(weights: &[u32], dealt: &[usize]) -> Vec<usize> {
        (0..weights.len()).map(|case| dealt.iter().filter(|&&card| card == case).count()).collect()
    }

    #[test]
    fn the_mix_of_every_whole_deck_is_exact() {
        for (weights, decks, expected) in [
            (&[1][..], 7, vec![7]),
            (&[40, 20, 0, 10], 1, vec![4, 2, 0, 1]),
            (&[40, 20, 0, 10], 3, vec![12, 6, 0, 3]),
            (&[0, 5], 2, vec![0, 2]),
        ] {
            let dealt = deal(weights, 9, expected.iter().sum());
            assert_eq!(counts(weights, &dealt), expected, "{decks} decks of {weights:?}");
        }
    }

    #[test]
    fn a_seed_gives_one_order_and_another_seed_another() {
        let weights = [5, 3, 2, 7];
        assert_eq!(deal(&weights, 1, 100), deal(&weights, 1, 100));
        assert_ne!(deal(&weights, 1, 100), deal(&weights, 2, 100));
    }

    #[test]
    fn decks_are_shuffled_anew() {
        let dealt = deal(&[1; 20], 3, 40);
        assert_ne!(dealt[..20], dealt[20..]);
    }
}
