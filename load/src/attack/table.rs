//! What a run found, for people.

use std::cmp::Reverse;
use std::fmt::Write;

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

/// Nothing where nobody asked for a rate: users who wait for their answers make no claim.
fn verdict(lines: &mut Lines, run: &Run) {
    let validity = &run.validity;
    if run.rate_planned.is_none() {
        return;
    }
    let cpu = run.generator.cpu_us_per_request;
    lines.add("generator", &format!("{cpu:.1} µs CPU for each request, {:.2} cores", run.generator.cpu_cores));
    lines.add("verdict", validity.verdict.name());
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
    use crate::result::attack::{Arrivals, Generator, Sample};
    use crate::result::environment::Environment;
    use crate::result::{Gate, Validity, Verdict};

    fn attack() -> Attack {
        let latency_us = Quantiles {
            p50: Some(812),
            p95: Some(3_456),
            p99: Some(45_678),
            p999: None,
            max: Some(1_234_567),
            mean: None,
        };
        let case = |name: &str| Case {
            name: name.to_owned(),
            requests: 2_500,
            wrong: 0,
            failed: 0,
            status: BTreeMap::from([(200, 2_500)]),
            latency_us,
        };
        let run = Run {
            started_at_ms: 0,
            seconds: 4.1,
            complete: true,
            short: true,
            load: Load::Users { users: 8 },
            requests: 5_000,
            failed: 0,
            wrong: 0,
            unsent: 0,
            rate: 1_219.512,
            achieved_rate: 1_219.512,
            rate_planned: None,
            queued_at_cap: 0,
            connections: 8,
            latency_us,
            latency_us_intervals: None,
            service_us: latency_us,
            lag_us: None,
            by_case: vec![case("valid-key"), case("healthz")],
            failures: BTreeMap::new(),
            wrong_samples: Vec::new(),
            resources: None,
            generator: Generator { cpu_us_per_request: 40.0, cpu_cores: 0.05, cpus: None },
            validity: Validity { verdict: Verdict::Valid, gates: Vec::new(), remarks: Vec::new() },
            slice_seconds: 0,
            slices: Vec::new(),
        };
        let target = "http://127.0.0.1:8080".to_owned();
        Attack::new(target, "either".to_owned(), 1, run, Environment::default())
    }

    #[test]
    fn a_right_run_is_short() {
        insta::assert_snapshot!(render(&attack()), @"
        requests     5000 in 4.10 s, 8 users
        rate         1219.5/s
        latency      p50 812 µs   p95 3.46 ms   p99 45.7 ms   p99.9 (too few)   max 1.23 s
        wrong        0
        failed       0
        ");
    }

    #[test]
    fn what_went_wrong_is_named() {
        let mut attack = attack();
        let run = &mut attack.run;
        run.wrong = 7;
        run.by_case[1].wrong = 7;
        let (expected, got) = ("status 200".to_owned(), "status 503".to_owned());
        run.wrong_samples.push(Sample { case: "healthz".to_owned(), expected, got });
        run.failed = 2;
        run.failures.insert("no answer in time".to_owned(), 2);
        run.unsent = 12;
        run.load = Load::Rate { arrivals: Arrivals::Constant };
        run.rate_planned = Some(1_500.0);
        run.lag_us =
            Some(Quantiles { p50: Some(40), p95: Some(90), p99: Some(200), p999: None, max: Some(900), mean: None });
        run.complete = false;
        run.latency_us.p99 = None;
        run.validity.verdict = Verdict::TargetSaturated;
        run.validity.gates.push(Gate {
            name: "errors-share".to_owned(),
            passed: false,
            measured: 0.0018,
            limit: 0.001,
            else_verdict: Verdict::TargetSaturated,
            sentence: "requests were answered".to_owned(),
        });
        insta::assert_snapshot!(render(&attack), @"
        requests     5000 in 4.10 s, 8 connections
        rate         1219.5/s sent (1500/s planned)
        latency      p50 812 µs   p95 3.46 ms   p99 (too few)   p99.9 (too few)   max 1.23 s
        service      p50 812 µs   p95 3.46 ms   p99 45.7 ms   p99.9 (too few)   max 1.23 s
        send lag     p50 40 µs   p95 90 µs   p99 200 µs   p99.9 (too few)   max 900 µs
        wrong        7
                     healthz: 7 of 2500
                       expected status 200
                       got      status 503
        failed       2
                     2 × no answer in time
        unsent       12 of the planned requests had no connection free in time
        generator    40.0 µs CPU for each request, 0.05 cores
        verdict      target-saturated
                     not: requests were answered (errors-share is 0.0018, at most 0.001)
        ended early  these figures are of the part that was run
        ");
    }
}
