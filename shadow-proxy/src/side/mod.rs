//! Asking one of the two services: `Sides::call(side, &call) -> Leg`, whatever stands behind the side.

pub mod candidate;
pub mod headers;
pub mod legacy;
pub mod remote;

use std::sync::Arc;
use std::time::Instant;

use crate::exchange::{Call, Leg, Side};

use self::candidate::Embedded;
use self::legacy::Legacy;
use self::remote::Remote;

/// What answers as the candidate.
#[derive(Clone)]
pub enum Candidate {
    /// A component in this process.
    Embedded(Arc<Embedded>),
    /// A service elsewhere, `--candidate-url`.
    Remote(Remote),
}

impl Candidate {
    /// Whether a call may change something outside the candidate: a component has nothing to change.
    pub fn has_effects(&self) -> bool {
        matches!(self, Candidate::Remote(_))
    }
}

/// Both sides as one thread sees them: the legacy client's connections belong to the thread's own runtime.
#[derive(Clone)]
pub struct Sides {
    pub legacy: Legacy,
    pub candidate: Candidate,
}

impl Sides {
    /// Asks a side and waits for the whole answer.
    pub async fn call(&self, side: Side, call: &Call) -> Leg {
        let start = Instant::now();
        let outcome = match (side, &self.candidate) {
            (Side::Legacy, _) => self.legacy.call(call).await,
            (Side::Candidate, Candidate::Embedded(component)) => component.call(call).await,
            (Side::Candidate, Candidate::Remote(remote)) => remote.call(call).await,
        };
        Leg { outcome, latency: start.elapsed() }
    }
}
