//! `--fail-on`: what fails a pipeline, only where a confidence bound proves it. Pure.

use std::str::FromStr;

use super::contents::Report;
use crate::cost::Range;

/// Such as `p99_ratio>1.10`: fails when even the lower bound is above 1.10.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FailOn {
    text: String,
    name: String,
    side: String,
    above: bool,
    limit: f64,
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{what}; write it like p99_ratio>1.10 or slo_rate_ratio<1"));
        let Some(at) = text.find(['>', '<']) else { return wrong("there is neither > nor <") };
        let (name, limit) = (text[..at].trim(), text[at + 1..].trim());
        let Some(limit) = limit.parse::<f64>().ok().filter(|limit| limit.is_finite()) else {
            return wrong("there is no number at its end");
        };
        let (name, side) = name.split_once('.').unwrap_or((name, "candidate"));
        if !is_known(name) {
            return Err(format!("{name:?} is no figure; use one of {}", known_names()));
        }
        Ok(Self {
            text: text.to_owned(),
            name: name.to_owned(),
            side: side.to_owned(),
            above: text[at..].starts_with('>'),
            limit,
        })
    }
}

impl FailOn {
    /// Why the report fails; none: it is not proven that it should.
    ///
    /// # Errors
    /// The figure was not measured: whether it should fail cannot be told.
    pub(crate) fn proven(&self, report: &Report) -> Result<Option<String>, String> {
        let Some(range) = figure(report, &self.name, &self.side) else {
            return Err(format!(
                "--fail-on {:?}: the report has no such figure of {}; measure it, or leave the option out",
                self.text, self.side
            ));
        };
        let is_proven = if self.above { range.low > self.limit } else { range.high < self.limit };
        let shown = |value: f64| crate::shown::figure(value);
        let bounds = format!("{} ({} to {})", shown(range.estimate), shown(range.low), shown(range.high));
        Ok(is_proven.then(|| format!("{}: {} of {} is {bounds}", self.text, self.name, self.side)))
    }
}

/// The side's figure as a multiple of legacy's, by the metric it comes from.
const RATIOS: [(&str, &str); 10] = [
    ("p50_ratio", "latency_us_p50"),
    ("p95_ratio", "latency_us_p95"),
    ("p99_ratio", "latency_us_p99"),
    ("p999_ratio", "latency_us_p999"),
    ("service_p50_ratio", "service_us_p50"),
    ("cpu_ratio", "cpu_us_per_request"),
    ("memory_ratio", "rss_bytes_max"),
    ("throughput_ratio", "throughput_per_second"),
    ("slo_rate_ratio", "rate_under_slo"),
    ("cold_start_ratio", "cold_start_us_legacy_precompiled"),
];

/// The side's figure itself.
const VALUES: [(&str, &str); 4] = [
    ("p99_us", "latency_us_p99"),
    ("cpu_us", "cpu_us_per_request"),
    ("throughput", "throughput_per_second"),
    ("slo_rate", "rate_under_slo"),
];

/// Of the evidence and the baseline; no interval of ours.
const COUNTS: [&str; 4] = ["breaches", "lockouts", "mismatch_share", "worse_than_baseline"];

fn is_known(name: &str) -> bool {
    RATIOS.iter().chain(&VALUES).any(|(known, _)| *known == name) || COUNTS.contains(&name)
}

fn known_names() -> String {
    let named = RATIOS.iter().chain(&VALUES).map(|(name, _)| *name);
    named.chain(COUNTS).collect::<Vec<_>>().join(", ")
}

fn figure(report: &Report, name: &str, side: &str) -> Option<Range> {
    let of =
        |table: &[(&str, &str)]| table.iter().find(|(known, _)| *known == name).map(|(_, metric)| (*metric).to_owned());
    let ratio = |metric: &str| report.ratios.iter().find(|ratio| ratio.metric == metric && ratio.side == side);
    if let Some(metric) = of(&RATIOS) {
        let ratio = ratio(&metric)?;
        let times = ratio.times_better?;
        // A ratio is that of the figures: of what should be small, better is below 1.
        return Some(match ratio.lower_is_better {
            true => Range { low: 1.0 / times.high, estimate: 1.0 / times.estimate, high: 1.0 / times.low },
            false => Range { low: times.low, estimate: times.estimate, high: times.high },
        });
    }
    if let Some(metric) = of(&VALUES) {
        return ratio(&metric)?.value;
    }
    let decision = report.decision.as_ref();
    match name {
        "breaches" => decision.map(|decision| Range::exactly(decision.breaches as f64)),
        "lockouts" => decision.map(|decision| Range::exactly(decision.lockouts as f64)),
        "mismatch_share" => decision.map(|decision| Range {
            low: 0.0,
            estimate: decision.counted_mismatches as f64 / decision.counted.max(1) as f64,
            high: decision.rate_upper_bound,
        }),
        _ => report.baseline.as_ref().map(|baseline| {
            let worse = baseline.changes.iter().filter(|change| change.conclusion == "worse").count();
            Range::exactly(worse as f64)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn proven(text: &str) -> Result<bool, String> {
        let fail_on: FailOn = text.parse()?;
        fail_on.proven(&sample::report()).map(|why| why.is_some())
    }

    #[test]
    fn only_a_bound_that_lies_beyond_the_limit_fails() {
        let report = sample::report();
        let ratio = report.ratios.iter().find(|ratio| ratio.metric == "latency_us_p99").expect("compared");
        let times = ratio.times_better.expect("enough pairs");
        let (low, high) = (1.0 / times.high, 1.0 / times.low);
        assert_eq!(proven(&format!("p99_ratio>{}", low * 0.99)), Ok(true));
        assert_eq!(proven(&format!("p99_ratio>{}", f64::midpoint(low, high))), Ok(false));
        assert_eq!(proven(&format!("p99_ratio < {}", high * 1.01)), Ok(true));
        assert_eq!(proven("breaches>0"), Ok(false));
    }

    #[test]
    fn what_cannot_be_told_is_an_error_and_no_pass() {
        for (text, part) in [
            ("p99_ratio", "neither > nor <"),
            ("p99_ratio>soon", "no number"),
            ("p98_ratio>1", "use one of p50_ratio"),
            ("p99_ratio.nobody>1", "no such figure of nobody"),
            ("worse_than_baseline>0", "no such figure"),
        ] {
            let error = proven(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
    }
}
