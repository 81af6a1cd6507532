//! Made-up results in the shape of real ones, for tests: two services, of which one is quicker, with bars beside them.

mod compared;
mod further;
mod run;

use super::assemble::{self, Beside};
use super::contents::Report;
use super::evidence;
use crate::claims::Claims;
use crate::cost;
use crate::measured::Measured;
use compared::compare;
use further::{cold, memory, search};

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
