//! What takes the traffic back: looked at in every phase in which the candidate serves anybody.

use super::evidence::{EndpointCount, lower_bound};
use super::gate::{grouped, percent, worst};
use super::observed::Observed;
use super::paired::{ln_more, ln_split};
use super::plan::{Plan, Step};
use super::state::State;
use super::step::{Brake, Finding, Input, TestResult};

/// The chance that a candidate as good as legacy is ever rolled back at a weight. A tenth of it costs four more failures
/// until a bad one is found.
pub const ALPHA_ALL: f64 = 0.001;

/// An equal part for each of five guards: lockouts, errors, mismatches in all and at an endpoint, latency.
const ALPHA: f64 = ALPHA_ALL / 5.0;

/// The same for the last minutes, which begin anew with every minute: once in a hundred weeks.
const ALPHA_RECENT: f64 = 1e-6;

/// The chance that a split as it should be stops a ramp.
const ALPHA_SPLIT: f64 = 1e-4;

/// Of the margin: a candidate that is known to fail more often, but by less than that, is not worth a rollback.
const NEGLIGIBLE: f64 = 0.01;

/// What the guards found; without an alarm all is well.
#[derive(Default)]
pub struct Guarded {
    pub tests: Vec<TestResult>,
    /// The worst first.
    pub alarms: Vec<Alarm>,
    /// Not the candidate is wrong but the share it gets.
    pub split: Option<String>,
}

pub struct Alarm {
    pub reason: String,
    pub urgency: Urgency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// People are let in who must not be: also when legacy is down.
    Breach,
    /// The request path has already stopped.
    Braked,
    /// As fast as legacy can bear.
    Worse,
}

pub fn look(state: &State, plan: &Plan, input: &Input) -> Guarded {
    let mut guarded = Guarded::default();
    if state.weight_ppm == 0 {
        return guarded;
    }
    let present = &plan.at(state.weight_ppm);
    guarded.urgent(state, input);
    guarded.lockouts(present, &input.live, "", ALPHA);
    guarded.lockouts(present, &input.recent, " lately", ALPHA_RECENT);
    guarded.errors(present, &input.live, "", ALPHA);
    guarded.errors(present, &input.recent, " lately", ALPHA_RECENT);
    guarded.mismatches(present, plan, input);
    guarded.latency(present, &input.live, "", ALPHA);
    guarded.latency(present, &input.recent, " lately", ALPHA_RECENT);
    guarded.split(state, &input.live);
    guarded
}

impl Guarded {
    fn urgent(&mut self, state: &State, input: &Input) {
        let breaches = input.live.breaches;
        if breaches > 0 || input.braked == Some(Brake::Breach) {
            let breaches = breaches.max(1);
            let reason = format!(
                "{breaches} {}: the candidate let in whom legacy refused; see `shadow-proxy diffs`",
                if breaches == 1 { "breach" } else { "breaches" }
            );
            self.alarms.push(Alarm { reason, urgency: Urgency::Breach });
        }
        if let Some(Brake::Failing { failed, of }) = input.braked {
            let reason = format!("the candidate failed in {} of its last {} calls", grouped(failed), grouped(of));
            self.alarms.push(Alarm { reason, urgency: Urgency::Braked });
        } else if state.brake {
            // Another replica's.
            self.alarms.push(Alarm { reason: "the brake is on".to_owned(), urgency: Urgency::Braked });
        }
    }

    fn lockouts(&mut self, present: &Step, seen: &Observed, when: &str, alpha: f64) {
        let (budget, bound) = (present.budget(), lower_bound(seen.lockouts, seen.pairs, alpha));
        let reason = || {
            format!(
                "{} of {} requests{when} were refused by the candidate and let in by legacy: at least {}, and {} is what may be",
                grouped(seen.lockouts),
                grouped(seen.pairs),
                percent(bound),
                percent(budget)
            )
        };
        self.test(format!("lockouts{when}"), bound, budget, bound > budget, reason);
    }

    fn errors(&mut self, present: &Step, seen: &Observed, when: &str, alpha: f64) {
        let Observed { candidate_bad, legacy_bad, pairs, .. } = *seen;
        let evidence = ln_more(candidate_bad, legacy_bad);
        let more = candidate_bad.saturating_sub(legacy_bad) as f64;
        let counts = more >= present.error_margin * NEGLIGIBLE * pairs as f64;
        let reason = || {
            format!(
                "of {} requests{when} the candidate failed in {} that legacy answered, legacy in {} that the candidate answered",
                grouped(pairs),
                grouped(candidate_bad),
                grouped(legacy_bad)
            )
        };
        self.weigh(format!("errors{when}"), evidence, alpha, counts, reason);
    }

    fn latency(&mut self, present: &Step, seen: &Observed, when: &str, alpha: f64) {
        let (timed, slower) = (seen.times.pairs(), seen.times.surely_slower(present.latency_margin));
        let evidence = ln_more(slower, timed.saturating_sub(slower));
        let reason = || {
            format!(
                "the candidate was more than {} slower in {} of {} requests{when}",
                percent(present.latency_margin),
                grouped(slower),
                grouped(timed)
            )
        };
        self.weigh(format!("latency{when}"), evidence, alpha, true, reason);
    }

    /// Over everything that was ever compared: a mismatch is the same at every weight.
    fn mismatches(&mut self, present: &Step, plan: &Plan, input: &Input) {
        let endpoints = &input.evidence.endpoints;
        let total = EndpointCount::total(endpoints);
        let budget = present.budget();
        let bound = lower_bound(total.counted_mismatches, total.counted, ALPHA);
        let reason = || {
            format!(
                "at least {} of the requests are answered differently, and {} is what may be",
                percent(bound),
                percent(budget)
            )
        };
        self.test("mismatches".to_owned(), bound, budget, bound > budget, reason);
        let budget = f64::from(plan.gate.endpoint_mismatch_ppm_max) / 1e6;
        let alpha = ALPHA / endpoints.len().max(1) as f64;
        let mut differ = Vec::new();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.counted_mismatches > 0) {
            let bound = lower_bound(endpoint.counted_mismatches, endpoint.counted, alpha);
            let (name, is_worse) = (format!("mismatches of {}", endpoint.endpoint), bound > budget);
            let says = if is_worse { Finding::RollBack } else { Finding::Advance };
            self.tests.push(TestResult { name, statistic: bound, threshold: budget, says });
            if is_worse {
                let reason = format!(
                    "{}: at least {} are answered differently, and {} is what may be at one endpoint",
                    endpoint.endpoint,
                    percent(bound),
                    percent(budget)
                );
                differ.push((bound, reason));
            }
        }
        let alarm = |reason| Alarm { reason, urgency: Urgency::Worse };
        self.alarms.extend(worst(differ.into_iter()).into_iter().map(alarm));
    }

    fn split(&mut self, state: &State, seen: &Observed) {
        let Observed { ids_candidate, ids_legacy, .. } = *seen;
        let share = f64::from(state.weight_ppm) / 1e6;
        let evidence = ln_split(share, ids_candidate, ids_legacy);
        let is_off = evidence >= -ALPHA_SPLIT.ln();
        let says = if is_off { Finding::Hold } else { Finding::Advance };
        self.tests.push(log10("split".to_owned(), evidence, ALPHA_SPLIT, says));
        if is_off {
            let all = ids_candidate.saturating_add(ids_legacy);
            self.split = Some(format!(
                "{} of {} ids went to the candidate, which is {}, and the weight is {}: is there a replica with another weight or hash_key?",
                grouped(ids_candidate),
                grouped(all),
                percent(ids_candidate as f64 / all.max(1) as f64),
                percent(share)
            ));
        }
    }

    fn weigh(&mut self, name: String, evidence: f64, alpha: f64, counts: bool, reason: impl Fn() -> String) {
        let is_worse = counts && evidence >= -alpha.ln();
        let says = if is_worse { Finding::RollBack } else { Finding::Advance };
        self.tests.push(log10(name, evidence, alpha, says));
        self.raise(is_worse, reason);
    }

    fn test(&mut self, name: String, statistic: f64, threshold: f64, is_worse: bool, reason: impl Fn() -> String) {
        let says = if is_worse { Finding::RollBack } else { Finding::Advance };
        self.tests.push(TestResult { name, statistic, threshold, says });
        self.raise(is_worse, reason);
    }

    fn raise(&mut self, is_worse: bool, reason: impl Fn() -> String) {
        if is_worse {
            self.alarms.push(Alarm { reason: reason(), urgency: Urgency::Worse });
        }
    }
}

/// Evidence beside what is asked of it, to base 10.
pub fn log10(name: String, ln_evidence: f64, alpha: f64, says: Finding) -> TestResult {
    let log10 = ln_evidence / std::f64::consts::LN_10;
    TestResult { name, statistic: log10, threshold: -alpha.log10(), says }
}
