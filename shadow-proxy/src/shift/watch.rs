//! What the tests look at while traffic flows: counters filled on the way of a request, and the brake, which acts there.
//!
//! Counters only grow. What was seen since a weight came into force is the difference from what the controller noted
//! then, so that nothing seen in between is lost.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::exchange::{Cell, Exchange, Failure, Leg, Side};
use crate::metrics::Metrics;

use super::observed::Observed;
use super::plan::Plan;
use super::split::Split;
use super::step::Brake;
use super::times::{self, Times};
use super::weight::Weight;

/// So many failures among the candidate's last calls, and it is asked no more.
const FAILED_MAX: u32 = 5;
const CALLS: u32 = 20;

pub struct Watch {
    weight: Arc<Weight>,
    metrics: Arc<Metrics>,
    latency_cap: Duration,
    pairs: AtomicU64,
    candidate_bad: AtomicU64,
    legacy_bad: AtomicU64,
    times: [AtomicU64; times::EDGES.len()],
    split: Split,
    ids: [AtomicU64; 2],
    legacy: LegacyLegs,
    last: LastCalls,
    /// Why the brake is on: 0 for no reason, else as `Reason` packs it.
    reason: AtomicU32,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// Legs of legacy, of the requests it served and of those it was the mirror of.
#[derive(Debug, Default)]
struct LegacyLegs {
    answered: AtomicU64,
    failed: AtomicU64,
    /// Failures since the last answer.
    in_a_row: AtomicU32,
}

/// So many failures of legacy in a row, and whoever is taken from the candidate would be answered by nobody.
const LEGACY_DOWN: u32 = 3;

impl Watch {
    pub fn new(plan: &Plan, weight: Arc<Weight>, metrics: Arc<Metrics>) -> Watch {
        Watch {
            weight,
            metrics,
            latency_cap: Duration::from_millis(plan.latency_cap_ms),
            pairs: AtomicU64::new(0),
            candidate_bad: AtomicU64::new(0),
            legacy_bad: AtomicU64::new(0),
            times: Default::default(),
            split: Split::new(),
            ids: Default::default(),
            legacy: LegacyLegs::default(),
            last: LastCalls::default(),
            reason: AtomicU32::new(0),
            wake: OnceLock::new(),
        }
    }

    /// Called when the brake is pulled.
    pub(super) fn on_brake(&self, wake: impl Fn() + Send + Sync + 'static) {
        // Set once; a second controller would be a mistake of the caller.
        let _ = self.wake.set(Box::new(wake));
    }

    /// A call that the candidate was chosen to serve.
    pub fn candidate_called(&self, leg: &Leg) {
        let failed = self.last.add(is_error(leg));
        if failed >= FAILED_MAX && !self.is_legacy_down() {
            self.brake(Brake::Failing { failed: failed.into(), of: self.last.calls().into() });
        }
    }

    /// A call that legacy was asked, whoever waited for it.
    pub fn legacy_called(&self, outcome: Result<(), Failure>) {
        let LegacyLegs { answered, failed, in_a_row } = &self.legacy;
        match outcome {
            Ok(()) => {
                answered.fetch_add(1, Ordering::Relaxed);
                if in_a_row.load(Ordering::Relaxed) > 0 {
                    in_a_row.store(0, Ordering::Relaxed);
                }
            }
            Err(_) => {
                failed.fetch_add(1, Ordering::Relaxed);
                in_a_row.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The side chosen for the client of an id: its first request since the weight came into force counts.
    pub fn chosen(&self, id: u64, side: Side) {
        if self.split.is_first(id) {
            self.ids[side as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// With every weight that comes into force.
    pub(super) fn forget_ids(&self) {
        self.split.clear();
    }

    /// An exchange of which both legs are known.
    pub fn exchange(&self, exchange: &Exchange) {
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        if exchange.served_by == Side::Candidate {
            self.legacy_called(legacy.outcome.as_ref().map(drop).map_err(|failure| *failure));
        }
        self.pairs.fetch_add(1, Ordering::Relaxed);
        let is_bad = |leg: &Leg| is_error(leg) || leg.latency > self.latency_cap;
        match (is_bad(legacy), is_bad(candidate)) {
            (false, true) => drop(self.candidate_bad.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.legacy_bad.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        // The mirror's thread has a lower priority, and whoever it asks would seem the slower one. So only those times count
        // that it took of both, at the same moment and in either order.
        if let Some(again) = &exchange.again {
            let mirrored = &exchange.mirrored;
            let (legacy, candidate) = match exchange.served_by {
                Side::Legacy => (again, mirrored),
                Side::Candidate => (mirrored, again),
            };
            if legacy.outcome.is_ok() && candidate.outcome.is_ok() {
                self.times[times::place(legacy.latency, candidate.latency)].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// What both sides decided. A breach is never waited for.
    pub fn decided(&self, cell: Cell) {
        if cell == Cell::DenyAllow && self.weight.ppm() > 0 {
            self.brake(Brake::Breach);
        }
    }

    /// Everything since the start.
    pub fn observed(&self) -> Observed {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rescued = self.metrics.rescued.get();
        let decided = |cell| self.metrics.decided(cell);
        Observed {
            pairs: of(&self.pairs),
            breaches: decided(Cell::DenyAllow),
            lockouts: decided(Cell::AllowDeny),
            candidate_bad: of(&self.candidate_bad),
            legacy_bad: of(&self.legacy_bad),
            times: Times::new(self.times.each_ref().map(of)),
            served_legacy: self.metrics.served_by(Side::Legacy).saturating_sub(rescued),
            served_candidate: self.metrics.served_by(Side::Candidate),
            rescued,
            unanswered: self.metrics.unanswered.get(),
            ids_legacy: of(&self.ids[Side::Legacy as usize]),
            ids_candidate: of(&self.ids[Side::Candidate as usize]),
        }
    }

    /// Legs of legacy since the start: answered, failed.
    pub(super) fn legacy_legs(&self) -> (u64, u64) {
        (self.legacy.answered.load(Ordering::Relaxed), self.legacy.failed.load(Ordering::Relaxed))
    }

    fn is_legacy_down(&self) -> bool {
        self.legacy.in_a_row.load(Ordering::Relaxed) >= LEGACY_DOWN
    }

    /// Why the brake is on, if it is.
    pub(super) fn braked(&self) -> Option<Brake> {
        match self.reason.load(Ordering::Acquire) {
            0 => None,
            BREACH => Some(Brake::Breach),
            packed => Some(Brake::Failing { failed: u64::from(packed >> 8 & 0xff), of: u64::from(packed & 0xff) }),
        }
    }

    fn brake(&self, why: Brake) {
        if self.weight.ppm() == 0 {
            return;
        }
        let packed = match why {
            Brake::Breach => BREACH,
            Brake::Failing { failed, of } => (failed as u32) << 8 | of as u32,
        };
        // A breach is the worse reason, whichever came first.
        self.reason.fetch_max(packed, Ordering::Release);
        if self.weight.brake() {
            self.metrics.shift.brakes.inc();
            if let Some(wake) = self.wake.get() {
                wake();
            }
        }
    }

    /// The controller has written down what follows from it.
    pub(super) fn release(&self) {
        self.last.forget();
        self.reason.store(0, Ordering::Release);
        self.weight.release();
    }
}

const BREACH: u32 = u32::MAX;

/// No answer, or one that says that there is none.
fn is_error(leg: &Leg) -> bool {
    leg.outcome.as_ref().is_ok_and(|answer| answer.status.is_server_error()) || leg.outcome.is_err()
}

/// The last calls, a bit for each, the newest lowest, with a one above the oldest.
#[derive(Debug)]
struct LastCalls(AtomicU32);

impl Default for LastCalls {
    fn default() -> Self {
        LastCalls(AtomicU32::new(1))
    }
}

impl LastCalls {
    /// How many of them failed, with this one.
    fn add(&self, is_failed: bool) -> u32 {
        let with = |bits: u32| {
            let more = bits << 1 | u32::from(is_failed);
            if more < 1 << (CALLS + 1) { more } else { more & ((1 << CALLS) - 1) | 1 << CALLS }
        };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| Some(with(bits)));
        with(before.unwrap_or(1)).count_ones() - 1
    }

    fn calls(&self) -> u32 {
        self.0.load(Ordering::Relaxed).ilog2()
    }

    fn forget(&self) {
        self.0.store(1, Ordering::Relaxed);
    }
}
