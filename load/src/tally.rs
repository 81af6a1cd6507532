//! What the users of one run found, counted as they go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::check::Difference;
use crate::contract::Case;
use crate::redact;

const SAMPLES_MAX: usize = 20;

/// One request and what came of it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) case: usize,
    /// From when the request was due, to the last byte.
    pub(crate) latency: Duration,
    /// From when it was sent, to the last byte.
    pub(crate) service: Duration,
    pub(crate) end: Instant,
    pub(crate) result: Result<Checked, Failure>,
}

#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) status: u16,
    /// Empty = the answer is right.
    pub(crate) differences: Vec<Difference>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    Connect,
    Timeout,
    Broken,
    TooLarge,
    EndedEarly,
}

impl Failure {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Timeout => "no answer in time",
            Self::Broken => "connection lost, or an answer that is not HTTP",
            Self::TooLarge => "body too large",
            Self::EndedEarly => "run ended before the answer",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) cases: Vec<CaseTally>,
    pub(crate) latency: Series,
    pub(crate) service: Series,
    pub(crate) failures: BTreeMap<&'static str, u64>,
    pub(crate) samples: Vec<Sample>,
    /// When the last request ended, well or not.
    pub(crate) end: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CaseTally {
    pub(crate) requests: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) status: BTreeMap<u16, u64>,
    pub(crate) latency: Series,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Sample {
    pub(crate) case: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

impl Tally {
    pub(crate) fn new(cases: usize) -> Self {
        Self {
            cases: vec![CaseTally::default(); cases],
            latency: Series::default(),
            service: Series::default(),
            failures: BTreeMap::new(),
            samples: Vec::new(),
            end: None,
        }
    }

    /// `case` is the one that `attempt` counts for.
    pub(crate) fn record(&mut self, case: &Case, attempt: &Attempt) {
        let Attempt { case: index, latency, service, end, result } = attempt;
        let tally = &mut self.cases[*index];
        tally.requests += 1;
        self.end = self.end.max(Some(*end));
        match result {
            Ok(Checked { status, differences }) => {
                *tally.status.entry(*status).or_default() += 1;
                tally.latency.record(*latency);
                self.latency.record(*latency);
                self.service.record(*service);
                if differences.is_empty() {
                    return;
                }
                tally.wrong += 1;
                // The first of each case, so that one broken case does not hide the others.
                if tally.wrong == 1 && self.samples.len() < SAMPLES_MAX {
                    self.samples.push(sample(case, differences));
                }
            }
            Err(failure) => {
                tally.failed += 1;
                *self.failures.entry(failure.reason()).or_default() += 1;
            }
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.cases.iter().map(|case| case.requests).sum()
    }

    pub(crate) fn wrong(&self) -> u64 {
        self.cases.iter().map(|case| case.wrong).sum()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.cases.iter().map(|case| case.failed).sum()
    }
}

fn sample(case: &Case, differences: &[Difference]) -> Sample {
    let side = |value: fn(&Difference) -> &str| {
        let parts: Vec<String> =
            differences.iter().map(|difference| format!("{} {}", difference.what, value(difference))).collect();
        redact::scrub(&case.request, &parts.join("; "))
    };
    Sample {
        case: case.name.clone(),
        expected: side(|difference| &difference.expected),
        got: side(|difference| &difference.got),
    }
}

/// Times in µs: percentiles within 0.1 %, mean and maximum exact.
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
}

/// µs; `None` where the samples are too few to say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: Option<u64>,
    pub(crate) p95: Option<u64>,
    pub(crate) p99: Option<u64>,
    pub(crate) p999: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) mean: Option<u64>,
}

/// With fewer samples the 95 % confidence interval of the quantile has no upper end: all samples lie below it with a
/// probability of `quantile` to the power of their number, which must not be above 2.5 %.
fn samples_min(quantile: f64) -> u64 {
    (0.025_f64.ln() / quantile.ln()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::Expect;
    use crate::request::Request;

    #[test]
    fn a_percentile_needs_enough_samples() {
        for (quantile, samples) in [(0.5, 6), (0.95, 72), (0.99, 368), (0.999, 3_688)] {
            assert_eq!(samples_min(quantile), samples);
        }
    }

    #[test]
    fn percentiles_are_within_a_thousandth_and_never_above_the_maximum() {
        let mut series = Series::default();
        assert_eq!(serde_json::to_value(series.quantiles()).expect("JSON")["p50"], json!(null));
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

    fn case() -> Case {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("authorization", "Bearer canary-1".parse().expect("a value"));
        let request = Request { method: reqwest::Method::GET, path: "/".into(), headers, body: None };
        Case { name: "a".into(), weight: 1, request, accepted: vec![Expect::default()] }
    }

    fn attempt(result: Result<Checked, Failure>) -> Attempt {
        let time = Duration::from_millis(1);
        Attempt { case: 0, latency: time, service: time, end: Instant::now(), result }
    }

    #[test]
    fn right_wrong_and_failed_add_up_and_samples_are_few_and_clean() {
        let mut tally = Tally::new(1);
        let difference = || Difference { what: "status".into(), expected: "200".into(), got: "canary-1".into() };
        for differences in [vec![], vec![difference()]] {
            for _ in 0..10 {
                let checked = Checked { status: 401, differences: differences.clone() };
                tally.record(&case(), &attempt(Ok(checked)));
            }
        }
        tally.record(&case(), &attempt(Err(Failure::Timeout)));
        assert_eq!((tally.requests(), tally.wrong(), tally.failed()), (21, 10, 1));
        assert_eq!(tally.cases[0].status, BTreeMap::from([(401, 20)]));
        assert_eq!(tally.failures, BTreeMap::from([("no answer in time", 1)]));
        assert_eq!(tally.latency.quantiles().max, Some(1_000));
        let got = Sample { case: "a".into(), expected: "status 200".into(), got: "status [redacted]".into() };
        assert_eq!(tally.samples, [got]);
    }
}
