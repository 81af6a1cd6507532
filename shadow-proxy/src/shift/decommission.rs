//! May legacy be switched off?

use serde::{Deserialize, Serialize};

use super::evidence::{EndpointCount, lower_bound};
use super::gate::{Evidence, Verdict, grouped, percent};
use super::plan::{Plan, span};
use super::state::{Phase, State};
use super::step::{Decision, Input, Look, hold};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Farewell {
    pub verdict: Verdict,
    /// The worst first; for `go`, what was shown.
    pub reasons: Vec<String>,
}

/// Go: nobody has needed legacy for as long as the plan asks, and it still agrees. No-go: something has to be mended
/// first. Else time will tell.
pub fn judge(state: &State, plan: &Plan, input: &Input) -> Farewell {
    let mut against = objections(state, plan, &input.evidence);
    let mut missing = Vec::new();
    if state.phase != Phase::ReverseShadow {
        missing.push("the candidate does not answer everybody yet".to_owned());
    }
    // The look that cut over saw what was before it.
    let is_of_now = input.now_ms > state.since_ms;
    let needed = if is_of_now { input.live.served_legacy.saturating_add(input.live.rescued) } else { 0 };
    if state.phase == Phase::ReverseShadow && needed > 0 {
        against.push(format!("legacy had to answer {} requests since the cutover", grouped(needed)));
    }
    if input.live.breaches > 0 {
        against.insert(0, format!("{} breaches since the cutover", grouped(input.live.breaches)));
    }
    if input.evidence_failed {
        missing.push("the store cannot be read, so nobody knows how often the answers differ".to_owned());
    }
    if input.live.pairs == 0 {
        missing.push("nothing was compared since the cutover".to_owned());
    }
    let bake = plan.decommission_after_ms;
    let left = bake.saturating_sub(input.now_ms.saturating_sub(state.since_ms));
    if left > 0 && state.phase == Phase::ReverseShadow {
        missing.push(format!("in reverse shadow for {} of {}", span(bake - left), span(bake)));
    }
    match (against.is_empty(), missing.is_empty()) {
        (false, _) => Farewell { verdict: Verdict::NoGo, reasons: against },
        (true, false) => Farewell { verdict: Verdict::NotEnough, reasons: missing },
        (true, true) => {
            let shown = format!(
                "{} requests were compared since the cutover, and legacy had to answer none: it may be switched off",
                grouped(input.live.pairs)
            );
            Farewell { verdict: Verdict::Go, reasons: vec![shown] }
        }
    }
}

fn objections(state: &State, plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let total = EndpointCount::total(&evidence.endpoints);
    let present = plan.at(state.weight_ppm);
    let (budget, bound) = (present.budget(), lower_bound(total.counted_mismatches, total.counted, present.alpha()));
    let differ = (bound > budget).then(|| {
        format!(
            "at least {} of the requests are answered differently, and {} is what may be",
            percent(bound),
            percent(budget)
        )
    });
    differ.into_iter().collect()
}

pub(super) fn wait(look: &Look) -> Decision {
    hold(judge(look.state, look.plan, look.input).reasons)
}
