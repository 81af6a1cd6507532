//! What a person asks for: done, or refused with what to do instead.

use super::gate::{grouped, share};
use super::needs;
use super::plan::{HOUR_MS, Plan};
use super::state::{Phase, State};
use super::step::{Command, Decision, Finding, Look, Verb, back, going, hold};
use super::weight::ALL_PPM;

/// How long an approval holds.
const APPROVAL_MS: u64 = 24 * HOUR_MS;

pub(super) fn obey(look: &Look, command: &Command) -> Decision {
    match command.verb {
        Verb::Advance => advance(look, command),
        Verb::Hold => stay(look, command),
        Verb::Resume => resume(look, command),
        Verb::Approve => approve(look, command),
        Verb::Rollback => rollback(look, command),
        Verb::Weight(weight_ppm) => by_hand(look, command, weight_ppm),
    }
}

/// The next step now, without its dwell and its approval: the person is the approval. What has to be known stays.
fn advance(look: &Look, command: &Command) -> Decision {
    let (state, plan, input) = (look.state, look.plan, look.input);
    match state.phase {
        Phase::Complete | Phase::ReverseShadow => {
            return refused(command, ["the candidate answers everybody already".to_owned()]);
        }
        Phase::RolledBack if state.weight_ppm > 0 => return refused(command, [still_going_down(look)]),
        _ => {}
    }
    let Some(index) = plan.step_above(state.weight_ppm) else {
        return refused(command, [format!("the plan has no step above {}", look.share())]);
    };
    let known = needs::before(&plan.steps[index], state, plan, input);
    let missing: Vec<String> = known
        .missing
        .iter()
        .cloned()
        .chain(look.split.map(str::to_owned))
        .chain(plan.closed(&plan.steps[index], input.now_ms))
        .collect();
    if missing.is_empty() {
        return look.raise(index, known, Some(said(command)));
    }
    Decision { tests: known.tests, ..refused(command, missing) }
}

fn stay(look: &Look, command: &Command) -> Decision {
    match look.state.phase {
        Phase::Ramp => {
            let reasons = vec![said(command), format!("held at {}", look.share())];
            look.to(Finding::Hold, reasons, State { phase: Phase::Held, ..look.same() })
        }
        Phase::Held => refused(command, [format!("it is held at {} already", look.share())]),
        Phase::RolledBack if look.state.weight_ppm > 0 => refused(command, [still_going_down(look)]),
        Phase::Shadow | Phase::RolledBack => refused(command, ["the weight is 0; `advance` starts".to_owned()]),
        Phase::Complete | Phase::ReverseShadow => {
            refused(command, ["there is no further step to hold back; `rollback` takes the traffic back".to_owned()])
        }
    }
}

fn resume(look: &Look, command: &Command) -> Decision {
    let (state, plan) = (look.state, look.plan);
    match state.phase {
        Phase::RolledBack if state.weight_ppm > 0 => refused(command, [still_going_down(look)]),
        Phase::RolledBack => {
            let start = "`advance` starts again with the first step".to_owned();
            let released = state.brake.then(|| "the brake is released".to_owned());
            let reasons = [said(command)].into_iter().chain(released).chain([start]).collect();
            let next = State { phase: Phase::Shadow, brake: false, since_ms: look.input.now_ms, ..look.same() };
            look.to(Finding::Hold, reasons, next)
        }
        Phase::Held => match plan.step_at(state.weight_ppm) {
            None => refused(
                command,
                [format!("the plan has no step at or below {}; `advance` takes the first", look.share())],
            ),
            Some(index) => go_on(look, command, plan, index),
        },
        Phase::Shadow => refused(command, ["nothing was held; `advance` starts".to_owned()]),
        _ => refused(command, [format!("it is not held, but goes on at {}", look.share())]),
    }
}

/// From a weight between two steps it is the lower one. The dwell begins again, and with it the evidence of this weight.
fn go_on(look: &Look, command: &Command, plan: &Plan, index: usize) -> Decision {
    let weight_ppm = plan.steps[index].weight_ppm;
    let next = State {
        phase: if weight_ppm == ALL_PPM { Phase::Complete } else { Phase::Ramp },
        weight_ppm,
        step: Some(index),
        since_ms: look.input.now_ms,
        brake: false,
        ..look.same()
    };
    let reason = format!("the plan goes on from {}", share(weight_ppm));
    look.to(Finding::Hold, vec![said(command), reason], next)
}

fn approve(look: &Look, command: &Command) -> Decision {
    let state = look.state;
    if !matches!(state.phase, Phase::Ramp | Phase::Held) {
        return refused(command, ["only a step after the first can be approved; `advance` takes the first".to_owned()]);
    }
    let Some(index) = look.plan.step_above(state.weight_ppm) else {
        return refused(command, [format!("the plan has no step above {}", look.share())]);
    };
    let share = share(look.plan.steps[index].weight_ppm);
    let reasons = vec![said(command), format!("{share} may be reached within 24 hours")];
    let approved_until_ms = look.input.now_ms.saturating_add(APPROVAL_MS);
    look.to(Finding::Hold, reasons, State { approved: Some(index), approved_until_ms, ..look.same() })
}

/// A person is obeyed also when legacy does not seem to answer.
fn rollback(look: &Look, command: &Command) -> Decision {
    let state = look.state;
    if state.phase == Phase::RolledBack && state.weight_ppm == 0 {
        return refused(command, ["everything is taken back already".to_owned()]);
    }
    // Whoever says it again while the weight is on its way down means at once.
    let next = back(state, look.input, state.phase == Phase::RolledBack || state.weight_ppm == 0, false);
    let doubt = (!look.input.legacy_up && state.weight_ppm > 0)
        .then(|| "legacy did not answer lately: see that somebody does".to_owned());
    let reasons = [said(command), going(state, &next)].into_iter().chain(doubt).collect();
    look.to(Finding::RollBack, reasons, next)
}

fn by_hand(look: &Look, command: &Command, weight_ppm: u32) -> Decision {
    let (state, plan, input) = (look.state, look.plan, look.input);
    if weight_ppm > ALL_PPM {
        return refused(command, [format!("{} ppm is more than the whole traffic", grouped(weight_ppm.into()))]);
    }
    if state.brake {
        return refused(command, ["the brake is on; `resume` releases it".to_owned()]);
    }
    let is_same = weight_ppm == state.weight_ppm;
    let next = State {
        phase: if weight_ppm == 0 { Phase::Shadow } else { Phase::Held },
        weight_ppm,
        step: None,
        since_ms: if is_same { state.since_ms } else { input.now_ms },
        approved: None,
        approved_until_ms: 0,
        ..look.same()
    };
    let share = share(weight_ppm);
    let verb = if weight_ppm == 0 { "`advance` starts again" } else { "`resume` goes on" };
    let set = format!("from {} to {share} by hand; {verb} with the plan", look.share());
    let unknown = (weight_ppm > state.weight_ppm).then(|| plan.step_at(weight_ppm).unwrap_or(0)).and_then(|index| {
        let missing = needs::before(plan.steps.get(index)?, state, plan, input).missing;
        missing.into_iter().next().map(|missing| format!("the plan would have waited: {missing}"))
    });
    look.to(Finding::Hold, [said(command), set].into_iter().chain(unknown).collect(), next)
}

fn still_going_down(look: &Look) -> String {
    format!("the weight is still on its way down, at {}; wait until it is 0", look.share())
}

fn said(command: &Command) -> String {
    format!("`{}` by {}: {}", command.verb.name(), command.who, command.why)
}

fn refused(command: &Command, reasons: impl IntoIterator<Item = String>) -> Decision {
    let refused = format!("`{}` by {} is refused", command.verb.name(), command.who);
    hold([refused].into_iter().chain(reasons))
}
