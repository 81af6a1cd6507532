//! The comparison.

use super::run::{environment, head, run, side};
use super::{ALL, Kind, LEGACY, RATE};
use crate::random::SplitMix64;
use crate::result::Verdict;
use crate::result::compare::{Better, Compare, Metric, SCHEMA, Settings, Turn, Values};
use crate::statistics::order::median_interval;
use crate::statistics::pairs::{self, Figure};

const PAIRS: usize = 8;

pub(super) fn compare() -> Compare {
    let mut chance = SplitMix64::new(7);
    let mut runs = Vec::new();
    for pair in 0..PAIRS {
        for (kind, control) in ALL.iter().map(|kind| (kind, false)).chain([(&LEGACY, true)]) {
            runs.push(Turn {
                pair,
                side: kind.name.to_owned(),
                control,
                repeated: 0,
                started_ms: Some(200.0),
                warmup_seconds: 3.0,
                warmed_up: true,
                idle_cpu_cores: Some(0.001),
                fixed: run(&mut chance, kind, RATE, 1.0),
                throughput: Some(run(&mut chance, kind, kind.per_second, 3.0)),
            });
        }
    }
    let metrics = [
        metric(&runs, "latency_us_p50", "us", Better::Lower, &|turn| turn.fixed.latency_us.p50.map(|us| us as f64)),
        metric(&runs, "latency_us_p99", "us", Better::Lower, &|turn| turn.fixed.latency_us.p99.map(|us| us as f64)),
        metric(&runs, "latency_us_p999", "us", Better::Lower, &|turn| turn.fixed.latency_us.p999.map(|us| us as f64)),
        metric(&runs, "cpu_us_per_request", "us", Better::Lower, &|turn| {
            turn.fixed.resources.as_ref().map(|used| used.cpu_us_per_request)
        }),
        metric(&runs, "throughput_per_second", "per_second", Better::Higher, &|turn| {
            turn.throughput.as_ref().map(|run| run.rate * run.latency_us.p50.unwrap_or(1) as f64 / 500.0)
        }),
        metric(&runs, "rss_bytes_max", "bytes", Better::Lower, &|turn| {
            turn.fixed.resources.as_ref().and_then(|used| used.rss_bytes_max).map(|bytes| bytes as f64)
        }),
    ];
    Compare {
        head: head(SCHEMA, 900.0),
        seed: 1,
        settings: Settings {
            pairs: PAIRS,
            rate: RATE,
            run_seconds: 15.0,
            throughput_connections: Some(16),
            cases: Vec::new(),
        },
        sides: ALL.iter().map(side).collect(),
        metrics: metrics.into(),
        verdict: Verdict::Valid,
        runs,
        environment: environment(),
    }
}

fn metric(runs: &[Turn], name: &str, unit: &str, better: Better, of: &dyn Fn(&Turn) -> Option<f64>) -> Metric {
    let figures = |side: &str, control: bool| -> Vec<Figure> {
        let turns = runs.iter().filter(|turn| turn.side == side && turn.control == control);
        turns.map(|turn| Figure { value: of(turn), verdict: turn.fixed.validity.verdict }).collect()
    };
    let legacy = figures("legacy", false);
    let control = pairs::control(&legacy, &figures("legacy", true), better);
    let ratio = |kind: &Kind| pairs::against(kind.name, &legacy, &figures(kind.name, false), better, &control);
    let sides = ALL.iter().map(|kind| {
        let figures = figures(kind.name, false);
        let known: Vec<f64> = figures.iter().filter_map(|figure| figure.value).collect();
        Values {
            side: kind.name.to_owned(),
            runs: figures.iter().map(|figure| figure.value).collect(),
            verdicts: figures.iter().map(|figure| figure.verdict).collect(),
            median: median_interval(&known),
        }
    });
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        better,
        sides: sides.collect(),
        ratios: ALL[1..].iter().map(ratio).collect(),
        control,
    }
}
