//! SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>): the severities are its rules, each finding a result.

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::exchange::Severity;
use crate::shadow::noise::Status;
use crate::show::finding::Finding;

use super::{CREATOR, Export, Report};

pub struct Sarif;

impl Export for Sarif {
    fn export(&self, report: &Report) -> anyhow::Result<String> {
        let (name, version) = CREATOR;
        let rules =
            RULES.map(|(severity, text)| Rule { id: severity.name(), short_description: Text { text: text.into() } });
        let log = Log {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            runs: [Run {
                tool: Tool { driver: Driver { name, version, rules } },
                results: report.findings.iter().map(result).collect(),
            }],
        };
        Ok(format!("{:#}\n", serde_json::to_value(log)?))
    }
}

const RULES: [(Severity, &str); 4] = [
    (Severity::Breach, "The candidate lets in whom legacy refuses"),
    (Severity::Lockout, "The candidate refuses whom legacy lets in"),
    (Severity::High, "Another status, or a part of the body is gone or of another type"),
    (Severity::Low, "Another value or header"),
];

fn result(finding: &Finding) -> Outcome {
    let Finding { id, endpoint, path, kind, status, severity, count, pairs, rate, upper_bound, .. } = finding;
    Outcome {
        rule_id: severity.name(),
        kind: if *status == Status::Finding { "fail" } else { "review" },
        level: match (status, severity) {
            (Status::Finding, Severity::Breach | Severity::Lockout) => "error",
            (Status::Finding, _) => "warning",
            // Of a result that is no failure.
            _ => "none",
        },
        message: Text { text: format!("{endpoint}: {}", finding.sentence) },
        locations: [Location {
            logical_locations: [LogicalLocation {
                name: path.clone(),
                fully_qualified_name: format!("{endpoint} {path}"),
            }],
        }],
        occurrence_count: *count,
        partial_fingerprints: Fingerprints { finding: fingerprint(finding) },
        suppressions: finding
            .rule
            .iter()
            .map(|rule| Suppression { kind: "external", justification: rule.clone() })
            .collect(),
        properties: json!({
            "id": id, "kind": kind, "status": status, "pairs": pairs, "rate": rate, "upper_bound": upper_bound,
            "first_seen_ms": finding.first_seen_ms, "last_seen_ms": finding.last_seen_ms, "curl": finding.curl,
        }),
    }
}

/// The same for the same finding in every store.
fn fingerprint(finding: &Finding) -> String {
    let Finding { endpoint, path, kind, classes, severity, rule, .. } = finding;
    let digest = Sha256::digest(json!([endpoint, path, kind, classes, severity, rule]).to_string());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
struct Run {
    tool: Tool,
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: [Rule; 4],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
}

/// A result, whose name is taken.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: &'static str,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    occurrence_count: u64,
    partial_fingerprints: Fingerprints,
    suppressions: Vec<Suppression>,
    properties: serde_json::Value,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    logical_locations: [LogicalLocation; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "finding/v1")]
    finding: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}
