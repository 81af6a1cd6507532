//! What the turns of a comparison amount to. Pure.

use crate::result::compare::{Better, Metric, Turn, Values};
use crate::result::{Side, Verdict};
use crate::statistics::order::median_interval;
use crate::statistics::pairs::{self, Figure};

/// What is read from a turn, and from which of its runs: its verdict counts.
struct Reading {
    name: &'static str,
    unit: &'static str,
    better: Better,
    of: fn(&Turn) -> Option<f64>,
    verdict: fn(&Turn) -> Option<Verdict>,
}

const READINGS: [Reading; 8] = [
    at_rate("cpu_us_per_request", "us", |turn| Some(turn.fixed.resources.as_ref()?.cpu_us_per_request)),
    at_rate("latency_us_p50", "us", |turn| Some(turn.fixed.latency_us.p50? as f64)),
    at_rate("latency_us_p95", "us", |turn| Some(turn.fixed.latency_us.p95? as f64)),
    at_rate("latency_us_p99", "us", |turn| Some(turn.fixed.latency_us.p99? as f64)),
    at_rate("latency_us_p999", "us", |turn| Some(turn.fixed.latency_us.p999? as f64)),
    at_rate("service_us_p50", "us", |turn| Some(turn.fixed.service_us.p50? as f64)),
    Reading {
        name: "throughput_per_second",
        unit: "per_second",
        better: Better::Higher,
        of: |turn| Some(turn.throughput.as_ref()?.rate),
        verdict: |turn| Some(turn.throughput.as_ref()?.validity.verdict),
    },
    at_rate("rss_bytes_max", "bytes", |turn| Some(turn.fixed.resources.as_ref()?.rss_bytes_max? as f64)),
];

const fn at_rate(name: &'static str, unit: &'static str, of: fn(&Turn) -> Option<f64>) -> Reading {
    Reading { name, unit, better: Better::Lower, of, verdict: |turn| Some(turn.fixed.validity.verdict) }
}

/// Those that at least one run could tell. Pairs that are not whole are left out.
pub(super) fn metrics(sides: &[Side], turns: &[Turn]) -> Vec<Metric> {
    let whole: Vec<usize> = (0..=turns.iter().map(|turn| turn.pair).max().unwrap_or(0))
        .filter(|&pair| turns.iter().filter(|turn| turn.pair == pair).count() == sides.len() + 1)
        .collect();
    READINGS.iter().map(|reading| metric(reading, sides, turns, &whole)).filter(has_figures).collect()
}

fn has_figures(metric: &Metric) -> bool {
    metric.sides.iter().any(|values| values.runs.iter().any(Option::is_some))
}

fn metric(reading: &Reading, sides: &[Side], turns: &[Turn], whole: &[usize]) -> Metric {
    let figures = |side: &str, control: bool| -> Vec<Figure> {
        let turn =
            |pair: &usize| turns.iter().find(|turn| turn.pair == *pair && turn.side == side && turn.control == control);
        let figure = |turn: &Turn| Figure {
            value: (reading.of)(turn),
            verdict: (reading.verdict)(turn).unwrap_or(Verdict::Valid),
        };
        whole.iter().filter_map(turn).map(figure).collect()
    };
    let legacy = figures(&sides[0].name, false);
    let control = pairs::control(&legacy, &figures(&sides[0].name, true), reading.better);
    let values = |side: &Side| {
        let figures = figures(&side.name, false);
        let known: Vec<f64> = figures.iter().filter_map(|figure| figure.value).collect();
        Values {
            side: side.name.clone(),
            runs: figures.iter().map(|figure| figure.value).collect(),
            verdicts: figures.iter().map(|figure| figure.verdict).collect(),
            median: median_interval(&known),
        }
    };
    let ratio =
        |side: &Side| pairs::against(&side.name, &legacy, &figures(&side.name, false), reading.better, &control);
    Metric {
        name: reading.name.to_owned(),
        unit: reading.unit.to_owned(),
        better: reading.better,
        sides: sides.iter().map(values).collect(),
        ratios: sides[1..].iter().map(ratio).collect(),
        control,
    }
}
