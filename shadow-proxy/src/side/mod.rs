//! Asking one of the two services: `Sides::call(side, &call) -> Leg`, whatever stands behind the side.

pub mod candidate;
pub mod headers;
pub mod legacy;
pub mod remote;
pub mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::now_ms;
use crate::exchange::{Answer, Call, Failed, Failure, Leg, Side};

use self::candidate::{Embedded, Moment};
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
    /// Asks a side as if it were so late by the clock, in milliseconds since the Unix epoch. Only a component can be
    /// told the time; any other side is asked as usual.
    pub async fn call_at(&self, side: Side, call: &Call, time_ms: u64) -> Leg {
        let (Side::Candidate, Candidate::Embedded(component)) = (side, &self.candidate) else {
            return self.call(side, call).await;
        };
        let start = Instant::now();
        let moment = Moment { time: Duration::from_millis(time_ms), seed: 0 };
        let asked = component.call_to_compare(call, Some(moment)).await.and_then(final_answer);
        Leg::of(asked, time_ms, start.elapsed())
    }

    /// Asks a side and waits for the whole answer.
    pub async fn call(&self, side: Side, call: &Call) -> Leg {
        let (begun_ms, start) = (now_ms(), Instant::now());
        let asked = match (side, &self.candidate) {
            (Side::Legacy, _) => self.legacy.call(call).await,
            (Side::Candidate, Candidate::Embedded(component)) => component.call_to_compare(call, None).await,
            (Side::Candidate, Candidate::Remote(remote)) => remote.call(call).await,
        };
        Leg::of(asked.and_then(final_answer), begun_ms, start.elapsed())
    }
}

/// An interim answer is none to end with, and no server could send it as one.
fn final_answer(answer: Answer) -> Result<Answer, Failed> {
    if answer.status.is_informational() { Err(Failure::NoAnswer.into()) } else { Ok(answer) }
}
