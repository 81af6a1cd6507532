//! Times in µs: percentiles within 0.1 %, mean and maximum exact. They merge by adding counts, never by averaging
//! percentiles.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use crate::result::attack::Quantiles;

#[derive(Clone, Debug)]
pub(crate) struct Series {
    histogram: Histogram<u64>,
    sum_us: u64,
    max_us: u64,
}

impl Default for Series {
    fn default() -> Self {
        let histogram = Histogram::new(3).expect("3 significant digits are among the 0 to 5 that are allowed");
        Self { histogram, sum_us: 0, max_us: 0 }
    }
}

impl Series {
    pub(crate) fn record(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.histogram.record(us).expect("this histogram grows as needed");
        self.sum_us = self.sum_us.saturating_add(us);
        self.max_us = self.max_us.max(us);
    }

    pub(crate) fn add(&mut self, other: &Series) {
        self.histogram.add(&other.histogram).expect("this histogram grows as needed");
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    pub(crate) fn merged<'a>(all: impl IntoIterator<Item = &'a Series>) -> Series {
        let mut merged = Series::default();
        all.into_iter().for_each(|series| merged.add(series));
        merged
    }

    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    pub(crate) fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let count = self.histogram.len();
        let at = |quantile: f64| {
            // A bucket's upper edge can lie above what was seen.
            (count >= samples_min(quantile)).then(|| self.histogram.value_at_quantile(quantile).min(self.max_us))
        };
        Quantiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: (count > 0).then_some(self.max_us),
            mean: self.sum_us.checked_div(count),
        }
    }

    /// HdrHistogram V2 in base64.
    pub(crate) fn encoded(&self) -> String {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.histogram, &mut bytes).expect("a Vec takes all that is written");
        Base64::encode_string(&bytes)
    }
}

/// With fewer samples the 95 % confidence interval of the quantile has no upper end: all samples lie below it with a
/// probability of `quantile` to the power of their number, which must not be above 2.5 %.
pub(crate) fn samples_min(quantile: f64) -> u64 {
    (0.025_f64.ln() / quantile.ln()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;

    use super::*;
    use crate::random::SplitMix64;

    #[test]
    fn a_percentile_needs_enough_samples() {
        for (quantile, samples) in [(0.5, 6), (0.95, 72), (0.99, 368), (0.999, 3_688)] {
            assert_eq!(samples_min(quantile), samples);
        }
    }

    #[test]
    fn percentiles_are_within_a_thousandth_and_never_above_the_maximum() {
        let mut series = Series::default();
        assert_eq!(series.quantiles(), Quantiles::default());
        for us in 1..=4_000 {
            series.record(Duration::from_micros(us));
        }
        let Quantiles { p50, p95, p99, p999, max, mean } = series.quantiles();
        for (got, expected) in [(p50, 2_000), (p95, 3_800), (p99, 3_960), (p999, 3_996)] {
            let got = got.expect("enough samples");
            assert!(got.abs_diff(expected) <= 4, "{got} for {expected}");
        }
        assert_eq!((max, mean), (Some(4_000), Some(2_000)));

        let mut few = Series::default();
        (0..80).for_each(|_| few.record(Duration::from_micros(123_457)));
        assert_eq!(few.quantiles().p95, Some(123_457));
        assert_eq!(few.quantiles().p99, None);
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let mut random = SplitMix64::new(5);
        let mut whole = Series::default();
        let mut parts = vec![Series::default(); 7];
        for _ in 0..50_000 {
            // From 1 µs to 10 s, as many in each decade.
            let time = Duration::from_micros(10f64.powf(7.0 * random.unit()) as u64);
            whole.record(time);
            parts[random.below(7)].record(time);
        }
        let merged = Series::merged(&parts);
        assert_eq!(merged.quantiles(), whole.quantiles());
        assert!(merged.histogram() == whole.histogram(), "count by count");
        let bytes = Base64::decode_vec(&whole.encoded()).expect("base64");
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).expect("V2");
        assert!(&read == whole.histogram(), "what is kept can be read back");
    }
}
