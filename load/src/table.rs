//! What a run found, for people.

use std::cmp::Reverse;
use std::fmt::Write;

use crate::outcome::{CaseOutcome, Outcome};

const WRONG_CASES_SHOWN_MAX: usize = 20;

pub(crate) fn render(outcome: &Outcome) -> String {
    let mut lines = Lines::default();
    let users = match outcome.users {
        1 => "1 user".to_owned(),
        users => format!("{users} users"),
    };
    lines.add("requests", &format!("{} in {:.2} s, {users}", outcome.requests, outcome.seconds));
    let planned = outcome.rate_planned.map(|rate| format!(" ({rate}/s planned)")).unwrap_or_default();
    lines.add("rate", &format!("{:.1}/s{planned}", outcome.rate));
    let latency = &outcome.latency_us;
    let quantiles = [("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("max", latency.max)];
    let shown: Vec<String> = quantiles.map(|(name, us)| format!("{name} {}", time(us))).into();
    lines.add("latency", &shown.join("   "));
    lines.add("wrong", &outcome.wrong.to_string());
    let mut wrong: Vec<&CaseOutcome> = outcome.by_case.iter().filter(|case| case.wrong > 0).collect();
    wrong.sort_by_key(|case| Reverse(case.wrong));
    for case in wrong.iter().take(WRONG_CASES_SHOWN_MAX) {
        wrong_case(&mut lines, outcome, case);
    }
    if let Some(more) = wrong.len().checked_sub(WRONG_CASES_SHOWN_MAX).filter(|&more| more > 0) {
        lines.add("", &format!("and {more} more cases"));
    }
    lines.add("failed", &outcome.failed.to_string());
    for (reason, count) in &outcome.failures {
        lines.add("", &format!("{count} × {reason}"));
    }
    if outcome.unsent > 0 {
        let note = format!("{} of the planned requests had no user free in time: add --users", outcome.unsent);
        lines.add("unsent", &note);
    }
    if !outcome.complete {
        lines.add("ended early", "these figures are of the part that was run");
    }
    lines.0
}

fn wrong_case(lines: &mut Lines, outcome: &Outcome, case: &CaseOutcome) {
    lines.add("", &format!("{}: {} of {}", case.name, case.wrong, case.requests));
    if let Some(sample) = outcome.wrong_samples.iter().find(|sample| sample.case == case.name) {
        lines.add("", &format!("  expected {}", sample.expected));
        lines.add("", &format!("  got      {}", sample.got));
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, value: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{label:<11} {value}");
    }
}

/// Three digits that matter.
fn time(us: Option<u64>) -> String {
    let Some(us) = us else {
        return "(too few)".to_owned();
    };
    let ms = us as f64 / 1_000.0;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{ms:.2} ms"),
        10_000..100_000 => format!("{ms:.1} ms"),
        100_000..1_000_000 => format!("{ms:.0} ms"),
        _ => format!("{:.2} s", ms / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tally::{Quantiles, Sample};

    fn outcome() -> Outcome {
        let latency_us = Quantiles {
            p50: Some(812),
            p95: Some(3_456),
            p99: Some(45_678),
            p999: None,
            max: Some(1_234_567),
            mean: None,
        };
        let case = |name: &str, wrong| CaseOutcome {
            name: name.to_owned(),
            requests: 2_500,
            wrong,
            failed: 0,
            status: BTreeMap::from([(200, 2_500)]),
            latency_us,
        };
        Outcome {
            schema: 1,
            target: "http://127.0.0.1:8080".to_owned(),
            started_at: 0,
            seconds: 4.1,
            complete: true,
            expect: "either",
            seed: 1,
            requests: 5_000,
            failed: 0,
            wrong: 0,
            unsent: 0,
            rate: 1_219.512,
            rate_planned: None,
            users: 8,
            latency_us,
            service_us: latency_us,
            by_case: vec![case("valid-key", 0), case("healthz", 0)],
            failures: BTreeMap::new(),
            wrong_samples: Vec::new(),
        }
    }

    #[test]
    fn a_right_run_is_short() {
        insta::assert_snapshot!(render(&outcome()), @"
        requests    5000 in 4.10 s, 8 users
        rate        1219.5/s
        latency     p50 812 µs   p95 3.46 ms   p99 45.7 ms   max 1.23 s
        wrong       0
        failed      0
        ");
    }

    #[test]
    fn what_went_wrong_is_named() {
        let mut outcome = outcome();
        outcome.wrong = 7;
        outcome.by_case[1].wrong = 7;
        let (expected, got) = ("status 200".to_owned(), "status 503".to_owned());
        outcome.wrong_samples.push(Sample { case: "healthz".to_owned(), expected, got });
        outcome.failed = 2;
        outcome.failures.insert("no answer in time", 2);
        outcome.unsent = 12;
        outcome.rate_planned = Some(1_500.0);
        outcome.users = 1;
        outcome.complete = false;
        outcome.latency_us.p99 = None;
        insta::assert_snapshot!(render(&outcome), @"
        requests    5000 in 4.10 s, 1 user
        rate        1219.5/s (1500/s planned)
        latency     p50 812 µs   p95 3.46 ms   p99 (too few)   max 1.23 s
        wrong       7
                    healthz: 7 of 2500
                      expected status 200
                      got      status 503
        failed      2
                    2 × no answer in time
        unsent      12 of the planned requests had no user free in time: add --users
        ended early these figures are of the part that was run
        ");
    }
}
