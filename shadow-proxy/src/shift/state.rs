//! How far the shift has come: what the journal has, and what replicas agree on.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Legacy answers everybody; nothing moves until a person says so.
    Shadow,
    /// On a step of the plan; the next one follows when it may.
    Ramp,
    /// Stays at its weight until a person says more; the guards work.
    Held,
    /// Taken back; the weight may still be on its way down.
    RolledBack,
    /// The whole traffic, since this moment.
    Complete,
    /// The candidate answers everybody, legacy is the mirror.
    ReverseShadow,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Phase::Shadow => "shadow",
            Phase::Ramp => "ramp",
            Phase::Held => "held",
            Phase::RolledBack => "rolled-back",
            Phase::Complete => "complete",
            Phase::ReverseShadow => "reverse-shadow",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// One more with every change that is journalled.
    pub epoch: u64,
    pub phase: Phase,
    pub weight_ppm: u32,
    /// Of the plan, the one whose weight is in force; none before the first and for a weight set by hand.
    pub step: Option<usize>,
    /// When this step, or this weight, came into force.
    pub since_ms: u64,
    /// The candidate was found failing: only a person releases it.
    pub brake: bool,
    /// The step that a person approved, until then.
    pub approved: Option<usize>,
    pub approved_until_ms: u64,
}

impl State {
    pub fn start() -> State {
        State {
            epoch: 0,
            phase: Phase::Shadow,
            weight_ppm: 0,
            step: None,
            since_ms: 0,
            brake: false,
            approved: None,
            approved_until_ms: 0,
        }
    }

    /// What holds when two replicas, or a replica and a store, say different things without one having read the other:
    /// the brake before anything, then what was rolled back, then the lower weight, then the higher epoch.
    ///
    /// It is the greater of two in a total order, so it does not matter who is asked first, or how often. Whoever has
    /// read the other's state writes after it (compare and set) and needs no join: that is how a brake is released.
    pub fn join(&self, other: &State) -> State {
        if self.caution() >= other.caution() { self.clone() } else { other.clone() }
    }

    /// All fields, so that only equal states are equally cautious.
    fn caution(&self) -> impl Ord + use<> {
        let State { epoch, phase, weight_ppm, step, since_ms, brake, approved, approved_until_ms } = *self;
        let approval = Reverse((approved, approved_until_ms));
        (brake, phase == Phase::RolledBack, Reverse(weight_ppm), epoch, phase, step, since_ms, approval)
    }
}
