//! The plan of a shift: its steps, and what has to be shown for each.

use serde::{Deserialize, Serialize};

use super::gate;
use super::weight::ALL_PPM;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub weight_ppm: u32,
    /// The rate of mismatches that must be excluded before this step.
    pub mismatch_ppm: u32,
    /// How long this weight is in force before the next step may follow, and when a person is asked why it does not.
    pub min_dwell_ms: u64,
    pub max_dwell_ms: u64,
    /// A person has to approve this step.
    pub approval: bool,
}

/// When steps may be taken: UTC, days from Monday, minutes of the day. `until` not after `from` goes over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub days: [bool; 7],
    pub from_minute: u16,
    pub until_minute: u16,
}

/// When no step is taken: from, and before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub from_ms: u64,
    pub until_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Rising weights, the last of them the whole traffic.
    pub steps: Vec<Step>,
    /// What the gate asks for besides the step's own mismatch budget.
    pub gate: gate::Policy,
    /// How much more often than legacy the candidate may fail, as a share of all requests.
    pub error_margin: f64,
    /// How much slower it may be, as a share of legacy's time; and the time from which an answer counts as none.
    pub latency_margin: f64,
    pub latency_cap_ms: u64,
    /// With which a step is known to be safe.
    pub confidence: f64,
    /// None: always.
    pub windows: Vec<Window>,
    pub freezes: Vec<Freeze>,
    /// The weight halves so often while it goes down.
    pub rollback_every_ms: u64,
    /// In reverse shadow, before legacy may be switched off.
    pub decommission_after_ms: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            steps: steps(),
            gate: gate::Policy::default(),
            error_margin: 0.002,
            latency_margin: 0.25,
            latency_cap_ms: 1_000,
            confidence: 0.95,
            windows: Vec::new(),
            freezes: Vec::new(),
            rollback_every_ms: 10_000,
            decommission_after_ms: 7 * DAY_MS,
        }
    }
}

impl Plan {
    /// Of the steps not above a weight the largest.
    pub fn step_at(&self, weight_ppm: u32) -> Option<usize> {
        self.steps.iter().rposition(|step| step.weight_ppm <= weight_ppm)
    }

    /// The policy of the gate before a step.
    pub fn policy(&self, step: &Step) -> gate::Policy {
        gate::Policy { mismatch_ppm_max: step.mismatch_ppm, alpha: 1.0 - self.confidence, ..self.gate.clone() }
    }
}

pub const MINUTE_MS: u64 = 60_000;
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// For a service in which a wrong answer is a person let in or kept out.
fn steps() -> Vec<Step> {
    let steps = [
        (1_000, 1_000, 10 * MINUTE_MS),
        (10_000, 1_000, 30 * MINUTE_MS),
        (50_000, 300, HOUR_MS),
        (250_000, 100, 2 * HOUR_MS),
        (500_000, 100, 4 * HOUR_MS),
        (ALL_PPM, 100, 0),
    ];
    steps
        .map(|(weight_ppm, mismatch_ppm, min_dwell_ms)| Step {
            weight_ppm,
            mismatch_ppm,
            min_dwell_ms,
            max_dwell_ms: 7 * DAY_MS,
            approval: false,
        })
        .to_vec()
}
