//! Every ratio that a report shows, out of what was measured. Pure.

use super::contents::Ratio;
use crate::cost::Range;
use crate::measured::Measured;
use crate::result::cold::Cold;
use crate::result::compare::{Better, Compare, Conclusion, Metric, Ratio as Compared};
use crate::result::search::Search;
use crate::result::{Interval, Verdict};
use crate::shown::figure;

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

/// The search decides on bounds by itself: intervals that lie apart are a difference.
fn from_search(search: &Search) -> Option<Ratio> {
    let of = |name: &str| search.sides.iter().find(|found| found.side.name == name);
    let (legacy, candidate) = (of("legacy")?, of("candidate")?);
    let (from, to) = (legacy.rate?, candidate.rate?);
    let is_sure = legacy.confirmed && candidate.confirmed && !legacy.limited_by_generator;
    let times = over(to, from);
    let conclusion = if is_sure { apart(times) } else { "unknown" };
    let words = match (is_sure, candidate.limited_by_generator) {
        (false, _) => "not confirmed, or the generator was the limit of the legacy service".to_owned(),
        (true, true) => format!("at least {}: the generator was the limit", times_words(times)),
        (true, false) => times_words(times),
    };
    Some(Ratio {
        metric: "rate_under_slo".to_owned(),
        title: title("rate_under_slo").to_owned(),
        side: "candidate".to_owned(),
        unit: "per_second".to_owned(),
        lower_is_better: false,
        legacy: Some(range(from)),
        value: Some(range(to)),
        times_better: Some(times),
        control: None,
        conclusion: conclusion.to_owned(),
        words,
        like_for_like: true,
    })
}

fn from_cold(cold: &Cold) -> Vec<Ratio> {
    let median = |name: &str| cold.rungs.iter().find(|rung| rung.name == name)?.median_ms;
    let side = |name: &str| {
        let rung = cold.rungs.iter().find(|rung| rung.name == name)?;
        rung.side.as_ref().map(|side| side.name.clone())
    };
    let shown = cold.ratios.iter().filter_map(|ratio| {
        let times = ratio.times?;
        let us = |name: &str| median(name).map(|ms| range(ms).map(|ms| ms * 1e3));
        Some(Ratio {
            metric: format!("cold_start_us_{}_{}", ratio.slower, ratio.faster),
            title: format!("Start: {} against {}", rung_title(&ratio.faster), rung_title(&ratio.slower)),
            side: side(&ratio.faster).unwrap_or_else(|| "candidate".to_owned()),
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

/// The worst of the runs behind the comparison.
pub(super) fn is_valid(measured: &Measured) -> bool {
    measured.compare.as_ref().is_some_and(|compare| compare.verdict == Verdict::Valid)
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

pub(super) fn rung_title(rung: &str) -> &str {
    match rung {
        "instance" => "an instance in a warm host",
        "precompiled" => "the host, component compiled ahead",
        "compiled" => "the host, compiling the component",
        "node" => "Node",
        "native" => "the same code natively",
        "fastapi" => "FastAPI",
        "container" => "the container",
        "empty-process" => "an empty process",
        "empty-container" => "an empty container",
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
        _ => "cannot be said".to_owned(),
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

/// Both ends against the other's: wider than need be, never narrower.
fn over(one: Interval, other: Interval) -> Interval {
    Interval {
        low: one.low / other.high,
        estimate: one.estimate / other.estimate,
        high: one.high / other.low,
        confidence: one.confidence.min(other.confidence),
    }
}

pub(super) fn range(Interval { low, estimate, high, .. }: Interval) -> Range {
    Range { low, estimate, high }
}
