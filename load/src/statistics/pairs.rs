//! Is one side better than the other? Ratios of pairs of runs that were made next to each other, held against the
//! ratios of legacy with itself.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::order::median_interval;
use crate::result::compare::{Better, Conclusion, Ratio};
use crate::result::{Interval, Verdict};

/// One figure of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) value: Option<f64>,
    pub(crate) verdict: Verdict,
}

/// Fewer pairs cannot show a difference at 5 %: the least p of k pairs is 2^(1-k).
const PAIRS_MIN: usize = 6;

/// The control by itself: is this machine able to tell legacy from legacy? It should not be.
pub(crate) fn control(legacy: &[Figure], again: &[Figure], better: Better) -> Ratio {
    let itself = Interval { low: 1.0, estimate: 1.0, high: 1.0, confidence: 1.0 };
    judged("legacy", legacy, again, better, Some(itself))
}

/// A side against legacy, pair by pair. `control` has the ratios of legacy with itself.
pub(crate) fn against(name: &str, legacy: &[Figure], side: &[Figure], better: Better, control: &Ratio) -> Ratio {
    judged(name, legacy, side, better, control.times_better)
}

fn judged(name: &str, legacy: &[Figure], side: &[Figure], better: Better, band: Option<Interval>) -> Ratio {
    let all: Vec<(f64, Verdict)> = legacy.iter().zip(side).filter_map(|(a, b)| ratio(*a, *b, better)).collect();
    let valid: Vec<(f64, Verdict)> = all.iter().copied().filter(|(_, verdict)| *verdict == Verdict::Valid).collect();
    let used = if valid.len() >= PAIRS_MIN { valid } else { all };
    let verdict = used.iter().map(|(_, verdict)| *verdict).max().unwrap_or(Verdict::Valid);
    let pairs: Vec<f64> = used.into_iter().map(|(ratio, _)| ratio).collect();
    let times_better = median_interval(&pairs);
    let conclusion = match times_better.zip(band) {
        Some((found, band)) if verdict == Verdict::Valid => conclude(found, band),
        _ => Conclusion::Unknown,
    };
    Ratio { side: name.to_owned(), p: sign_test(&pairs), verdict, pairs, times_better, conclusion }
}

/// How many times better the side is than legacy; nothing where one of the runs could not say.
fn ratio(legacy: Figure, side: Figure, better: Better) -> Option<(f64, Verdict)> {
    let (of_legacy, of_side) = legacy.value.zip(side.value)?;
    let ratio = match better {
        Better::Lower => of_legacy / of_side,
        Better::Higher => of_side / of_legacy,
    };
    (ratio.is_finite() && ratio > 0.0).then(|| (ratio, legacy.verdict.max(side.verdict)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn figures(values: &[f64]) -> Vec<Figure> {
        values.iter().map(|&value| Figure { value: Some(value), verdict: Verdict::Valid }).collect()
    }

    /// Against a legacy that is 1 in each pair.
    fn side(ratios: &[f64], control: &Ratio) -> Ratio {
        against("candidate", &figures(&vec![1.0; ratios.len()]), &figures(ratios), Better::Higher, control)
    }

    fn controlled(ratios: &[f64]) -> Ratio {
        control(&figures(&vec![1.0; ratios.len()]), &figures(ratios), Better::Higher)
    }

    #[test]
    fn a_ratio_says_how_many_times_better_whatever_is_better() {
        let (legacy, side) = (figures(&[10.0, 20.0, 30.0]), figures(&[5.0, 0.0, 10.0]));
        assert_eq!(control(&legacy, &side, Better::Lower).pairs, [2.0, 3.0]);
        let third = control(&legacy, &side, Better::Higher).pairs;
        assert_eq!(third, [0.5, 1.0 / 3.0], "0 is no figure of a run");
    }

    #[test]
    fn runs_that_were_not_valid_make_no_headline() {
        let control = controlled(&[1.0; 8]);
        let mut noisy = figures(&[2.0; 8]);
        for figure in &mut noisy[..2] {
            figure.verdict = Verdict::Noisy;
        }
        let found = against("candidate", &figures(&[1.0; 8]), &noisy, Better::Higher, &control);
        assert_eq!((found.pairs.len(), found.verdict, found.conclusion), (6, Verdict::Valid, Conclusion::Better));
        noisy[2].verdict = Verdict::GeneratorBound;
        let found = against("candidate", &figures(&[1.0; 8]), &noisy, Better::Higher, &control);
        assert_eq!((found.pairs.len(), found.verdict), (8, Verdict::GeneratorBound));
        assert_eq!(found.conclusion, Conclusion::Unknown);
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
        let control = controlled(&[0.9, 0.95, 1.0, 1.02, 1.05, 1.1]);
        assert!(matches!(control.conclusion, Conclusion::NoDifference { .. }));
        for (pairs, expected) in [
            (vec![2.0, 2.1, 1.9, 2.0, 2.2, 1.8], Conclusion::Better),
            (vec![0.5, 0.51, 0.49, 0.5, 0.52, 0.48], Conclusion::Worse),
            (vec![2.0; 5], Conclusion::Unknown),
        ] {
            assert_eq!(side(&pairs, &control).conclusion, expected);
        }
        // All are above 1, but legacy differs from itself as much.
        let small = side(&[1.08; 6], &control);
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
            let mut run = || 1.0 + 0.1 * random.unit() + if random.unit() < 0.1 { 0.5 * random.unit() } else { 0.0 };
            let runs: Vec<[f64; 3]> = (0..6).map(|_| [run(), run(), run()]).collect();
            let of = |at: usize| figures(&runs.iter().map(|runs| runs[at]).collect::<Vec<_>>());
            let control = control(&of(0), &of(1), Better::Lower);
            let found = against("candidate", &of(0), &of(2), Better::Lower, &control);
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
            let mut run = |mean: f64| mean * (1.0 + 0.1 * random.unit());
            let runs: Vec<[f64; 3]> = (0..6).map(|_| [run(1.5), run(1.5), run(1.0)]).collect();
            let of = |at: usize| figures(&runs.iter().map(|runs| runs[at]).collect::<Vec<_>>());
            let control = control(&of(0), &of(1), Better::Lower);
            against("candidate", &of(0), &of(2), Better::Lower, &control).conclusion == Conclusion::Better
        });
        assert!(found.count() >= 95);
    }
}
