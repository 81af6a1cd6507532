//! What a plan would have made of the past. Pure: minutes in, moments out.
//!
//! At a weight that was not in force nobody knows what clients would have seen; but both sides were asked at every weight,
//! so what the tests look at is there. Only the split of the traffic cannot be looked at.

use std::collections::VecDeque;

use super::gate::Evidence;
use super::history::{Minute, add};
use super::observed::Observed;
use super::plan::Plan;
use super::recent::RECENT_MINUTES;
use super::state::{Phase, State};
use super::step::{Command, Decision, Finding, Input, Verb, step};

/// When the state would have changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    pub at_ms: u64,
    pub finding: Finding,
    pub from_ppm: u32,
    pub to_ppm: u32,
    pub reasons: Vec<String>,
}

/// A shift that somebody starts with `advance` as soon as the evidence allows it, and approves whatever asks for it.
pub struct Backtest {
    plan: Plan,
    state: State,
    live: Observed,
    recent: VecDeque<Observed>,
    evidence: Evidence,
    pub minutes: u64,
    pub moments: Vec<Moment>,
    /// Why nothing changed at last.
    pub last: Vec<String>,
}

impl Backtest {
    pub fn new(mut plan: Plan) -> Backtest {
        plan.steps.iter_mut().for_each(|step| step.approval = false);
        Backtest {
            plan,
            state: State::start(),
            live: Observed::default(),
            recent: VecDeque::new(),
            evidence: Evidence::default(),
            minutes: 0,
            moments: Vec::new(),
            last: Vec::new(),
        }
    }

    pub fn add(&mut self, minute: &Minute) {
        self.minutes += 1;
        add(&mut self.evidence, minute);
        let seen = Observed { ids_legacy: 0, ids_candidate: 0, ..minute.seen.clone() };
        self.live += &seen;
        self.recent.push_back(seen);
        if self.recent.len() as u64 > RECENT_MINUTES {
            self.recent.pop_front();
        }
        let Decision { finding, reasons, next, .. } = step(&self.state, &self.plan, &self.input(minute));
        let Some(next) = next else {
            self.last = reasons;
            return;
        };
        if next.weight_ppm != self.state.weight_ppm || next.phase != self.state.phase {
            let (from_ppm, to_ppm) = (self.state.weight_ppm, next.weight_ppm);
            self.moments.push(Moment { at_ms: minute.at_ms, finding, from_ppm, to_ppm, reasons });
        }
        if next.since_ms != self.state.since_ms {
            self.live = Observed::default();
            self.recent.clear();
        }
        self.state = next;
    }

    fn input(&self, minute: &Minute) -> Input {
        let is_waiting = self.state.phase == Phase::Shadow;
        let command = is_waiting.then(|| Command {
            verb: Verb::Advance,
            who: "back-test".to_owned(),
            why: "as soon as it may".to_owned(),
        });
        Input {
            now_ms: minute.at_ms,
            live: self.live.clone(),
            recent: self.recent.iter().fold(Observed::default(), |mut sum, minute| {
                sum += minute;
                sum
            }),
            evidence: self.evidence.clone(),
            evidence_failed: minute.evidence_failed,
            legacy_up: minute.legacy_up,
            legacy_load: minute.legacy_load,
            requests_per_minute: minute.requests_per_minute,
            braked: None,
            command,
        }
    }
}
