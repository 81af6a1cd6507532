//! What has to be known before a step is taken. What is not known is said, with how much is missing.

use super::gate::{self, Verdict, grouped, percent, wait};
use super::guards::log10;
use super::paired::{ln_more, ln_within, pairs_needed};
use super::plan::{Plan, Step};
use super::state::State;
use super::step::{Finding, Input, TestResult};

/// Then no step is taken, and nothing is taken back.
pub(super) const LEGACY_DOWN: &str = "legacy does not answer, so nothing could be taken back";

#[derive(Default)]
pub struct Known {
    pub tests: Vec<TestResult>,
    /// The worst first; empty: the step may be taken.
    pub missing: Vec<String>,
    /// What was shown, for whoever asks why the step was taken.
    pub shown: Vec<String>,
}

pub fn before(next: &Step, state: &State, plan: &Plan, input: &Input) -> Known {
    let mut known = Known::default();
    known.mismatches(next, plan, input);
    known.errors(next, input);
    known.latency(next, input);
    if state.weight_ppm > 0 && input.live.served_candidate == 0 {
        known.missing.push("the candidate has answered nobody at this weight yet".to_owned());
    }
    if !input.legacy_up {
        known.missing.insert(0, LEGACY_DOWN.to_owned());
    }
    known
}

impl Known {
    fn mismatches(&mut self, next: &Step, plan: &Plan, input: &Input) {
        if input.evidence_failed {
            self.missing.push("the store cannot be read, so nobody knows how often the answers differ".to_owned());
            return;
        }
        let judged = gate::judge(&input.evidence, &plan.policy(next));
        let says = if judged.verdict == Verdict::Go { Finding::Advance } else { Finding::Hold };
        let name = "mismatches before the next step".to_owned();
        self.tests.push(TestResult { name, statistic: judged.rate.upper_bound, threshold: judged.rate_max, says });
        if judged.verdict == Verdict::Go {
            self.shown.extend(judged.reasons);
        } else {
            self.missing.extend(judged.reasons);
        }
    }

    fn errors(&mut self, next: &Step, input: &Input) {
        let (live, margin) = (&input.live, next.error_margin);
        let evidence = ln_within(margin, live.candidate_bad, live.legacy_bad, live.pairs);
        let failed = format!(
            "of {} requests at this weight the candidate failed in {} that legacy answered, legacy in {} that the candidate answered",
            grouped(live.pairs),
            grouped(live.candidate_bad),
            grouped(live.legacy_bad)
        );
        let name = "errors within the margin";
        if self.says(name, evidence, next.alpha()) {
            self.shown.push(format!("{failed}: less than {} more", percent(margin)));
            return;
        }
        let more = pairs_needed(margin, live.candidate_bad, live.legacy_bad, live.pairs, next.alpha());
        self.missing.push(format!(
            "{failed}: that it fails in less than {} more needs {} more requests without a failure{}",
            percent(margin),
            grouped(more),
            wait(minutes(more, input))
        ));
    }

    fn latency(&mut self, next: &Step, input: &Input) {
        let times = &input.live.times;
        let (timed, slower) = (times.pairs(), times.maybe_slower(next.latency_margin));
        let not_slower = timed.saturating_sub(slower);
        let margin = percent(next.latency_margin);
        let seen = format!(
            "the candidate was more than {margin} slower in {} of {} requests",
            grouped(slower),
            grouped(timed)
        );
        if self.says("latency within the margin", ln_more(not_slower, slower), next.alpha()) {
            self.shown.push(seen);
        } else {
            self.missing.push(format!("{seen}: that it is not so in most of them is not known yet"));
        }
    }

    fn says(&mut self, name: &str, ln_evidence: f64, alpha: f64) -> bool {
        let is_known = ln_evidence >= -alpha.ln();
        let says = if is_known { Finding::Advance } else { Finding::Hold };
        self.tests.push(log10(name.to_owned(), ln_evidence, alpha, says));
        is_known
    }
}

fn minutes(requests: u64, input: &Input) -> Option<f64> {
    (input.requests_per_minute > 0.0).then(|| requests as f64 / input.requests_per_minute)
}
