//! The real [`step`], as the loop around it calls it; without its rescue and its local brake, which would only help.

use std::collections::VecDeque;

use super::super::evidence::EndpointCount;
use super::super::gate::Evidence;
use super::super::observed::Observed;
use super::super::plan::Plan;
use super::super::state::{Phase, State};
use super::super::step::{Command, Input, Verb, step};
use super::super::times::Times;
use super::world::{ENDPOINTS, LATENCY_MARGIN, Seen, TICK_S, World};
use super::{Controller, Course};

pub struct Ours {
    state: State,
    plan: Plan,
    live: Observed,
    /// A reading for each of the last minutes.
    minutes: VecDeque<Observed>,
    evidence: Evidence,
    /// The sum of the ticks' requests, for the rate of the last minute.
    requests: VecDeque<u64>,
    reason: Option<String>,
}

impl Ours {
    pub fn new() -> Ours {
        let endpoint = |index| EndpointCount { endpoint: format!("GET /{index}"), ..EndpointCount::default() };
        let endpoints = (0..ENDPOINTS.len()).map(endpoint).collect();
        Ours {
            state: State::start(),
            plan: Plan::default(),
            live: Observed::default(),
            minutes: VecDeque::new(),
            evidence: Evidence { endpoints, ..Evidence::default() },
            requests: VecDeque::new(),
            reason: None,
        }
    }

    fn count(&mut self, seen: &Seen) {
        self.live += &Observed {
            pairs: seen.requests,
            breaches: seen.breaches,
            lockouts: seen.lockouts,
            candidate_bad: seen.candidate_bad,
            legacy_bad: seen.legacy_bad,
            times: Times::about(LATENCY_MARGIN - 1.0, seen.timed - seen.slower, seen.slower),
            served_legacy: seen.requests - seen.served,
            served_candidate: seen.served,
            rescued: 0,
            unanswered: 0,
            ids_legacy: seen.ids_legacy,
            ids_candidate: seen.ids_candidate,
        };
        self.evidence.breaches += seen.breaches;
        self.evidence.lockouts += seen.lockouts;
        self.evidence.expected += seen.requests;
        for (endpoint, (compared, mismatches)) in self.evidence.endpoints.iter_mut().zip(seen.compared) {
            self.evidence.compared += compared;
            endpoint.pairs += compared;
            endpoint.mismatches += mismatches;
            // One of five requests is one that was not seen before.
            endpoint.counted = endpoint.pairs / 5;
            endpoint.counted_mismatches = endpoint.mismatches / 5;
        }
        self.requests.push_back(seen.requests);
        if self.requests.len() as u64 > 60 / TICK_S {
            self.requests.pop_front();
        }
    }
}

impl Controller for Ours {
    fn weight_ppm(&self) -> u32 {
        self.state.weight_ppm
    }

    fn course(&self) -> Course {
        match self.state.phase {
            Phase::RolledBack => Course::RolledBack,
            Phase::Complete | Phase::ReverseShadow => Course::CutOver,
            _ => Course::OnTheWay,
        }
    }

    fn looks_on(&self) -> bool {
        true
    }

    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    fn tick(&mut self, now_s: u64, seen: &Seen, _: &mut World) {
        self.count(seen);
        if now_s.is_multiple_of(60) {
            self.minutes.push_back(self.live.clone());
            if self.minutes.len() > 10 {
                self.minutes.pop_front();
            }
        }
        // Somebody asks every ten minutes, until it is no longer refused.
        let asks = self.state.phase == Phase::Shadow && now_s.is_multiple_of(600);
        let per_minute = self.requests.iter().sum::<u64>() as f64;
        self.evidence.counted_per_minute = per_minute / 5.0;
        let input = Input {
            now_ms: now_s * 1_000,
            live: self.live.clone(),
            recent: self.minutes.front().map_or_else(|| self.live.clone(), |earlier| &self.live - earlier),
            evidence: self.evidence.clone(),
            evidence_failed: false,
            legacy_up: true,
            legacy_load: 1.0,
            requests_per_minute: per_minute,
            braked: None,
            command: asks.then(|| Command { verb: Verb::Advance, who: "x".to_owned(), why: "x".to_owned() }),
        };
        let decision = step(&self.state, &self.plan, &input);
        if let Some(next) = decision.next {
            if next.since_ms != self.state.since_ms {
                self.live = Observed::default();
                self.minutes.clear();
            }
            if next.phase == Phase::RolledBack {
                self.reason = decision.reasons.into_iter().next();
            }
            self.state = next;
        }
    }
}
