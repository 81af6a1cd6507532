//! What so many pairs of answers, so many of them unequal, say about the rate at which the two services differ.
//!
//! Everything here may be looked at after every pair: the bounds hold for all times at once, so that whoever waits until
//! the figures look good is not deceived (Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic
//! confidence sequences, 2021).

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use statrs::function::beta::ln_beta;

/// The chance that any of the bounds is ever wrong, where nothing else is wanted.
pub const ALPHA: f64 = 0.05;

/// The pairs of one endpoint, as counters that add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCount {
    pub endpoint: String,
    /// Compared exchanges.
    pub pairs: u64,
    /// Of these, with a difference that no rule explains.
    pub mismatches: u64,
    /// Pairs that count as evidence: the same request counts a few times only.
    pub counted: u64,
    pub counted_mismatches: u64,
    /// Pairs for which legacy might have been asked twice, and those for which it was.
    pub askable: u64,
    pub aa_pairs: u64,
}

impl EndpointCount {
    /// Of all endpoints; without a name.
    pub fn total(of: &[EndpointCount]) -> EndpointCount {
        let mut total = EndpointCount::default();
        of.iter().for_each(|more| total += more);
        total
    }
}

impl AddAssign<&EndpointCount> for EndpointCount {
    fn add_assign(&mut self, more: &EndpointCount) {
        let EndpointCount { endpoint: _, pairs, mismatches, counted, counted_mismatches, askable, aa_pairs } = more;
        self.pairs += pairs;
        self.mismatches += mismatches;
        self.counted += counted;
        self.counted_mismatches += counted_mismatches;
        self.askable += askable;
        self.aa_pairs += aa_pairs;
    }
}

/// The rate at which pairs differ: seen, and within which bounds it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    pub seen: f64,
    pub lower_bound: f64,
    pub upper_bound: f64,
}

impl Rate {
    pub fn of(mismatches: u64, pairs: u64, alpha: f64) -> Rate {
        Rate {
            seen: if pairs == 0 { 0.0 } else { mismatches as f64 / pairs as f64 },
            lower_bound: lower_bound(mismatches, pairs, alpha),
            upper_bound: upper_bound(mismatches, pairs, alpha),
        }
    }
}

/// The largest rate that `mismatches` of `pairs` do not speak against; 1 without any pair.
///
/// Without mismatches it is `1 − exp((ln α − ln(n + 1)) / n)`: 0.00122 for 10,000 pairs, 0.000145 for 100,000.
pub fn upper_bound(mismatches: u64, pairs: u64, alpha: f64) -> f64 {
    let pairs = pairs.max(mismatches);
    if pairs == 0 || mismatches == pairs {
        return 1.0;
    }
    if mismatches == 0 {
        return -((alpha.ln() - (pairs as f64 + 1.0).ln()) / pairs as f64).exp_m1();
    }
    boundary(mismatches, pairs, mismatches as f64 / pairs as f64, 1.0, alpha)
}

/// The smallest such rate; 0 without any mismatch.
pub fn lower_bound(mismatches: u64, pairs: u64, alpha: f64) -> f64 {
    if mismatches == 0 {
        return 0.0;
    }
    let pairs = pairs.max(mismatches);
    boundary(mismatches, pairs, mismatches as f64 / pairs as f64, 0.0, alpha)
}

/// Where, between what was seen (`inside`) and an end of the scale, the evidence against a rate reaches 1/α.
fn boundary(mismatches: u64, pairs: u64, mut inside: f64, mut outside: f64, alpha: f64) -> f64 {
    // Each step halves the way; 100 are more than a double has digits.
    for _ in 0..100 {
        let middle = inside + (outside - inside) / 2.0;
        if ln_evidence_against(middle, mismatches, pairs) < -alpha.ln() {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    outside
}

/// The logarithm of a likelihood ratio: all rates, equally likely beforehand, against this one.
pub(super) fn ln_evidence_against(rate: f64, mismatches: u64, pairs: u64) -> f64 {
    let (unequal, equal) = (mismatches as f64, (pairs - mismatches) as f64);
    let of_all = ln_beta(unequal + 1.0, equal + 1.0);
    // 0·ln 0 is 0 here: what did not happen says nothing.
    let of_this = times_ln(unequal, rate) + times_ln(equal, 1.0 - rate);
    of_all - of_this
}

fn times_ln(count: f64, probability: f64) -> f64 {
    if count == 0.0 { 0.0 } else { count * probability.ln() }
}

/// Pairs without a mismatch that are still needed before the rate is known to be below `rate_max`; 0 when it is known.
///
/// A bet against every rate from `rate_max` up: each match multiplies the stake by `(1 − q)/(1 − p)`, each mismatch by
/// `q/p`, with q = p/10; at 1/α the bet is won (Ville's inequality). At 0.001 it takes 3,327 matches, and 2,558 more for
/// each mismatch.
pub fn clean_pairs_needed(mismatches: u64, pairs: u64, rate_max: f64, alpha: f64) -> u64 {
    let (p, q) = (rate_max, rate_max / 10.0);
    let (of_match, of_mismatch) = (((1.0 - q) / (1.0 - p)).ln(), (q / p).ln());
    let won = -alpha.ln();
    let stake = pairs.saturating_sub(mismatches) as f64 * of_match + mismatches as f64 * of_mismatch;
    ((won - stake) / of_match).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::random::Random;
    use super::*;

    /// From the table of shared yardsticks: checked there against the `confseq` package.
    #[test]
    fn the_bounds_are_those_of_the_literature() {
        for (pairs, expected) in [(10_000, 1.22e-3), (100_000, 1.45e-4)] {
            let bound = upper_bound(0, pairs, ALPHA);
            assert!((bound / expected - 1.0).abs() < 5e-3, "{pairs}: {bound}");
            let closed = 1.0 - ((ALPHA.ln() - (pairs as f64 + 1.0).ln()) / pairs as f64).exp();
            assert!((bound / closed - 1.0).abs() < 1e-6, "{pairs}: {bound} {closed}");
        }
        assert_eq!((upper_bound(0, 0, ALPHA), lower_bound(0, 0, ALPHA)), (1.0, 0.0));
        assert_eq!((upper_bound(5, 5, ALPHA), lower_bound(0, 5, ALPHA)), (1.0, 0.0));
        // Solved with another implementation of the logarithm of the gamma function.
        for (mismatches, pairs, lower, upper) in SOLVED {
            let (found_lower, found_upper) =
                (lower_bound(mismatches, pairs, ALPHA), upper_bound(mismatches, pairs, ALPHA));
            assert!((found_lower / lower - 1.0).abs() < 1e-6, "{mismatches} of {pairs}: {found_lower}");
            assert!((found_upper / upper - 1.0).abs() < 1e-6, "{mismatches} of {pairs}: {found_upper}");
        }
    }

    #[test]
    fn the_pairs_that_are_needed_are_those_of_the_table() {
        for (rate_max, none, each) in
            [(1e-2, 332, 255), (1e-3, 3_327, 2_558), (1e-4, 33_285, 25_583), (1e-5, 332_858, 255_842)]
        {
            let needed = clean_pairs_needed(0, 0, rate_max, ALPHA);
            assert_eq!(needed, none, "{rate_max}");
            assert_eq!(clean_pairs_needed(0, needed, rate_max, ALPHA), 0);
            assert_eq!(clean_pairs_needed(0, needed - 1, rate_max, ALPHA), 1);
            let more = clean_pairs_needed(1, needed + 1, rate_max, ALPHA);
            assert!(more.abs_diff(each) <= 1, "{rate_max}: {more}");
        }
    }

    const SOLVED: [(u64, u64, f64, f64); 4] = [
        (10, 1_000, 0.002_075_481_203, 0.027_941_747_443),
        (2, 10, 0.010_483_095_219, 0.646_957_807_924),
        (30, 30, 0.807_086_860_560, 1.0),
        (1, 1_000_000, 4.999_995_258e-14, 1.979_657_670e-5),
    ];

    /// However often one looks, the bet is won by chance in one of twenty runs at most.
    #[test]
    fn looking_after_every_pair_does_not_deceive() {
        const RUNS: u64 = 2_000;
        let (rate, pairs_max) = (0.01, 3_000);
        let mut random = Random(7);
        let (mut won, mut left) = (0, 0);
        for _ in 0..RUNS {
            let (mut mismatches, mut is_won, mut is_left) = (0, false, false);
            for pairs in 1..=pairs_max {
                mismatches += u64::from(random.unit() < rate);
                is_won |= clean_pairs_needed(mismatches, pairs, rate, ALPHA) == 0;
                // The bounds are looked for less often, for they cost more.
                if pairs % 100 == 0 {
                    is_left |=
                        upper_bound(mismatches, pairs, ALPHA) < rate || lower_bound(mismatches, pairs, ALPHA) > rate;
                }
            }
            won += u64::from(is_won);
            left += u64::from(is_left);
        }
        assert!(won <= RUNS / 20 && left <= RUNS / 20, "{won} and {left} of {RUNS}");
        assert!(won > RUNS / 200, "a bet that is hardly ever won asks for too much: {won} of {RUNS}");
    }
}

/// SplitMix64: the same numbers in every run (Steele, Lea, Flood, 2014).
#[cfg(test)]
pub(super) mod random {
    pub struct Random(pub u64);

    impl Random {
        pub fn bits(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        pub fn unit(&mut self) -> f64 {
            (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
        }
    }
}
