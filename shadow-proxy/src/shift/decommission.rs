//! May legacy be switched off? Pure: what was seen since the candidate answers everybody goes in, a verdict comes out.

use serde::{Deserialize, Serialize};

use super::gate::{Judgement, Verdict};
use super::observed::Observed;
use super::plan::{DAY_MS, HOUR_MS, Plan};
use super::state::{Phase, State};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decommission {
    pub verdict: Verdict,
    /// The worst first; for `go`, what was shown.
    pub reasons: Vec<String>,
    /// In reverse shadow.
    pub days: f64,
    pub seen: Observed,
}

/// `seen` is everything since the state's weight came into force, over all restarts.
pub fn decommission(state: &State, plan: &Plan, seen: Observed, gate: &Judgement, now_ms: u64) -> Decommission {
    let for_ms = now_ms.saturating_sub(state.since_ms);
    let days = for_ms as f64 / DAY_MS as f64;
    let against = objections(state, &seen, gate);
    let missing = gaps(state, plan, &seen, for_ms);
    let (verdict, reasons) = match (against.is_empty(), missing.is_empty()) {
        (false, _) => (Verdict::NoGo, against),
        (true, false) => (Verdict::NotEnough, missing),
        (true, true) => {
            let shown = format!(
                "{days:.1} days in reverse shadow, {} requests, none of them answered by legacy, {} compared and no finding against it",
                seen.served_candidate, seen.pairs
            );
            (Verdict::Go, vec![shown])
        }
    };
    Decommission { verdict, reasons, days, seen }
}

fn objections(state: &State, seen: &Observed, gate: &Judgement) -> Vec<String> {
    let mut against = Vec::new();
    if state.brake || state.phase == Phase::RolledBack {
        against.push("the candidate was taken back; find out why before anything else".to_owned());
    }
    if seen.breaches > 0 {
        against.push(format!("{} breaches since the candidate answers everybody", seen.breaches));
    }
    let by_legacy = seen.served_legacy + seen.rescued;
    if state.phase == Phase::ReverseShadow && by_legacy > 0 {
        against.push(format!(
            "{by_legacy} requests were answered by legacy since the candidate answers everybody ({} of them because it failed); `shadow-proxy status` says which kind",
            seen.rescued
        ));
    }
    if gate.verdict == Verdict::NoGo {
        against.extend(gate.reasons.iter().cloned());
    }
    against
}

fn gaps(state: &State, plan: &Plan, seen: &Observed, for_ms: u64) -> Vec<String> {
    let mut missing = Vec::new();
    if state.phase != Phase::ReverseShadow {
        missing.push(format!(
            "the phase is {}; legacy may go only after reverse shadow, when the candidate has answered everybody",
            state.phase.name()
        ));
        return missing;
    }
    if for_ms < plan.decommission_after_ms {
        let hours = |ms: u64| ms.div_ceil(HOUR_MS);
        missing.push(format!(
            "in reverse shadow for {} hours, and {} are wanted; {} more",
            for_ms / HOUR_MS,
            hours(plan.decommission_after_ms),
            hours(plan.decommission_after_ms - for_ms)
        ));
    }
    if seen.pairs == 0 {
        missing.push("nothing was compared since the candidate answers everybody; is the mirror on?".to_owned());
    }
    missing
}
