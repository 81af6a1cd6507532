//! How long each side takes: buckets for Prometheus, percentiles of the whole run and of lately.

use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;
use prometheus_client::metrics::histogram::Histogram as Buckets;
use serde::Serialize;

/// An hour: longer than any deadline.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// Latencies of one side over the pairs that were compared.
pub(super) struct Latency {
    buckets: Buckets,
    exact: Mutex<Exact>,
}

struct Exact {
    all: Histogram<u64>,
    /// Since somebody asked for it last; within 1 %.
    latest: Histogram<u64>,
}

impl Latency {
    pub(super) fn new(buckets: Buckets) -> Latency {
        let histogram = |digits| Histogram::new_with_max(LATENCY_US_MAX, digits).expect("the bounds are in order");
        Latency { buckets, exact: Mutex::new(Exact { all: histogram(3), latest: histogram(2) }) }
    }

    pub(super) fn record(&self, latency: Duration) {
        self.buckets.observe(latency.as_secs_f64());
        let mut exact = self.exact.lock().expect("nothing panics while it records");
        let us = latency.as_micros() as u64;
        exact.all.saturating_record(us);
        exact.latest.saturating_record(us);
    }

    /// Of the whole run.
    pub(super) fn percentiles(&self) -> Percentiles {
        Percentiles::of(&self.exact.lock().expect("as above").all)
    }

    /// Since the last time this was asked.
    pub(super) fn take_latest(&self) -> Percentiles {
        let mut exact = self.exact.lock().expect("as above");
        let percentiles = Percentiles::of(&exact.latest);
        exact.latest.reset();
        percentiles
    }
}

/// Microseconds; zero when nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    pub p50_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Percentiles {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Percentiles { p50_us: at(0.5), p95_us: at(0.95), p99_us: at(0.99), p999_us: at(0.999) }
    }
}
