//! One run, second by second.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use super::{Kind, NOW_MS};
use crate::random::SplitMix64;
use crate::result::attack::{Arrivals, Generator, Load, Quantiles, Resources, Run, Slice};
use crate::result::environment::Environment;
use crate::result::{Gate, Head, Side, VERSION, Validity, Verdict};

const SECONDS: u64 = 15;

pub(super) fn head(schema: &str, seconds: f64) -> Head {
    Head { schema: schema.to_owned(), version: VERSION, started_at_ms: NOW_MS, seconds, complete: true, short: false }
}

pub(super) fn side(kind: &Kind) -> Side {
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

pub(super) fn run(chance: &mut SplitMix64, kind: &Kind, rate: f64, slow: f64) -> Run {
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

pub(super) fn environment() -> Environment {
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
