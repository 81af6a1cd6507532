//! Every ratio that a report shows, out of what was measured. Pure.

use super::contents::Ratio;
use crate::cost::Range;
use crate::measured::Measured;
use crate::result::cold::Cold;
use crate::result::compare::{Better, Compare, Conclusion, Metric, Ratio as Compared};
use crate::result::search::{Found, Highest, Search};
use crate::result::{Interval, Verdict};
use crate::shown::figure;
use crate::statistics::CONFIDENCE;

pub(super) fn ratios(measured: &Measured) -> Vec<Ratio> {
    let compared = measured.compare.iter().flat_map(from_compare);
    let searched = measured.search.iter().filter_map(from_search);
    let started = measured.cold.iter().flat_map(from_cold);
    compared.chain(searched).chain(started).collect()
}

fn from_compare(compare: &Compare) -> Vec<Ratio> {
    compare.metrics.iter().flat_map(|metric| metric.ratios.iter().map(|ratio| from_metric(metric, ratio))).collect()
}

fn from_metric(metric: &Metric, ratio: &Compared) -> Ratio {
    let value = |side: &str| metric.sides.iter().find(|values| values.side == side)?.median.map(range);
    Ratio {
        metric: metric.name.clone(),
        title: title(&metric.name).to_owned(),
        side: ratio.side.clone(),
        unit: metric.unit.clone(),
        lower_is_better: metric.better == Better::Lower,
        legacy: value("legacy"),
        value: value(&ratio.side),
        times_better: ratio.times_better,
        control: metric.control.times_better,
        conclusion: name(ratio.conclusion).to_owned(),
        words: words(ratio),
        like_for_like: true,
    }
}

/// The search decides on bounds by itself: the rate lies between the highest that passed and the lowest that did not.
fn from_search(search: &Search) -> Option<Ratio> {
    let of = |name: &str| search.sides.iter().find(|found| found.side.name == name);
    let (legacy, candidate) = (of("legacy")?, of("candidate")?);
    let (from, to) = (between(legacy)?, between(candidate)?);
    let counts = |found: &Found| found.confirmed && found.verdict == Some(Verdict::Valid);
    let is_sure = counts(legacy) && counts(candidate) && !legacy.limited_by_generator;
    let times = Interval {
        low: to.low / from.high,
        estimate: to.estimate / from.estimate,
        high: to.high / from.low,
        confidence: CONFIDENCE,
    };
    let is_open = candidate.rate.is_some_and(|rate| rate.failed_at.is_none());
    let words = match (is_sure, is_open) {
        (false, _) => "cannot be said: not confirmed by runs that count".to_owned(),
        (true, true) => format!("at least {}", times_words(times)),
        (true, false) => times_words(times),
    };
    Some(Ratio {
        metric: "rate_under_slo".to_owned(),
        title: title("rate_under_slo").to_owned(),
        side: "candidate".to_owned(),
        unit: "per_second".to_owned(),
        lower_is_better: false,
        legacy: Some(from),
        value: Some(to),
        times_better: Some(times),
        control: None,
        conclusion: if is_sure { apart(times) } else { "unknown" }.to_owned(),
        words,
        like_for_like: true,
    })
}

fn between(found: &Found) -> Option<Range> {
    found.rate.map(|Highest { estimate, failed_at }| Range {
        low: estimate,
        estimate,
        high: failed_at.unwrap_or(estimate),
    })
}

fn from_cold(cold: &Cold) -> Vec<Ratio> {
    let median = |name: &str| cold.rungs.iter().find(|rung| rung.name == name)?.median_ms;
    let shown = cold.ratios.iter().filter_map(|ratio| {
        let times = ratio.times?;
        let us = |name: &str| median(name).map(|ms| range(ms).map(|ms| ms * 1e3));
        Some(Ratio {
            metric: format!("cold_start_us_{}_{}", ratio.slower, ratio.faster),
            title: started(&ratio.faster),
            side: rung_side(&ratio.faster).unwrap_or("candidate").to_owned(),
            unit: "us".to_owned(),
            lower_is_better: true,
            legacy: us(&ratio.slower),
            value: us(&ratio.faster),
            times_better: Some(times),
            control: None,
            conclusion: apart(times).to_owned(),
            words: times_words(times),
            like_for_like: ratio.equal_rungs,
        })
    });
    shown.collect()
}

/// Whose start it is; none: nobody's.
pub(super) fn rung_side(rung: &str) -> Option<&str> {
    match rung {
        "instance" | "instance-answer" | "precompiled" | "compiled" | "candidate-container" => Some("candidate"),
        "legacy-container" => Some("legacy"),
        _ if rung.starts_with("empty") => None,
        side => Some(side),
    }
}

/// As the row of a picture says it.
fn started(rung: &str) -> String {
    match rung {
        "precompiled" => "Start, compiled ahead".to_owned(),
        "compiled" => "Start, compiling".to_owned(),
        "candidate-container" => "Start of the container".to_owned(),
        other => format!("Start, {other}"),
    }
}

pub(super) fn title(metric: &str) -> &str {
    match metric {
        "latency_us_p50" => "Response time, median",
        "latency_us_p95" => "Response time, 95 %",
        "latency_us_p99" => "Response time, 99 %",
        "latency_us_p999" => "Response time, 99.9 %",
        "service_us_p50" => "Service time, median",
        "cpu_us_per_request" => "CPU for each request",
        "throughput_per_second" => "Most requests a second",
        "rss_bytes_max" => "Memory under load",
        "rate_under_slo" => "Rate that keeps the objective",
        other => other,
    }
}

fn words(ratio: &Compared) -> String {
    let p = if ratio.p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {}", figure(ratio.p)) };
    match (ratio.conclusion, ratio.times_better) {
        (Conclusion::Better | Conclusion::Worse, Some(times)) => {
            format!("{}, {} pairs, {p}", times_words(times), ratio.pairs.len())
        }
        (Conclusion::NoDifference { detectable_factor }, _) => {
            format!("no difference found (could detect {} %)", figure((detectable_factor - 1.0) * 100.0))
        }
        (Conclusion::Unknown, _) if ratio.verdict != Verdict::Valid => {
            format!("cannot be said: the runs were {}", ratio.verdict.name().replace('-', " "))
        }
        _ => format!("cannot be said: {} pairs are too few", ratio.pairs.len()),
    }
}

/// `1.9× (1.7–2.2)`
pub(super) fn times_words(times: Interval) -> String {
    let two = |value: f64| format!("{value:.digits$}", digits = if value < 10.0 { 2 } else { 1 });
    format!("{}× ({}–{})", two(times.estimate), two(times.low), two(times.high))
}

fn name(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Better => "better",
        Conclusion::Worse => "worse",
        Conclusion::NoDifference { .. } => "no-difference",
        Conclusion::Unknown => "unknown",
    }
}

fn apart(times: Interval) -> &'static str {
    match times {
        _ if times.low > 1.0 => "better",
        _ if times.high < 1.0 => "worse",
        _ => "no-difference",
    }
}

pub(super) fn range(Interval { low, estimate, high, .. }: Interval) -> Range {
    Range { low, estimate, high }
}
