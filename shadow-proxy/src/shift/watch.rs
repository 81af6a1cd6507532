//! What the tests look at while traffic flows: counters filled on the way of a request, and the brake, which acts there.
//!
//! Counters only grow. What was seen since a weight came into force is the difference from what the controller noted
//! then, so that nothing seen in between is lost.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::StatusCode;

use crate::clock::now_ms;
use crate::exchange::{Cell, Drawn, Exchange, Failure, Leg, Sender, Side};
use crate::metrics::Metrics;

use super::calls::{Alone, CALLS, Calls, Failures, LastCalls};
use super::observed::Observed;
use super::plan::Plan;
use super::split::Split;
use super::step::{Brake, NewVersion};
use super::times::{self, Times};
use super::voices::{Against, Voices};
use super::weight::Weight;

/// So many failures among the candidate's last calls that legacy does not have, and it is asked no more.
const FAILED_MAX: u32 = 5;

/// What legacy did with a call that the candidate failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rescue {
    /// The call may not be repeated.
    NotAsked,
    Answered,
    /// A 5xx too, which is what the client got.
    FailedToo,
    NoAnswer,
}

pub struct Watch {
    weight: Arc<Weight>,
    metrics: Arc<Metrics>,
    latency_cap: Duration,
    pairs: AtomicU64,
    candidate_bad: AtomicU64,
    legacy_bad: AtomicU64,
    both_bad: AtomicU64,
    times: [AtomicU64; times::EDGES.len()],
    split: Split,
    ids: [AtomicU64; 2],
    legacy: LegacyLegs,
    lockouts: AtomicU64,
    calls: Calls,
    /// Of what was seen since the weight came into force, and of what the store has.
    voices: Voices,
    of_evidence: Voices,
    /// Rescues in which legacy's answer was a 5xx too.
    in_vain: AtomicU64,
    /// Why the brake is on: 0 for no reason, else as `Reason` packs it.
    reason: AtomicU32,
    new_version: Mutex<Option<NewVersion>>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// Legs of legacy, of the requests it served and of those it was the mirror of.
#[derive(Debug, Default)]
struct LegacyLegs {
    answered: AtomicU64,
    failed: AtomicU64,
    /// Failures since the last answer.
    in_a_row: AtomicU32,
    /// Those without an answer, or with a 5xx.
    last: LastCalls,
    /// Those that it failed and the candidate did not.
    alone: Alone,
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
            both_bad: AtomicU64::new(0),
            times: Default::default(),
            split: Split::new(),
            ids: Default::default(),
            legacy: LegacyLegs::default(),
            lockouts: AtomicU64::new(0),
            calls: Calls::default(),
            voices: Voices::new(),
            of_evidence: Voices::new(),
            in_vain: AtomicU64::new(0),
            reason: AtomicU32::new(0),
            new_version: Mutex::new(None),
            wake: OnceLock::new(),
        }
    }

    /// Called when the brake is pulled.
    pub(super) fn on_brake(&self, wake: impl Fn() + Send + Sync + 'static) {
        // Set once; a second controller would be a mistake of the caller.
        let _ = self.wake.set(Box::new(wake));
    }

    /// A call that the candidate was chosen to serve. What legacy fails too (a database they share) is no failure of the
    /// candidate, and neither is what a limit of this proxy refused.
    pub fn candidate_called(&self, leg: &Leg, rescue: Rescue, sender: Option<&Sender>) {
        let is_failed = leg.is_failed();
        let is_shared = match rescue {
            Rescue::Answered => false,
            Rescue::FailedToo | Rescue::NoAnswer => true,
            Rescue::NotAsked => self.legacy.is_failing(),
        };
        match rescue {
            Rescue::Answered => drop(self.metrics.rescued.inc()),
            Rescue::FailedToo => drop(self.in_vain.fetch_add(1, Ordering::Relaxed)),
            Rescue::NotAsked | Rescue::NoAnswer => {}
        }
        if leg.is_busy() {
            self.metrics.busy.inc();
            return;
        }
        if is_failed && is_shared {
            return;
        }
        let number = self.calls.next();
        if !is_failed {
            return;
        }
        let client = sender.map(|sender| self.voices.client(sender, None)).filter(|_| self.voices.is_shared());
        let Failures { failed, weighed } = self.calls.failed(number, client);
        // Where both lose some at random, each loses some that the other answers.
        let failed_max = self.legacy.alone.not_by_chance().max(FAILED_MAX);
        if weighed >= failed_max && !self.is_legacy_down() {
            self.brake(Brake::Failing { failed: failed.into(), of: (number + 1).min(CALLS.into()) });
        }
    }

    /// A call that legacy was asked, whoever waited for it.
    pub fn legacy_called(&self, outcome: Result<StatusCode, Failure>) {
        let LegacyLegs { answered, failed, in_a_row, last, .. } = &self.legacy;
        last.add(outcome.map_or(true, |status| status.is_server_error()));
        match outcome {
            Ok(_) => {
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

    /// A client whom both sides let in, and the side that was drawn for it: its first request since the weight came into
    /// force counts. Ids that anybody can make up say nothing about the split.
    pub fn let_in(&self, drawn: &Drawn) {
        if drawn.weight_ppm == self.weight.ppm() && self.split.is_first(drawn.id) {
            self.ids[drawn.side as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// With every weight that comes into force.
    pub(super) fn forget_clients(&self) {
        self.split.clear();
        self.voices.forget();
    }

    /// The weight of each client in what the store counts.
    pub fn of_evidence(&self) -> &Voices {
        &self.of_evidence
    }

    /// The client that sent an exchange, by what legacy decided about it, where that is known.
    pub fn client(&self, exchange: &Exchange, is_let_in: Option<bool>) -> Option<u64> {
        let client = self.voices.client(exchange.sender.as_ref()?, is_let_in);
        let now_ms = now_ms();
        self.voices.hear(client, now_ms);
        self.of_evidence.hear(client, now_ms);
        Some(client)
    }

    /// An exchange of which both legs are known. It is evidence for nothing where a limit of this proxy kept a side from
    /// answering, or where both failed.
    pub fn exchange(&self, exchange: &Exchange, client: Option<u64>) {
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        if exchange.served_by == Side::Candidate {
            self.legacy_called(legacy.outcome.as_ref().map(|answer| answer.status).map_err(|failure| *failure));
        }
        if legacy.is_busy() || candidate.is_busy() {
            return;
        }
        let is_bad = |leg: &Leg| leg.is_failed() || leg.latency > self.latency_cap;
        let (legacy_bad, candidate_bad) = (is_bad(legacy), is_bad(candidate));
        if legacy_bad && candidate_bad {
            self.both_bad.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.legacy.alone.add(legacy_bad);
        let bad = match (legacy_bad, candidate_bad) {
            (false, true) => Some((&self.candidate_bad, Against::CandidateFailed)),
            (true, false) => Some((&self.legacy_bad, Against::LegacyFailed)),
            _ => None,
        };
        let counts = |client| match bad {
            Some((_, what)) => self.voices.counts_against(client, what),
            None => self.voices.counts(client),
        };
        if !client.is_none_or(counts) {
            return;
        }
        self.pairs.fetch_add(1, Ordering::Relaxed);
        if let Some((counter, _)) = bad {
            counter.fetch_add(1, Ordering::Relaxed);
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
    pub fn decided(&self, cell: Cell, client: Option<u64>) {
        let counts = |client| self.voices.counts_against(client, Against::Lockout);
        if cell == Cell::AllowDeny && client.is_none_or(counts) {
            self.lockouts.fetch_add(1, Ordering::Relaxed);
        }
        if cell == Cell::DenyAllow && self.weight.may_be_served() {
            self.brake(Brake::Breach);
        }
    }

    /// The candidate says that it is another version than before.
    pub fn candidate_changed(&self, from: String, to: String) {
        *self.new_version.lock().expect("nothing panics while it holds this") = Some(NewVersion { from, to });
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    pub(super) fn new_version(&self) -> Option<NewVersion> {
        self.new_version.lock().expect("nothing panics while it holds this").clone()
    }

    /// The journal has this one.
    pub(super) fn settle_version(&self, known: &NewVersion) {
        let mut new = self.new_version.lock().expect("nothing panics while it holds this");
        new.take_if(|new| new == known);
    }

    /// Everything since the start.
    pub fn observed(&self) -> Observed {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rescued = self.metrics.rescued.get();
        Observed {
            pairs: of(&self.pairs),
            breaches: self.metrics.decided(Cell::DenyAllow),
            lockouts: of(&self.lockouts),
            candidate_bad: of(&self.candidate_bad),
            legacy_bad: of(&self.legacy_bad),
            both_bad: of(&self.both_bad),
            times: Times::new(self.times.each_ref().map(of)),
            served_legacy: self.metrics.served_by(Side::Legacy).saturating_sub(rescued + of(&self.in_vain)),
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
        if !self.weight.may_be_served() {
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
        self.calls.forget();
        self.legacy.alone.forget();
        self.reason.store(0, Ordering::Release);
        self.weight.release();
    }
}

const BREACH: u32 = u32::MAX;

impl LegacyLegs {
    /// Half of its last calls and more.
    fn is_failing(&self) -> bool {
        let (failed, calls) = (self.last.failed(), self.last.calls());
        calls >= LEGACY_DOWN && failed * 2 >= calls
    }
}

#[cfg(test)]
mod tests;
