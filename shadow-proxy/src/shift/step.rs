//! One look at a shift: what is known goes in, a finding with its reasons comes out, and the next state if it changes.

use serde::{Deserialize, Serialize};

use super::gate::{self, share};
use super::guards::{self, Alarm, Guarded, Urgency};
use super::needs::{self, Known, LEGACY_DOWN};
use super::observed::Observed;
use super::plan::{self, Plan, Step};
use super::state::{Phase, State};
use super::weight::ALL_PPM;
use super::{command, decommission};

/// All that is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Since the state's weight came into force, in this process and those before it.
    pub live: Observed,
    /// Of these, the last ten minutes or so, from the beginning of a minute: what gets worse is not hidden by what was
    /// good before. Empty where nobody counts it.
    #[serde(default)]
    pub recent: Observed,
    /// What the store has, of all times.
    pub evidence: gate::Evidence,
    /// The store could not be read.
    pub evidence_failed: bool,
    /// Legacy answered lately.
    pub legacy_up: bool,
    /// The share of the traffic that legacy is asked about anyway, served and mirrored: 0 to 1.
    pub legacy_load: f64,
    pub requests_per_minute: f64,
    /// The request path has stopped using the candidate already.
    pub braked: Option<Brake>,
    pub command: Option<Command>,
}

impl Input {
    /// Nothing was seen, and nothing is wrong.
    pub fn nothing(now_ms: u64) -> Input {
        Input {
            now_ms,
            live: Observed::default(),
            recent: Observed::default(),
            evidence: gate::Evidence::default(),
            evidence_failed: false,
            legacy_up: true,
            legacy_load: 1.0,
            requests_per_minute: 0.0,
            braked: None,
            command: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Brake {
    /// Of the last `of` calls of the candidate.
    Failing {
        failed: u64,
        of: u64,
    },
    Breach,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub verb: Verb,
    pub who: String,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    Advance,
    Hold,
    Resume,
    Approve,
    Rollback,
    /// Parts per million, by hand.
    Weight(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    Advance,
    Hold,
    RollBack,
}

impl Verb {
    pub fn name(self) -> &'static str {
        match self {
            Verb::Advance => "advance",
            Verb::Hold => "hold",
            Verb::Resume => "resume",
            Verb::Approve => "approve",
            Verb::Rollback => "rollback",
            Verb::Weight(_) => "weight",
        }
    }
}

impl Finding {
    pub fn words(self) -> &'static str {
        match self {
            Finding::Advance => "advance",
            Finding::Hold => "hold",
            Finding::RollBack => "roll back",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    pub name: String,
    /// The logarithm, to base 10, of the evidence; or a bound.
    pub statistic: f64,
    pub threshold: f64,
    pub says: Finding,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub finding: Finding,
    /// The worst first: sentences with numbers.
    pub reasons: Vec<String>,
    pub tests: Vec<TestResult>,
    /// None: nothing changes, nothing is journalled.
    pub next: Option<State>,
}

/// Total: whatever comes in, something is decided, and nothing raises the weight but evidence or a person.
pub fn step(state: &State, plan: &Plan, input: &Input) -> Decision {
    let Guarded { tests, alarms, split } = guards::look(state, plan, input);
    let mut decision = match alarms.iter().any(|alarm| input.legacy_up || alarm.urgency == Urgency::Breach) {
        true if state.phase != Phase::RolledBack => take_back(state, input, &alarms),
        _ => {
            let look = Look { state, plan, input, alarms: &alarms, split: split.as_deref() };
            input.command.as_ref().map_or_else(|| look.tick(), |command| command::obey(&look, command))
        }
    };
    decision.tests.splice(0..0, tests);
    decision
}

/// A guard goes before any command: whoever gave one is told.
fn take_back(state: &State, input: &Input, alarms: &[Alarm]) -> Decision {
    let braked = input.braked.is_some();
    let urgent = alarms.iter().any(|alarm| alarm.urgency != Urgency::Worse);
    let next = back(state, input, urgent, braked);
    let mut reasons: Vec<String> = alarms.iter().map(|alarm| alarm.reason.clone()).collect();
    reasons.push(going(state, &next));
    reasons.extend(input.command.iter().map(|command| {
        format!("`{}` by {} came too late: the traffic is being taken back", command.verb.name(), command.who)
    }));
    Decision { finding: Finding::RollBack, reasons, tests: Vec::new(), next: Some(next) }
}

/// To 0 at once where it is urgent or legacy is warm, else half of the way.
pub(super) fn back(state: &State, input: &Input, urgent: bool, braked: bool) -> State {
    let at_once = urgent || input.legacy_load >= WARM;
    State {
        epoch: state.epoch.saturating_add(1),
        phase: Phase::RolledBack,
        weight_ppm: if at_once { 0 } else { half(state.weight_ppm) },
        step: None,
        since_ms: input.now_ms,
        brake: state.brake || braked,
        approved: None,
        approved_until_ms: 0,
    }
}

pub(super) fn going(from: &State, to: &State) -> String {
    if from.weight_ppm == 0 {
        return "the weight is 0 and stays it".to_owned();
    }
    let [from, now] = [from, to].map(|state| share(state.weight_ppm));
    match to.weight_ppm {
        0 => format!("the weight goes from {from} to 0"),
        _ => format!("the weight goes from {from} to {now}, then on to 0: legacy gets used to the load"),
    }
}

/// Below a hundredth of the traffic the rest is no load.
fn half(weight_ppm: u32) -> u32 {
    Some(weight_ppm / 2).filter(|half| *half >= 10_000).unwrap_or(0)
}

/// Asked about so much of the traffic, legacy can take all of it.
const WARM: f64 = 0.5;

/// One look, as the parts of it see it.
pub(super) struct Look<'a> {
    pub state: &'a State,
    pub plan: &'a Plan,
    pub input: &'a Input,
    /// Those that cannot be followed, because nobody else would answer.
    pub alarms: &'a [Alarm],
    pub split: Option<&'a str>,
}

impl Look<'_> {
    fn tick(&self) -> Decision {
        let Look { state, alarms, .. } = self;
        match state.phase {
            Phase::RolledBack if state.weight_ppm > 0 => self.go_down(),
            _ if !alarms.is_empty() => {
                let nobody = "legacy does not answer either, so nothing is taken back".to_owned();
                hold(alarms.iter().map(|alarm| alarm.reason.clone()).chain([nobody]))
            }
            Phase::RolledBack if state.brake => hold(["the brake is on; `resume` or `advance` releases it".to_owned()]),
            Phase::Shadow | Phase::RolledBack => self.wait_for_a_start(),
            Phase::Held => {
                let held = format!("held at {}; `resume` goes on with the plan", self.share());
                let down = (!self.input.legacy_up).then(|| LEGACY_DOWN.to_owned());
                hold(down.into_iter().chain(self.split.map(str::to_owned)).chain([held]))
            }
            Phase::Ramp => self.ramp(),
            Phase::Complete => {
                let reason = "the candidate answers everybody; legacy is the mirror from now on".to_owned();
                let phase = Phase::ReverseShadow;
                self.to(Finding::Advance, vec![reason], State { phase, ..self.same() })
            }
            Phase::ReverseShadow => decommission::wait(self),
        }
    }

    fn go_down(&self) -> Decision {
        let Look { state, plan, input, alarms, .. } = self;
        let urgent = state.brake || input.braked.is_some() || alarms.iter().any(|a| a.urgency == Urgency::Breach);
        if !input.legacy_up && !urgent {
            return hold([format!("legacy does not answer, so the weight stays at {} on its way down", self.share())]);
        }
        if !urgent && input.legacy_load < WARM && self.dwelt() < plan.rollback_every_ms {
            return hold([format!("on its way down, at {}", self.share())]);
        }
        let next = back(state, input, urgent, input.braked.is_some());
        self.to(Finding::RollBack, vec![going(state, &next)], next)
    }

    /// However good the evidence: a person starts.
    fn wait_for_a_start(&self) -> Decision {
        let known = self.plan.steps.first().map(|first| needs::before(first, self.state, self.plan, self.input));
        let Known { tests, missing, shown } = known.unwrap_or_default();
        let start = self.plan.steps.first().map_or_else(
            || "the plan has no steps".to_owned(),
            |step| format!("`advance` starts with {}", share(step.weight_ppm)),
        );
        let reasons = if missing.is_empty() { [vec![start], shown].concat() } else { missing };
        Decision { tests, ..hold(reasons) }
    }

    fn ramp(&self) -> Decision {
        let Look { state, plan, input, .. } = self;
        if let Some(split) = self.split {
            return self.to(Finding::Hold, vec![split.to_owned()], State { phase: Phase::Held, ..self.same() });
        }
        if input.now_ms < state.since_ms {
            let back = plan::span(state.since_ms - input.now_ms);
            return hold([format!("the clock is {back} behind the time at which this weight came into force")]);
        }
        let Some(present) = self.present() else {
            let reason = format!("the plan has no step at {}; `resume` goes on from the one below", self.share());
            return self.to(Finding::Hold, vec![reason], State { phase: Phase::Held, ..self.same() });
        };
        let Some(index) = plan.step_above(state.weight_ppm) else {
            return hold([format!("the plan ends at {}", self.share())]);
        };
        let next = &plan.steps[index];
        let mut known = needs::before(next, state, plan, input);
        known.missing.extend(self.not_yet(present, index));
        if known.missing.is_empty() {
            return self.raise(index, known, None);
        }
        let mut decision = hold(known.missing);
        if self.dwelt() >= present.max_dwell_ms {
            let reason = format!(
                "at {} for {} and {} was not reached; mend what is missing, then `resume`",
                self.share(),
                plan::span(self.dwelt()),
                share(next.weight_ppm)
            );
            decision.reasons.insert(0, reason);
            decision.next = Some(State { phase: Phase::Held, ..self.same() });
        }
        Decision { tests: known.tests, ..decision }
    }

    /// What has nothing to do with evidence.
    fn not_yet(&self, present: &Step, next: usize) -> impl Iterator<Item = String> {
        let Look { state, plan, input, .. } = self;
        let wait = present.min_dwell_ms.saturating_sub(self.dwelt());
        let dwell = (wait > 0)
            .then(|| format!("at this weight for {}, another {} to go", plan::span(self.dwelt()), plan::span(wait)));
        let is_approved = state.approved == Some(next) && input.now_ms < state.approved_until_ms;
        let approval = (plan.steps[next].approval && !is_approved)
            .then(|| format!("{} waits for `approve`", share(plan.steps[next].weight_ppm)));
        dwell.into_iter().chain(approval).chain(plan.closed(&plan.steps[next], input.now_ms))
    }

    /// Takes a step for which everything is known; `who` did, or nobody needed to.
    pub(super) fn raise(&self, index: usize, known: Known, by: Option<String>) -> Decision {
        let weight_ppm = self.plan.steps[index].weight_ppm;
        let next = State {
            phase: if weight_ppm == ALL_PPM { Phase::Complete } else { Phase::Ramp },
            weight_ppm,
            step: Some(index),
            since_ms: self.input.now_ms,
            brake: false,
            approved: None,
            approved_until_ms: 0,
            ..self.same()
        };
        let step = format!("from {} to {}", self.share(), share(weight_ppm));
        let reasons = by.into_iter().chain([step]).chain(known.shown).collect();
        Decision { tests: known.tests, ..self.to(Finding::Advance, reasons, next) }
    }

    pub(super) fn to(&self, finding: Finding, reasons: Vec<String>, next: State) -> Decision {
        Decision { finding, reasons, tests: Vec::new(), next: Some(next) }
    }

    /// With the number of the next change.
    pub(super) fn same(&self) -> State {
        State { epoch: self.state.epoch.saturating_add(1), ..self.state.clone() }
    }

    /// The step that is in force. The plan may be another one than when it came into force.
    fn present(&self) -> Option<&Step> {
        self.plan.steps.iter().find(|step| step.weight_ppm == self.state.weight_ppm)
    }

    /// 0 when the clock went backwards.
    pub(super) fn dwelt(&self) -> u64 {
        self.input.now_ms.saturating_sub(self.state.since_ms)
    }

    pub(super) fn share(&self) -> String {
        share(self.state.weight_ppm)
    }
}

pub(super) fn hold(reasons: impl IntoIterator<Item = String>) -> Decision {
    let reasons = reasons.into_iter().collect();
    Decision { finding: Finding::Hold, reasons, tests: Vec::new(), next: None }
}

#[cfg(test)]
mod tests;
