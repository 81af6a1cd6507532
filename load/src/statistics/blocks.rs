//! Intervals of percentiles within one run. Requests that follow each other are not independent (a queue, a garbage
//! collection), so that not requests but blocks of whole seconds are drawn again: the moving-block bootstrap (Künsch
//! 1989) with the percentile interval. It is cheap because histograms add.

use hdrhistogram::Histogram;

use super::CONFIDENCE;
use crate::random::SplitMix64;
use crate::result::Interval;

const RESAMPLES: usize = 2_000;
const SECONDS_MIN: usize = 6;
const BLOCK_SECONDS_MAX: usize = 5;

/// An interval for each of `quantiles`, in the unit of the histograms; nothing under 6 seconds, or where the whole run
/// has too few values (`samples_min`).
pub(crate) fn intervals(
    seconds: &[Histogram<u64>],
    quantiles: &[f64],
    samples_min: impl Fn(f64) -> u64,
    seed: u64,
) -> Vec<Option<Interval>> {
    let counts = Counts::new(seconds);
    let total: u64 = counts.totals.iter().sum();
    if seconds.len() < SECONDS_MIN || total == 0 {
        return vec![None; quantiles.len()];
    }
    let all: Vec<f64> = counts.quantiles(&vec![1; seconds.len()], quantiles);
    let mut drawn = vec![Vec::with_capacity(RESAMPLES); quantiles.len()];
    let mut random = SplitMix64::new(seed);
    for _ in 0..RESAMPLES {
        let times = draw(seconds.len(), &mut random);
        for (values, value) in drawn.iter_mut().zip(counts.quantiles(&times, quantiles)) {
            values.push(value);
        }
    }
    let tail = (1.0 - CONFIDENCE) / 2.0;
    quantiles
        .iter()
        .zip(all)
        .zip(&mut drawn)
        .map(|((&quantile, estimate), values)| {
            values.sort_by(f64::total_cmp);
            let at = |share: f64| values[(share * (RESAMPLES - 1) as f64).round() as usize];
            let (low, high) = (at(tail).min(estimate), at(1.0 - tail).max(estimate));
            (total >= samples_min(quantile)).then_some(Interval { low, estimate, high, confidence: CONFIDENCE })
        })
        .collect()
}

/// How often each second is taken: blocks from random places until there are as many seconds as before.
fn draw(seconds: usize, random: &mut SplitMix64) -> Vec<u64> {
    let block = (seconds / 3).clamp(1, BLOCK_SECONDS_MAX);
    let mut times = vec![0; seconds];
    let mut taken = 0;
    while taken < seconds {
        let start = random.below(seconds - block + 1);
        for second in (start..start + block).take(seconds - taken) {
            times[second] += 1;
            taken += 1;
        }
    }
    times
}

/// The histograms without their empty buckets: a resample then is a sum over a few hundred values.
struct Counts {
    /// Upper edges of the buckets that any second has used, ascending.
    values: Vec<u64>,
    /// For each value, how many each second has.
    counts: Vec<Vec<u64>>,
    totals: Vec<u64>,
}

impl Counts {
    fn new(seconds: &[Histogram<u64>]) -> Self {
        let mut all = std::collections::BTreeMap::<u64, Vec<u64>>::new();
        for (second, histogram) in seconds.iter().enumerate() {
            for step in histogram.iter_recorded() {
                let value = histogram.highest_equivalent(step.value_iterated_to());
                all.entry(value).or_insert_with(|| vec![0; seconds.len()])[second] += step.count_at_value();
            }
        }
        let (values, counts) = all.into_iter().unzip();
        Self { values, counts, totals: seconds.iter().map(Histogram::len).collect() }
    }

    /// With second `i` taken `times[i]` times; `quantiles` ascend.
    fn quantiles(&self, times: &[u64], quantiles: &[f64]) -> Vec<f64> {
        let total: u64 = self.totals.iter().zip(times).map(|(total, times)| total * times).sum();
        let mut ranks = quantiles.iter().map(|quantile| ((quantile * total as f64).ceil() as u64).max(1)).peekable();
        let mut found = Vec::with_capacity(quantiles.len());
        let mut seen = 0;
        for (value, counts) in self.values.iter().zip(&self.counts) {
            seen += counts.iter().zip(times).map(|(count, times)| count * times).sum::<u64>();
            while ranks.next_if(|&rank| seen >= rank).is_some() {
                found.push(*value as f64);
            }
        }
        found.resize(quantiles.len(), self.values.last().copied().unwrap_or_default() as f64);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).expect("3 digits");
        values.into_iter().for_each(|value| histogram.record(value).expect("it grows"));
        histogram
    }

    fn any(_: f64) -> u64 {
        1
    }

    #[test]
    fn the_estimate_is_the_quantile_of_the_whole() {
        let seconds: Vec<_> = (0..10).map(|start| second((0..1_000).map(|value| value * 10 + start))).collect();
        let mut whole = Histogram::<u64>::new(3).expect("3 digits");
        seconds.iter().for_each(|second| whole.add(second).expect("it grows"));
        let found = intervals(&seconds, &[0.5, 0.99, 0.999], any, 1);
        for (quantile, interval) in [0.5, 0.99, 0.999].into_iter().zip(found) {
            let interval = interval.expect("ten seconds");
            assert_eq!(interval.estimate, whole.value_at_quantile(quantile) as f64);
            assert!(interval.low <= interval.estimate && interval.estimate <= interval.high);
        }
    }

    #[test]
    fn one_bad_second_in_ten_widens_the_interval_and_equal_seconds_leave_it_narrow() {
        let good = || second([100; 1_000]);
        let even: Vec<_> = (0..10).map(|_| good()).collect();
        let narrow = intervals(&even, &[0.95], any, 1)[0].expect("ten seconds");
        assert_eq!((narrow.low, narrow.high), (100.0, 100.0));
        let mut uneven = even;
        uneven[4] = second([5_000; 1_000]);
        let wide = intervals(&uneven, &[0.95], any, 1)[0].expect("ten seconds");
        assert!(wide.low < 101.0 && wide.high > 4_990.0, "{wide:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let seconds: Vec<_> = (1..9).map(|value| second([value * 100; 50])).collect();
        assert_eq!(intervals(&seconds, &[0.5], any, 7), intervals(&seconds, &[0.5], any, 7));
    }

    #[test]
    fn few_seconds_or_few_samples_have_no_interval() {
        let seconds = |count| (0..count).map(|_| second([1; 10])).collect::<Vec<_>>();
        assert_eq!(intervals(&seconds(5), &[0.5], any, 1), [None]);
        assert_eq!(intervals(&seconds(6), &[0.99], |_| 61, 1), [None]);
        assert!(intervals(&seconds(6), &[0.99], |_| 60, 1)[0].is_some());
        assert_eq!(intervals(&[], &[0.5], any, 1), [None]);
    }
}
