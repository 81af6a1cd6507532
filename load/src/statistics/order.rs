//! Quantiles with order-statistic intervals: no shape of the distribution is assumed, only that the values are
//! independent (David and Nagaraja, "Order Statistics", 2003, section 7.1).

use statrs::distribution::{Binomial, DiscreteCDF};

use super::CONFIDENCE;
use crate::result::Interval;

/// The ranks, counted from 1, between which the quantile `q` of `n` independent values lies with at least
/// `CONFIDENCE`, and with how much it does; nothing when `n` is too small for one of the ends.
pub(crate) fn ranks(n: u64, q: f64) -> Option<(u64, u64, f64)> {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let binomial = Binomial::new(q, n).ok()?;
    // P(B <= rank - 1): how likely fewer than `rank` values lie below the quantile.
    let below = |rank: u64| binomial.cdf(rank - 1);
    let low = first(n, |rank| below(rank) > tail)? - 1;
    let high = first(n, |rank| below(rank) >= 1.0 - tail)?;
    (low >= 1).then(|| (low, high, below(high) - below(low)))
}

/// The first of the ranks 1 to `n` for which `holds`, as it does for all after it.
fn first(n: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (1, n + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    (low <= n).then_some(low)
}

/// The median of independent values and its interval; nothing under 6 of them.
pub(crate) fn median_interval(values: &[f64]) -> Option<Interval> {
    let sorted = sorted(values);
    let (low, high, confidence) = ranks(sorted.len() as u64, 0.5)?;
    let at = |rank: u64| sorted[rank as usize - 1];
    Some(Interval { low: at(low), estimate: median(&sorted)?, high: at(high), confidence })
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The least value that at least the share `q` of all are not above; nothing without values.
pub(crate) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let rank = (q * values.len() as f64).ceil().max(1.0) as usize;
    sorted(values).get(rank - 1).copied()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Nyblom (1992) as far as it goes, and exact values by the binomial sum.
    #[test]
    fn ranks_are_the_exact_ones() {
        for (q, n, expected, confidence) in [
            (0.99, 1_000, (983, 997), 0.976),
            (0.99, 30_000, (29_666, 29_734), 0.9515),
            (0.999, 30_000, (29_959, 29_981), 0.956),
            (0.999, 180_000, (179_793, 179_847), 0.956),
            (0.5, 6, (1, 6), 0.969),
            (0.5, 10, (2, 9), 0.979),
        ] {
            let (low, high, coverage) = ranks(n, q).expect("enough values");
            assert_eq!((low, high), expected, "q {q} n {n}");
            assert!((coverage - confidence).abs() < 6e-4, "q {q} n {n}: {coverage}");
        }
    }

    #[test]
    fn too_few_values_have_no_interval() {
        for (q, enough) in [(0.5, 6), (0.95, 72), (0.99, 368), (0.999, 3_688)] {
            assert!(ranks(enough, q).is_some(), "{q}");
            assert_eq!(ranks(enough - 1, q), None, "{q}");
        }
        assert_eq!(median_interval(&[1.0; 5]), None);
        assert_eq!(ranks(0, 0.5), None);
    }

    #[test]
    fn of_six_values_the_interval_is_all_of_them() {
        let interval = median_interval(&[3.0, 1.0, 2.0, 6.0, 5.0, 4.0]).expect("six");
        assert_eq!((interval.low, interval.estimate, interval.high), (1.0, 3.5, 6.0));
        assert_eq!(median(&[]), None);
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.95), Some(4.0));
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.5), Some(2.0));
    }
}
