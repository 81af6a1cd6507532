//! The search, the starts and the memory.

use super::run::{environment, head, run, side};
use super::{CANDIDATE, LEGACY, RATE};
use crate::random::SplitMix64;
use crate::result::attack::Run;
use crate::result::cold::{Cold, Rung, RungRatio};
use crate::result::memory::{Components, Figures, Marginal, Memory, Point, Used};
use crate::result::search::{Decision, Found, Highest, Probe, Search, Slo, Stage};
use crate::result::{Interval, Verdict};
use crate::statistics::order::{median, median_interval, quantile};

pub(super) fn search() -> Search {
    let mut chance = SplitMix64::new(11);
    let sides = [&LEGACY, &CANDIDATE].map(|kind| {
        let found = kind.per_second * 0.82;
        let probes = [0.3, 0.4, 0.5, 0.65, 0.8, 0.82, 0.9, 1.0].map(|share| {
            let rate = kind.per_second * share;
            let run = run(&mut chance, kind, rate, 1.0 / (1.03 - share.min(1.0)));
            let p99 = run.latency_us.p99.unwrap_or(0) as f64;
            let interval = Interval { low: p99 * 0.9, estimate: p99, high: p99 * 1.15, confidence: 0.95 };
            let run = Run {
                latency_us_intervals: Some(crate::result::attack::Intervals {
                    p99: Some(interval),
                    ..Default::default()
                }),
                ..run
            };
            let decision = if rate <= found { Decision::Pass } else { Decision::Fail };
            Probe { stage: Stage::Step, rate, decision, reason: "because".to_owned(), run }
        });
        Found {
            side: side(kind),
            closed_loop_rate: kind.per_second,
            rate: Some(Highest { estimate: found, failed_at: Some(found * 1.03) }),
            verdict: Some(Verdict::Valid),
            confirmed: true,
            cpu_cores: Some(0.9),
            limited_by_generator: false,
            probes: probes.into(),
        }
    });
    Search {
        head: head(crate::result::search::SCHEMA, 600.0),
        slo: Slo { latency_us_p99_max: 5_000, errors_share_max: 0.001, achieved_share_min: 0.995 },
        sides: sides.into(),
        environment: environment(),
    }
}

pub(super) fn cold() -> Cold {
    let mut chance = SplitMix64::new(13);
    let mut rung = |name: &str, step: Option<&str>, ms: f64| {
        let starts_ms: Vec<f64> = (0..30).map(|_| ms * (0.9 + 0.3 * chance.unit() * chance.unit())).collect();
        Rung {
            name: name.to_owned(),
            step: step.map(str::to_owned),
            sentence: format!("{name}, until its first correct answer"),
            side: None,
            median_ms: median_interval(&starts_ms),
            p95_ms: quantile(&starts_ms, 0.95),
            starts_ms,
            failed: 0,
            first_answers_us: Vec::new(),
            left_out: None,
        }
    };
    let rungs = vec![
        rung("instance-answer", Some("C2"), 0.04),
        rung("precompiled", Some("C3"), 12.0),
        rung("compiled", Some("C4"), 260.0),
        rung("legacy", Some("N3"), 190.0),
        rung("fastapi", None, 720.0),
        rung("candidate-container", Some("C5"), 95.0),
        rung("legacy-container", Some("N5"), 330.0),
        rung("empty-process", None, 1.1),
    ];
    let ratio = |slower: &str, faster: &str, equal_rungs: bool| {
        let median = |name: &str| rungs.iter().find(|rung| rung.name == name).and_then(|rung| median(&rung.starts_ms));
        let estimate = median(slower).zip(median(faster)).map(|(slower, faster)| slower / faster);
        let times = estimate.map(|estimate| Interval {
            low: estimate * 0.96,
            estimate,
            high: estimate * 1.05,
            confidence: 0.95,
        });
        RungRatio { slower: slower.to_owned(), faster: faster.to_owned(), equal_rungs, times }
    };
    let ratios = vec![
        ratio("legacy", "precompiled", true),
        ratio("legacy-container", "candidate-container", true),
        ratio("legacy-container", "instance-answer", false),
    ];
    Cold {
        head: head(crate::result::cold::SCHEMA, 120.0),
        seed: 1,
        starts: 30,
        rungs,
        ratios,
        environment: environment(),
    }
}

pub(super) fn memory() -> Memory {
    let mut chance = SplitMix64::new(17);
    let sides = [&LEGACY, &CANDIDATE].map(|kind| {
        let bytes = |mb: f64| Some((mb * 1_048_576.0) as u64);
        let figures = |mb: f64| Figures {
            rss_bytes: bytes(mb),
            rss_bytes_peak: bytes(mb * 1.02),
            pss_bytes: bytes(mb * 0.7),
            uss_bytes: bytes(mb * 0.6),
            cgroup_bytes: bytes(mb * 0.65),
            cgroup_bytes_peak: bytes(mb * 0.72),
            cgroup_bytes_limit: None,
            processes: 1,
        };
        Used {
            side: side(kind),
            idle: figures(kind.mb * 0.7),
            loaded: figures(kind.mb),
            load: run(&mut chance, kind, RATE, 1.0),
            marginal: Some(marginal(&[1, 2, 4, 8, 16], 22.0, kind.each_mb)),
        }
    });
    Memory {
        head: head(crate::result::memory::SCHEMA, 120.0),
        sides: sides.into(),
        components: Some(Components {
            sentence: "A thousand distinct components in one host.".to_owned(),
            marginal: marginal(&[1, 10, 100, 300, 1_000], 30.0, 0.2),
            compile_seconds: 40.0,
        }),
        environment: environment(),
    }
}

fn marginal(instances: &[u64], base_mb: f64, each_mb: f64) -> Marginal {
    let bytes = |instances: u64| ((base_mb + each_mb * instances as f64) * 1_048_576.0) as u64;
    let point =
        |instances: &u64| Point { instances: *instances, pss_bytes: bytes(*instances), rss_bytes: bytes(*instances) };
    Marginal {
        points: instances.iter().map(point).collect(),
        base_bytes: base_mb * 1_048_576.0,
        each_bytes: each_mb * 1_048_576.0,
        each_bytes_interval: None,
    }
}
