//! What a run found, for people.

use std::cmp::Reverse;
use std::fmt::Write;

use crate::result::Verdict;
use crate::result::attack::{Attack, Case, Load, Quantiles, Run};
use crate::text::time;

const WRONG_CASES_SHOWN_MAX: usize = 20;

pub(crate) fn render(attack: &Attack) -> String {
    let run = &attack.run;
    let mut lines = Lines::default();
    let over = match &run.load {
        Load::Users { users: 1 } => "1 user".to_owned(),
        Load::Users { users } => format!("{users} users"),
        Load::Rate { .. } => format!("{} connections", run.connections),
    };
    lines.add("requests", &format!("{} in {:.2} s, {over}", run.requests, run.seconds));
    match run.rate_planned {
        Some(planned) => lines.add("rate", &format!("{:.1}/s sent ({planned}/s planned)", run.achieved_rate)),
        None => lines.add("rate", &format!("{:.1}/s", run.rate)),
    }
    lines.add("latency", &quantiles(&run.latency_us));
    if let Some(lag) = &run.lag_us {
        lines.add("service", &quantiles(&run.service_us));
        lines.add("send lag", &quantiles(lag));
    }
    wrong(&mut lines, run);
    lines.add("failed", &run.failed.to_string());
    for (reason, count) in &run.failures {
        lines.add("", &format!("{count} × {reason}"));
    }
    if run.unsent > 0 {
        lines.add("unsent", &format!("{} of the planned requests had no connection free in time", run.unsent));
    }
    used(&mut lines, run);
    verdict(&mut lines, run);
    if !run.complete {
        lines.add("ended early", "these figures are of the part that was run");
    }
    lines.0
}

fn quantiles(us: &Quantiles) -> String {
    let shown = [("p50", us.p50), ("p95", us.p95), ("p99", us.p99), ("p99.9", us.p999), ("max", us.max)];
    shown.map(|(name, us)| format!("{name} {}", time(us))).join("   ")
}

fn wrong(lines: &mut Lines, run: &Run) {
    lines.add("wrong", &run.wrong.to_string());
    let mut wrong: Vec<&Case> = run.by_case.iter().filter(|case| case.wrong > 0).collect();
    wrong.sort_by_key(|case| Reverse(case.wrong));
    for case in wrong.iter().take(WRONG_CASES_SHOWN_MAX) {
        lines.add("", &format!("{}: {} of {}", case.name, case.wrong, case.requests));
        if let Some(sample) = run.wrong_samples.iter().find(|sample| sample.case == case.name) {
            lines.add("", &format!("  expected {}", sample.expected));
            lines.add("", &format!("  got      {}", sample.got));
        }
    }
    if let Some(more) = wrong.len().checked_sub(WRONG_CASES_SHOWN_MAX).filter(|&more| more > 0) {
        lines.add("", &format!("and {more} more cases"));
    }
}

fn used(lines: &mut Lines, run: &Run) {
    if let Some(used) = &run.resources {
        let memory = used.rss_bytes_max.map(|bytes| format!(", RSS up to {:.1} MB", bytes as f64 / 1e6));
        let cpu = format!("{:.1} µs CPU for each request", used.cpu_us_per_request);
        lines.add("service uses", &format!("{cpu}{}", memory.unwrap_or_default()));
    }
}

/// Nothing where all is well and nobody asked for a rate.
fn verdict(lines: &mut Lines, run: &Run) {
    let validity = &run.validity;
    if run.rate_planned.is_some() {
        let cpu = run.generator.cpu_us_per_request;
        lines.add("generator", &format!("{cpu:.1} µs CPU for each request, {:.2} cores", run.generator.cpu_cores));
        lines.add("verdict", validity.verdict.name());
    } else if validity.verdict == Verdict::Valid {
        return;
    }
    for gate in validity.gates.iter().filter(|gate| !gate.passed && gate.name != "wrong" && gate.name != "ended-early")
    {
        lines.add(
            "",
            &format!("not: {} ({} is {:.4}, at most {})", gate.sentence, gate.name, gate.measured, gate.limit),
        );
    }
    for remark in &validity.remarks {
        lines.add("", remark);
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, value: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{label:<12} {value}");
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
