//! What shadow-proxy says about equivalence: `gate --json` (or `GET /api/gate`) and `status --json` (or
//! `GET /api/status`), of which only what is shown is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::contents::{Decision, EndpointShown};

#[derive(Debug, Deserialize)]
pub(super) struct Gate {
    verdict: String,
    reasons: Vec<String>,
    breaches: u64,
    lockouts: u64,
    coverage: Option<f64>,
    pairs: u64,
    counted: u64,
    counted_mismatches: u64,
    rate: Rate,
    rate_max: f64,
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Deserialize)]
struct Rate {
    upper_bound: f64,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    endpoint: String,
    pairs: u64,
    counted: u64,
    counted_mismatches: u64,
    rate: Rate,
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    requests: Requests,
    verdicts: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Requests {
    received: u64,
    mirrored: u64,
    compared: u64,
    skipped: BTreeMap<String, u64>,
    dropped: BTreeMap<String, u64>,
    not_comparable: BTreeMap<String, u64>,
}

/// # Errors
/// It is not there, or says something else.
pub(super) fn read<T: DeserializeOwned>(file: &Path, option: &str, command: &str) -> Result<T, String> {
    let shown = file.display();
    let text = fs::read(file).map_err(|error| format!("cannot read {shown}: {error}; correct {option}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("{shown}: {error}; write it with `{command}`"))
}

pub(super) fn decision(gate: Gate, status: Option<Status>) -> Decision {
    Decision {
        verdict: gate.verdict,
        reasons: gate.reasons,
        breaches: gate.breaches,
        lockouts: gate.lockouts,
        coverage: gate.coverage,
        pairs: gate.pairs,
        counted: gate.counted,
        counted_mismatches: gate.counted_mismatches,
        rate_upper_bound: gate.rate.upper_bound,
        rate_max: gate.rate_max,
        endpoints: gate.endpoints.into_iter().map(endpoint).collect(),
        requests: status.map(account).unwrap_or_default(),
    }
}

fn endpoint(Endpoint { endpoint, pairs, counted, counted_mismatches, rate }: Endpoint) -> EndpointShown {
    EndpointShown { endpoint, pairs, counted, counted_mismatches, rate_upper_bound: rate.upper_bound }
}

fn account(Status { requests, verdicts }: Status) -> Vec<(String, u64)> {
    let Requests { received, mirrored, compared, skipped, dropped, not_comparable } = requests;
    let reasons = |what: &str, by_reason: BTreeMap<String, u64>| {
        let named = by_reason.into_iter().filter(|(_, count)| *count > 0);
        named.map(|(reason, count)| (format!("{what}: {}", reason.replace('_', " ")), count)).collect::<Vec<_>>()
    };
    let counted = [("received".to_owned(), received), ("mirrored".to_owned(), mirrored)];
    counted
        .into_iter()
        .chain(reasons("not mirrored", skipped))
        .chain(reasons("dropped", dropped))
        .chain([("compared".to_owned(), compared)])
        .chain(reasons("not comparable", not_comparable))
        .chain(reasons("verdict", verdicts))
        .collect()
}
