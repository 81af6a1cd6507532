//! The page at `/`: the state at a glance, without scripts and without anything from elsewhere.

use maud::{DOCTYPE, Markup, html};

use crate::metrics::{Percentiles, Snapshot};

use crate::shadow::noise::Status;
use crate::shift::state::State;
use crate::shift::step::Decision;

use super::finding::Finding;

const FINDINGS_MAX: usize = 20;

pub fn page(state: &State, decision: &Decision, now: &Snapshot, findings: &[Finding]) -> Markup {
    let reason = decision.reasons.first();
    let requests = &now.requests;
    let decided = |cell: &str| now.decisions.get(cell).copied().unwrap_or(0);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content="5";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "shadow-proxy" }
                style { (STYLE) }
            }
            body {
                h1 { "shadow-proxy" }
                p { "Phase " strong { (state.phase.name()) } ", the candidate's weight is " strong { (state.weight_ppm) " ppm" } "." }
                @if state.brake { p.bad { "The brake is on: the candidate was found failing, and only a person goes on." } }
                p { (decision.finding.words()) @if let Some(reason) = reason { ": " (reason) } }
                h2 { "Would the candidate decide the same?" }
                table {
                    tr { th {} th { "candidate allows" } th { "candidate denies" } }
                    tr { th { "legacy allows" } td { (decided("allow_allow")) } td.bad[decided("allow_deny") > 0] { (decided("allow_deny")) " lockouts" } }
                    tr { th { "legacy denies" } td.bad[decided("deny_allow") > 0] { (decided("deny_allow")) " breaches" } td { (decided("deny_deny")) } }
                }
                p { (decided("other")) " exchanges in which at least one side decided nothing." }
                h2 { "Where every request is" }
                table {
                    (count("received", requests.received))
                    (count("being served", requests.serving))
                    (count("mirrored", requests.mirrored))
                    @for (reason, skipped) in requests.skipped.iter().filter(|(_, count)| **count > 0) { (count(&format!("not mirrored: {reason}"), *skipped)) }
                    @for (reason, dropped) in requests.dropped.iter().filter(|(_, count)| **count > 0) { (count(&format!("dropped: {reason}"), *dropped)) }
                    (count("compared", requests.compared))
                    @for (reason, failed) in &requests.not_comparable { (count(&format!("not comparable: {reason}"), *failed)) }
                    (count("being compared", requests.in_flight))
                    (count("rescued by legacy", requests.rescued))
                    (count("unanswered", requests.unanswered))
                    @for (verdict, number) in &now.verdicts { (count(&format!("verdict: {verdict}"), *number)) }
                }
                h2 { "How long each side takes" }
                table {
                    tr { th {} th { "p50" } th { "p95" } th { "p99" } th { "p99.9" } }
                    (latency("legacy", &now.latency.legacy))
                    (latency("candidate", &now.latency.candidate))
                }
                h2 { "Findings" }
                @if findings.is_empty() { p { "None so far." } }
                @for finding in findings.iter().take(FINDINGS_MAX) {
                    p.bad[finding.status == Status::Finding] {
                        (finding.count) " of " (finding.pairs) " · " (finding.endpoint) " · " (finding.sentence)
                        @match (&finding.rule, finding.status) {
                            (Some(rule), _) => { " · explained by " (rule) }
                            (None, Status::Finding) => {}
                            (None, status) => { " · " (status.name()) }
                        }
                    }
                    @if let Some(curl) = &finding.curl { pre { (curl) } }
                }
                @if findings.len() > FINDINGS_MAX { p { (findings.len() - FINDINGS_MAX) " more: shadow-proxy diffs" } }
            }
        }
    }
}

fn count(name: &str, number: u64) -> Markup {
    html! { tr { th { (name) } td { (number) } } }
}

fn latency(side: &str, latency: &Percentiles) -> Markup {
    let Percentiles { p50_us, p95_us, p99_us, p999_us } = latency;
    html! { tr { th { (side) } @for us in [p50_us, p95_us, p99_us, p999_us] { td { (us) " µs" } } } }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse}th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}th:first-child{text-align:left}\
.bad{font-weight:600;border-left:4px solid #b00020;padding-left:.6rem}pre{overflow-x:auto;background:#f4f4f4;padding:.5rem}";
