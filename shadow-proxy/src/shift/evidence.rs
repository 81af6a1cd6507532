//! What so many pairs of answers, so many of them unequal, say about the rate at which the two services differ.
//!
//! There is one upper bound, and it decides: a rate is known to be below a budget exactly when the bound that people are
//! shown is not above it.
//!
//! Everything here may be looked at after every pair: the bounds hold for all times at once, so that whoever waits until
//! the figures look good is not deceived (Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic
//! confidence sequences, 2021).

use std::f64::consts::LN_10;
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
/// Against each rate a bet of its own is made, see [`ln_stake`]; its stake grows with the rate, so that the rates against
/// which the bet is not won are those below one number. Without mismatches it is about 3.33 / n: 0.001 for 3,327 pairs.
pub fn upper_bound(mismatches: u64, pairs: u64, alpha: f64) -> f64 {
    let pairs = pairs.max(mismatches);
    if pairs == 0 || mismatches == pairs {
        return 1.0;
    }
    let (mut below, mut above) = (mismatches as f64 / pairs as f64, 1.0);
    // Each step halves the way; 100 are more than a double has digits.
    for _ in 0..100 {
        let middle = below + (above - below) / 2.0;
        if ln_stake(mismatches, pairs, middle) < -alpha.ln() {
            below = middle;
        } else {
            above = middle;
        }
    }
    above
}

/// The smallest such rate; 0 without any mismatch.
pub fn lower_bound(mismatches: u64, pairs: u64, alpha: f64) -> f64 {
    if mismatches == 0 {
        return 0.0;
    }
    let pairs = pairs.max(mismatches);
    let (mut below, mut above) = (0.0, mismatches as f64 / pairs as f64);
    for _ in 0..100 {
        let middle = below + (above - below) / 2.0;
        if ln_evidence_against(middle, mismatches, pairs) < -alpha.ln() {
            above = middle;
        } else {
            below = middle;
        }
    }
    below
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

/// The logarithm of a stake that a rate of `rate` or more does not raise: each match multiplies it by `(1 − q)/(1 − p)`,
/// each mismatch by `q/p`, with p the rate and q = p/10; at 1/α the bet is won (Ville's inequality).
fn ln_stake(mismatches: u64, pairs: u64, rate: f64) -> f64 {
    let matches = pairs.saturating_sub(mismatches) as f64;
    matches * of_match(rate) - mismatches as f64 * LN_10
}

fn of_match(rate: f64) -> f64 {
    ((1.0 - rate / 10.0) / (1.0 - rate)).ln()
}

/// Pairs without a mismatch that are still needed before [`upper_bound`] is not above `rate_max`; 0 when it is not.
///
/// At 0.001 it takes 3,327 matches, and 2,558 more for each mismatch.
pub fn clean_pairs_needed(mismatches: u64, pairs: u64, rate_max: f64, alpha: f64) -> u64 {
    let missing = -alpha.ln() - ln_stake(mismatches, pairs, rate_max);
    (missing / of_match(rate_max)).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::random::Random;
    use super::*;

    /// From the table of shared yardsticks: checked there against the `confseq` package.
    #[test]
    fn the_lower_bound_is_that_of_the_literature() {
        assert_eq!((upper_bound(0, 0, ALPHA), lower_bound(0, 0, ALPHA)), (1.0, 0.0));
        assert_eq!((upper_bound(5, 5, ALPHA), lower_bound(0, 5, ALPHA)), (1.0, 0.0));
        // Solved with another implementation of the logarithm of the gamma function.
        for (mismatches, pairs, lower) in SOLVED {
            let found = lower_bound(mismatches, pairs, ALPHA);
            assert!((found / lower - 1.0).abs() < 1e-6, "{mismatches} of {pairs}: {found}");
        }
    }

    /// By hand: m·ln((1 − p/10)/(1 − p)) = ln 20 + k·ln 10.
    #[test]
    fn the_upper_bound_is_where_its_bet_is_won() {
        for (mismatches, pairs, upper) in
            [(0, 3_327, 9.999_3e-4), (0, 10_000, 3.328_0e-4), (1, 10_000, 5.885_7e-4), (10, 1_000, 2.874_2e-2)]
        {
            let found = upper_bound(mismatches, pairs, ALPHA);
            assert!((found / upper - 1.0).abs() < 1e-4, "{mismatches} of {pairs}: {found}");
        }
    }

    /// One procedure: what is decided and what is shown cannot say different things.
    #[test]
    fn a_budget_is_kept_exactly_when_the_bound_that_is_shown_is_within_it() {
        let mut random = Random(3);
        for _ in 0..20_000 {
            let pairs = (random.unit() * 17.0).exp2() as u64;
            let mismatches = (pairs as f64 * random.unit().powi(8)) as u64;
            let (rate_max, alpha) = (10_f64.powf(-1.0 - 4.0 * random.unit()), 0.5 * random.unit() + 1e-4);
            let (bound, needed) =
                (upper_bound(mismatches, pairs, alpha), clean_pairs_needed(mismatches, pairs, rate_max, alpha));
            // Rounding is all that may tell them apart.
            let is_clear = (bound / rate_max - 1.0).abs() > 1e-9;
            assert!(!is_clear || (bound <= rate_max) == (needed == 0), "{mismatches} of {pairs}: {bound} {rate_max}");
            let lower = lower_bound(mismatches, pairs, alpha);
            let seen = mismatches as f64 / pairs.max(1) as f64;
            assert!(lower <= seen && seen <= bound, "{mismatches} of {pairs}: {lower} {bound}");
            let after = upper_bound(mismatches, pairs + needed, alpha);
            assert!(after <= rate_max * (1.0 + 1e-9), "{mismatches} of {pairs}: {needed} more give {after}");
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

    const SOLVED: [(u64, u64, f64); 4] = [
        (10, 1_000, 0.002_075_481_203),
        (2, 10, 0.010_483_095_219),
        (30, 30, 0.807_086_860_560),
        (1, 1_000_000, 4.999_995_258e-14),
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
