//! Is one side better than the other? Ratios of pairs of runs that were made next to each other, held against the
//! ratios of legacy with itself.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::order::{median, median_interval};
use crate::result::Interval;
use crate::result::compare::{Better, Conclusion, Ratio};

/// How many times better the side is than legacy, pair by pair; pairs of which a run could not say are left out.
pub(crate) fn ratios(legacy: &[Option<f64>], side: &[Option<f64>], better: Better) -> Vec<f64> {
    let both = legacy.iter().zip(side).filter_map(|(legacy, side)| legacy.zip(*side));
    both.map(|(legacy, side)| match better {
        Better::Lower => legacy / side,
        Better::Higher => side / legacy,
    })
    .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
    .collect()
}

/// The control by itself: is this machine able to tell legacy from legacy? It should not be.
pub(crate) fn control(pairs: Vec<f64>) -> Ratio {
    let itself = Interval { low: 1.0, estimate: 1.0, high: 1.0, confidence: 1.0 };
    judged("legacy", pairs, Some(itself))
}

/// A side against legacy. `control` has the ratios of legacy with itself.
pub(crate) fn against(side: &str, pairs: Vec<f64>, control: &Ratio) -> Ratio {
    judged(side, pairs, control.times_better)
}

fn judged(side: &str, pairs: Vec<f64>, band: Option<Interval>) -> Ratio {
    let times_better = median_interval(&pairs);
    let conclusion = times_better.zip(band).map_or(Conclusion::Unknown, |(found, band)| conclude(found, band));
    Ratio { side: side.to_owned(), p: sign_test(&pairs), pairs, times_better, conclusion }
}

/// A difference is claimed only when its interval touches neither 1 nor what legacy differs from itself.
fn conclude(found: Interval, band: Interval) -> Conclusion {
    if found.low > band.high.max(1.0) {
        Conclusion::Better
    } else if found.high < band.low.min(1.0) {
        Conclusion::Worse
    } else {
        Conclusion::NoDifference { detectable_factor: detectable(found, band) }
    }
}

/// A true factor this large would have moved the interval clear of the band, its width staying what it is.
fn detectable(found: Interval, band: Interval) -> f64 {
    let upward = band.high.max(1.0) * found.estimate / found.low;
    let downward = found.high / found.estimate / band.low.min(1.0);
    upward.max(downward)
}

/// Exact two-sided sign test that the median ratio is 1 (Dixon and Mood 1946); ratios of exactly 1 say nothing.
pub(crate) fn sign_test(ratios: &[f64]) -> f64 {
    let above = ratios.iter().filter(|&&ratio| ratio > 1.0).count() as u64;
    let below = ratios.iter().filter(|&&ratio| ratio < 1.0).count() as u64;
    let Ok(coin) = Binomial::new(0.5, above + below) else { return 1.0 };
    (2.0 * coin.cdf(above.min(below))).min(1.0)
}

/// The share by which figures of the same thing differ: the greatest distance from their median, relative to it.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values).filter(|middle| *middle > 0.0)?;
    values.iter().map(|value| (value / middle - 1.0).abs()).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn a_ratio_says_how_many_times_better_whatever_is_better() {
        let (legacy, side) = (some(&[10.0, 20.0, 30.0]), vec![Some(5.0), None, Some(10.0)]);
        assert_eq!(ratios(&legacy, &side, Better::Lower), [2.0, 3.0]);
        assert_eq!(ratios(&legacy, &side, Better::Higher), [0.5, 1.0 / 3.0]);
        assert_eq!(ratios(&some(&[1.0]), &some(&[0.0]), Better::Lower), Vec::<f64>::new());
    }

    #[test]
    fn the_least_p_of_k_pairs_is_two_to_the_one_minus_k() {
        for k in 1..12 {
            let p = sign_test(&vec![1.5; k]);
            assert!((p - 2f64.powi(1 - k as i32)).abs() < 1e-12, "{k}: {p}");
        }
        assert_eq!(sign_test(&[]), 1.0);
        assert_eq!(sign_test(&[1.0, 1.0]), 1.0);
        assert_eq!(sign_test(&[2.0, 0.5]), 1.0);
        assert!((sign_test(&[2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.5]) - 0.0703125).abs() < 1e-12);
    }

    #[test]
    fn what_lies_within_the_control_is_no_difference() {
        let control = control(vec![0.9, 0.95, 1.0, 1.02, 1.05, 1.1]);
        assert!(matches!(control.conclusion, Conclusion::NoDifference { .. }));
        for (pairs, expected) in [
            (vec![2.0, 2.1, 1.9, 2.0, 2.2, 1.8], Conclusion::Better),
            (vec![0.5, 0.51, 0.49, 0.5, 0.52, 0.48], Conclusion::Worse),
            (vec![2.0; 5], Conclusion::Unknown),
        ] {
            assert_eq!(against("candidate", pairs, &control).conclusion, expected);
        }
        // All are above 1, but legacy differs from itself as much.
        let small = against("candidate", vec![1.08; 6], &control);
        let Conclusion::NoDifference { detectable_factor } = small.conclusion else { panic!("{small:?}") };
        assert!((1.1..1.2).contains(&detectable_factor), "{detectable_factor}");
    }

    /// A/A by made-up runs with the spread of a busy machine: 100 seeds, at most 5 findings, and those on both sides
    /// alike, as far as so few can be.
    #[test]
    fn a_side_held_against_itself_is_not_found_to_differ() {
        let (mut better, mut worse, mut signs) = (0, 0, 0i64);
        for seed in 0..100 {
            let mut random = SplitMix64::new(seed);
            // Skewed like latencies: mostly near 1, now and then half as much again.
            let mut run =
                || Some(1.0 + 0.1 * random.unit() + if random.unit() < 0.1 { 0.5 * random.unit() } else { 0.0 });
            let runs: Vec<[Option<f64>; 3]> = (0..6).map(|_| [run(), run(), run()]).collect();
            let of = |at: usize| runs.iter().map(|runs| runs[at]).collect::<Vec<_>>();
            let control = control(ratios(&of(0), &of(1), Better::Lower));
            let found = against("candidate", ratios(&of(0), &of(2), Better::Lower), &control);
            signs += found.pairs.iter().map(|&ratio| if ratio > 1.0 { 1 } else { -1 }).sum::<i64>();
            match found.conclusion {
                Conclusion::Better => better += 1,
                Conclusion::Worse => worse += 1,
                _ => {}
            }
        }
        assert!(better + worse <= 5, "{better} better, {worse} worse");
        // 600 signs: three standard deviations are 73.
        assert!(signs.abs() <= 73, "{signs}");
    }

    #[test]
    fn a_true_difference_of_a_half_is_found_in_nearly_every_seed() {
        let found = (0..100).filter(|&seed| {
            let mut random = SplitMix64::new(seed);
            let mut run = |mean: f64| Some(mean * (1.0 + 0.1 * random.unit()));
            let runs: Vec<[Option<f64>; 3]> = (0..6).map(|_| [run(1.5), run(1.5), run(1.0)]).collect();
            let of = |at: usize| runs.iter().map(|runs| runs[at]).collect::<Vec<_>>();
            let control = control(ratios(&of(0), &of(1), Better::Lower));
            against("candidate", ratios(&of(0), &of(2), Better::Lower), &control).conclusion == Conclusion::Better
        });
        assert!(found.count() >= 95);
    }

    #[test]
    fn the_spread_is_relative_to_the_median() {
        assert_eq!(spread(&[100.0, 104.0, 90.0]), Some(0.1));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[0.0]), None);
    }
}
