//! Response times out of the histograms that runs keep for each second. They merge by adding counts. Pure.

use base64ct::{Base64, Encoding as _};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::contents::{LatencyPoint, Second, SideLatency, Timeline};
use crate::result::attack::{Run, Slice};
use crate::statistics::order::median_interval;

/// So many answers must lie above a percentile for it to be drawn.
const ABOVE_MIN: f64 = 10.0;
const POINTS_PER_NINE: u32 = 12;
const CELLS_PER_DECADE: f64 = 10.0;

/// None: a histogram is damaged.
pub(super) fn decode(text: &str) -> Option<Histogram<u64>> {
    let bytes = Base64::decode_vec(text).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

/// None: there are none, or one is damaged.
pub(super) fn merged<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Option<Histogram<u64>> {
    let mut all: Option<Histogram<u64>> = None;
    for slice in runs.into_iter().flat_map(|run| &run.slices) {
        let one = decode(&slice.latency_us_hdr)?;
        match &mut all {
            Some(all) => all.add(one).ok()?,
            None => {
                // Read back, it holds no more than it needed then.
                let mut first = one;
                first.auto(true);
                all = Some(first);
            }
        }
    }
    all.filter(|all| !all.is_empty())
}

/// The latency by percentile of all runs together, with the spread from run to run.
pub(super) fn by_percentile(side: &str, runs: &[&Run]) -> Option<SideLatency> {
    let all = merged(runs.iter().copied())?;
    let each: Vec<Histogram<u64>> = runs.iter().filter_map(|run| merged([*run])).collect();
    let fewest = each.iter().map(Histogram::len).min().unwrap_or(0);
    let points = quantiles(all.len()).into_iter().map(|quantile| {
        let of_runs: Vec<f64> = each.iter().map(|run| run.value_at_quantile(quantile) as f64).collect();
        let interval = is_enough(fewest, quantile).then(|| median_interval(&of_runs)).flatten();
        LatencyPoint {
            quantile,
            us: all.value_at_quantile(quantile) as f64,
            us_low: interval.map(|interval| interval.low),
            us_high: interval.map(|interval| interval.high),
        }
    });
    Some(SideLatency { side: side.to_owned(), answers: all.len(), runs: each.len() as u64, points: points.collect() })
}

/// Equally far apart by log10(1 / (1 − quantile)), as far as there are enough answers.
fn quantiles(answers: u64) -> Vec<f64> {
    (1u32..)
        .map(|step| 1.0 - 10f64.powf(-f64::from(step) / f64::from(POINTS_PER_NINE)))
        .take_while(|quantile| is_enough(answers, *quantile))
        .collect()
}

fn is_enough(answers: u64, quantile: f64) -> bool {
    answers as f64 * (1.0 - quantile) >= ABOVE_MIN - 1e-6
}

pub(super) fn timeline(side: &str, run: &Run) -> Timeline {
    let second = |slice: &Slice| Second {
        second: slice.second,
        answered: slice.answered,
        us_p50: slice.latency_us.p50,
        us_p99: slice.latency_us.p99,
        cpu_cores: slice.cpu_cores,
        rss_bytes: slice.rss_bytes,
    };
    Timeline {
        side: side.to_owned(),
        seconds: run.slices.iter().map(second).collect(),
        cells: run.slices.iter().flat_map(cells).collect(),
    }
}

/// Ten to a decade of the response time.
fn cells(slice: &Slice) -> Vec<(u64, f64, f64, u64)> {
    let Some(histogram) = decode(&slice.latency_us_hdr) else { return Vec::new() };
    let mut counts = std::collections::BTreeMap::<i32, u64>::new();
    for value in histogram.iter_recorded() {
        let cell = ((value.value_iterated_to().max(1) as f64).log10() * CELLS_PER_DECADE).floor() as i32;
        *counts.entry(cell).or_default() += value.count_since_last_iteration();
    }
    let edge = |cell: i32| 10f64.powf(f64::from(cell) / CELLS_PER_DECADE);
    counts.into_iter().map(|(cell, count)| (slice.second, edge(cell), edge(cell + 1), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_end_where_ten_answers_lie_above() {
        for (answers, last) in [(100, 0.9), (1_000, 0.99), (60_000, 0.999_8)] {
            let quantiles = quantiles(answers);
            assert!((quantiles.last().expect("some") - last).abs() < 1e-4 * answers as f64, "{answers}: {quantiles:?}");
            assert!(quantiles.iter().all(|quantile| answers as f64 * (1.0 - quantile) >= 9.99));
        }
        assert!(quantiles(5).is_empty());
    }

    #[test]
    fn what_is_damaged_is_no_histogram() {
        for text in ["", "AAAA", "no base64!"] {
            assert!(decode(text).is_none(), "{text}");
        }
    }
}
