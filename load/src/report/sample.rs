//! Made-up results in the shape of real ones, for tests: two services, of which one is quicker, with bars beside them.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use super::assemble::{self, Beside};
use super::contents::Report;
use super::evidence;
use crate::claims::Claims;
use crate::cost;
use crate::measured::Measured;
use crate::random::SplitMix64;
use crate::result::attack::{Arrivals, Generator, Load, Quantiles, Resources, Run, Slice};
use crate::result::cold::{Cold, Rung, RungRatio};
use crate::result::compare::{Better, Compare, Metric, Settings, Turn, Values};
use crate::result::environment::Environment;
use crate::result::memory::{Components, Figures, Marginal, Memory, Point, Used};
use crate::result::search::{Decision, Found, Highest, Probe, Search, Slo, Stage};
use crate::result::{Gate, Interval, Side, VERSION, Validity, Verdict};
use crate::statistics::order::{median, median_interval, quantile};
use crate::statistics::pairs::{self, Figure};

/// 2026-11-21.
pub(crate) const NOW_MS: u64 = 1_795_219_200_000;

/// What is made up about a side.
struct Kind {
    name: &'static str,
    spec: &'static str,
    kind: &'static str,
    us_median: f64,
    cpu_us: f64,
    per_second: f64,
    mb: f64,
    each_mb: f64,
}

const LEGACY: Kind = Kind {
    name: "legacy",
    spec: "node",
    kind: "node",
    us_median: 640.0,
    cpu_us: 205.0,
    per_second: 5_900.0,
    mb: 96.0,
    each_mb: 38.0,
};
const CANDIDATE: Kind = Kind {
    name: "candidate",
    spec: "serve",
    kind: "serve",
    us_median: 210.0,
    cpu_us: 26.0,
    per_second: 38_000.0,
    mb: 47.0,
    each_mb: 21.0,
};
const NATIVE: Kind = Kind {
    name: "native",
    spec: "native",
    kind: "native",
    us_median: 180.0,
    cpu_us: 15.0,
    per_second: 61_000.0,
    mb: 9.0,
    each_mb: 4.0,
};
const FASTAPI: Kind = Kind {
    name: "fastapi",
    spec: "fastapi",
    kind: "fastapi",
    us_median: 1_450.0,
    cpu_us: 820.0,
    per_second: 1_120.0,
    mb: 62.0,
    each_mb: 44.0,
};
const ALL: [Kind; 4] = [LEGACY, CANDIDATE, NATIVE, FASTAPI];
const PAIRS: usize = 8;
const SECONDS: u64 = 15;
const RATE: f64 = 1_000.0;

pub(crate) fn report() -> Report {
    report_of(&measured())
}

pub(crate) fn report_of(measured: &Measured) -> Report {
    let gate = serde_json::from_value(gate()).expect("a gate");
    let beside = Beside {
        cost: cost::measured(measured).ok().map(|found| cost::estimate(found, &terms(), NOW_MS).expect("right")),
        decision: Some(evidence::decision(gate, None)),
        sources: Vec::new(),
    };
    assemble::report(measured, beside, &Claims::shipped(), NOW_MS)
}

/// As shadow-proxy says it.
pub(crate) fn gate() -> serde_json::Value {
    serde_json::json!({
        "verdict": "go",
        "reasons": ["12,480 different requests, 0 answered differently: at most 0.075 % are, with 95 % confidence, and 0.1 % is what may be"],
        "breaches": 0, "lockouts": 0, "coverage": 0.998, "pairs": 48_120, "mismatches": 0, "counted": 12_480, "counted_mismatches": 0,
        "rate": {"seen": 0.0, "lower_bound": 0.0, "upper_bound": 0.000_75}, "rate_max": 0.001,
        "endpoints": [{"endpoint": "POST /auth/validate", "pairs": 40_000, "mismatches": 0, "counted": 11_000, "counted_mismatches": 0,
            "askable": 0, "aa_pairs": 0, "rate": {"seen": 0.0, "lower_bound": 0.0, "upper_bound": 0.000_85}}],
    })
}

fn terms() -> cost::Terms {
    use clap::Parser;
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        terms: cost::Terms,
    }
    Line::parse_from(["load", "--allow-old-prices", "--migration-cost", "5000"]).terms
}

pub(crate) fn measured() -> Measured {
    Measured {
        attack: None,
        compare: Some(compare()),
        search: Some(search()),
        cold: Some(cold()),
        memory: Some(memory()),
    }
}

fn environment() -> Environment {
    Environment {
        kernel: "6.18.0".to_owned(),
        cpu_model: Some("Intel Xeon, made up".to_owned()),
        cpus_online: 2,
        cpus_allowed: vec![0, 1],
        memory_bytes: Some(8 << 30),
        load_average_before: Some(0.12),
        steal_share: Some(0.001),
        commit: Some("0123abc".to_owned()),
        build_profile: "release".to_owned(),
        versions: BTreeMap::from([("node".to_owned(), "20.20.2".to_owned())]),
        ..Environment::default()
    }
}

fn side(kind: &Kind) -> Side {
    Side {
        name: kind.name.to_owned(),
        spec: kind.spec.to_owned(),
        kind: kind.kind.to_owned(),
        command: None,
        cpus: Some(vec![1]),
    }
}

/// Response times around a median, with a tail and now and then a stall.
fn histogram(chance: &mut SplitMix64, us_median: f64, answers: u64) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits");
    for _ in 0..answers {
        let normal = (-2.0 * chance.unit().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * chance.unit()).cos();
        let stall = if chance.unit() < 0.002 { 6.0 + 8.0 * chance.unit() } else { 1.0 };
        let us = us_median * (0.35 * normal).exp() * stall;
        histogram.record(us as u64).expect("it grows");
    }
    histogram
}

fn quantiles(of: &Histogram<u64>) -> Quantiles {
    let at = |quantile| Some(of.value_at_quantile(quantile));
    Quantiles {
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
        max: Some(of.max()),
        mean: Some(of.mean() as u64),
    }
}

fn encoded(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).expect("a Vec takes all");
    Base64::encode_string(&bytes)
}

fn run(chance: &mut SplitMix64, kind: &Kind, rate: f64, slow: f64) -> Run {
    let mut all = Histogram::<u64>::new(3).expect("three digits");
    let drift = 1.0 + 0.06 * (chance.unit() - 0.5);
    let cores = rate * kind.cpu_us * drift / 1e6;
    let slices: Vec<Slice> = (0..SECONDS)
        .map(|second| {
            // A thousand stand for all of them: what is tested is not how many there are.
            let one = histogram(chance, kind.us_median * slow * drift, 1_000);
            all.add(&one).expect("it grows");
            Slice {
                second,
                answered: rate as u64,
                wrong: 0,
                failed: 0,
                latency_us: quantiles(&one),
                latency_us_hdr: encoded(&one),
                service_us_hdr: String::new(),
                lag_us_hdr: String::new(),
                cpu_cores: Some(cores * (0.95 + 0.1 * chance.unit())),
                rss_bytes: Some(((kind.mb - 4.0 + second as f64 * 0.2) * 1_048_576.0) as u64),
            }
        })
        .collect();
    let latency_us = quantiles(&all);
    Run {
        started_at_ms: NOW_MS,
        seconds: SECONDS as f64,
        complete: true,
        short: false,
        load: Load::Rate { arrivals: Arrivals::Constant },
        requests: rate as u64 * SECONDS,
        failed: 0,
        wrong: 0,
        unsent: 0,
        rate,
        achieved_rate: rate,
        rate_planned: Some(rate),
        queued_at_cap: 0,
        connections: 8,
        latency_us,
        latency_us_intervals: None,
        service_us: latency_us,
        lag_us: None,
        by_case: Vec::new(),
        failures: BTreeMap::new(),
        wrong_samples: Vec::new(),
        resources: Some(Resources {
            cpu_from: "processes".to_owned(),
            cpu_seconds: cores * SECONDS as f64,
            cpu_us_per_request: kind.cpu_us * drift,
            cpu_cores: cores,
            machine_cpu_us_per_request: Some(kind.cpu_us * drift * 1.2),
            rss_bytes_max: Some((kind.mb * 1_048_576.0) as u64),
            pss_bytes_max: None,
            cgroup_bytes_max: None,
            threads_max: Some(4),
        }),
        generator: Generator { cpu_us_per_request: 8.0, cpu_cores: 0.01, cpus: Some(vec![0]) },
        validity: valid(),
        slice_seconds: 1,
        slices,
    }
}

fn valid() -> Validity {
    let gate = Gate {
        name: "achieved-share-min".to_owned(),
        passed: true,
        measured: 1.0,
        limit: 0.995,
        else_verdict: Verdict::GeneratorBound,
        sentence: "All that was planned was sent.".to_owned(),
    };
    Validity { verdict: Verdict::Valid, gates: vec![gate], remarks: Vec::new() }
}

fn compare() -> Compare {
    let mut chance = SplitMix64::new(7);
    let mut runs = Vec::new();
    for pair in 0..PAIRS {
        for (kind, control) in ALL.iter().map(|kind| (kind, false)).chain([(&LEGACY, true)]) {
            runs.push(Turn {
                pair,
                side: kind.name.to_owned(),
                control,
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
        schema: crate::result::compare::SCHEMA.to_owned(),
        version: VERSION,
        started_at_ms: NOW_MS,
        seconds: 900.0,
        complete: true,
        short: false,
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

fn search() -> Search {
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
        schema: crate::result::search::SCHEMA.to_owned(),
        version: VERSION,
        started_at_ms: NOW_MS,
        seconds: 600.0,
        complete: true,
        short: false,
        slo: Slo { latency_us_p99_max: 5_000, errors_share_max: 0.001, achieved_share_min: 0.995 },
        sides: sides.into(),
        environment: environment(),
    }
}

fn cold() -> Cold {
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
        schema: crate::result::cold::SCHEMA.to_owned(),
        version: VERSION,
        started_at_ms: NOW_MS,
        seconds: 120.0,
        complete: true,
        short: false,
        seed: 1,
        starts: 30,
        rungs,
        ratios,
        environment: environment(),
    }
}

fn memory() -> Memory {
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
        schema: crate::result::memory::SCHEMA.to_owned(),
        version: VERSION,
        started_at_ms: NOW_MS,
        seconds: 120.0,
        complete: true,
        short: false,
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
