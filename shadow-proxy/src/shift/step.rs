//! One look at a shift: what is known goes in, a finding with its reasons comes out, and the next state if it changes.

use serde::{Deserialize, Serialize};

use super::gate;
use super::observed::Observed;
use super::plan::Plan;
use super::state::{Phase, State};

/// All that is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Since the state's weight came into force; after a restart, since the restart.
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
    let _ = plan;
    let decided = |finding, reason: String, next| Decision { finding, reasons: vec![reason], tests: Vec::new(), next };
    let set = |phase, weight_ppm| {
        let epoch = state.epoch + 1;
        Some(State { epoch, phase, weight_ppm, step: None, since_ms: input.now_ms, ..state.clone() })
    };
    match &input.command {
        Some(Command { verb: Verb::Weight(ppm), who, why }) => {
            let phase = if *ppm == 0 { Phase::Shadow } else { Phase::Held };
            decided(Finding::Hold, format!("{who} set the weight to {ppm} ppm: {why}"), set(phase, *ppm))
        }
        Some(Command { verb: Verb::Rollback, who, why }) => {
            decided(Finding::RollBack, format!("{who} rolled back: {why}"), set(Phase::RolledBack, 0))
        }
        _ => decided(Finding::Hold, "nothing moves".to_owned(), None),
    }
}
