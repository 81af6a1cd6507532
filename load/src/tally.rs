//! What the users of one run found, counted as they go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::check::Difference;
use crate::contract::Case;
use crate::redact;
use crate::result::attack::Sample;
use crate::series::Series;

const SAMPLES_MAX: usize = 20;

/// One request and what came of it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) case: usize,
    /// When the request was due, counted from the start of the run.
    pub(crate) due: Duration,
    /// From when it was due to when the generator turned to it.
    pub(crate) lag: Duration,
    /// From when the request was due, to the last byte.
    pub(crate) latency: Duration,
    /// From when it was sent, to the last byte.
    pub(crate) service: Duration,
    pub(crate) end: Instant,
    pub(crate) result: Result<Checked, Failure>,
}

#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) status: u16,
    /// Empty = the answer is right.
    pub(crate) differences: Vec<Difference>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    Connect,
    Timeout,
    /// The connection was closed before the request went out: it is sent again, and not counted.
    NotSent,
    Broken,
    TooLarge,
    EndedEarly,
}

impl Failure {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Timeout => "no answer in time",
            Self::NotSent => "connection closed before the request was sent",
            Self::Broken => "connection lost, or an answer that is not HTTP",
            Self::TooLarge => "body too large",
            Self::EndedEarly => "run ended before the answer",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) cases: Vec<CaseTally>,
    /// By when the request was due: as many as the run has so far.
    pub(crate) slices: Vec<Slice>,
    slice: Duration,
    pub(crate) failures: BTreeMap<&'static str, u64>,
    pub(crate) samples: Vec<Sample>,
    /// When the last request ended, well or not.
    pub(crate) end: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CaseTally {
    pub(crate) requests: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) status: BTreeMap<u16, u64>,
    pub(crate) latency: Series,
}

impl CaseTally {
    pub(crate) fn add(&mut self, other: &CaseTally) {
        let CaseTally { requests, wrong, failed, status, latency } = other;
        self.requests += requests;
        self.wrong += wrong;
        self.failed += failed;
        status.iter().for_each(|(status, count)| *self.status.entry(*status).or_default() += count);
        self.latency.add(latency);
    }
}

/// What was due within one stretch of the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slice {
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) latency: Series,
    pub(crate) service: Series,
    pub(crate) lag: Series,
}

impl Tally {
    /// `slice`: how long each stretch is that is counted for itself.
    pub(crate) fn new(cases: usize, slice: Duration) -> Self {
        Self {
            cases: vec![CaseTally::default(); cases],
            slices: Vec::new(),
            slice,
            failures: BTreeMap::new(),
            samples: Vec::new(),
            end: None,
        }
    }

    /// `case` is the one that `attempt` counts for.
    pub(crate) fn record(&mut self, case: &Case, attempt: &Attempt) {
        let Attempt { case: index, due, lag, latency, service, end, result } = attempt;
        let tally = &mut self.cases[*index];
        tally.requests += 1;
        self.end = self.end.max(Some(*end));
        let at = (due.as_nanos() / self.slice.as_nanos()) as usize;
        if self.slices.len() <= at {
            self.slices.resize_with(at + 1, Slice::default);
        }
        let slice = &mut self.slices[at];
        slice.lag.record(*lag);
        match result {
            Ok(Checked { status, differences }) => {
                *tally.status.entry(*status).or_default() += 1;
                tally.latency.record(*latency);
                slice.latency.record(*latency);
                slice.service.record(*service);
                if differences.is_empty() {
                    return;
                }
                tally.wrong += 1;
                slice.wrong += 1;
                // The first of each case, so that one broken case does not hide the others.
                if tally.wrong == 1 && self.samples.len() < SAMPLES_MAX {
                    self.samples.push(sample(case, differences));
                }
            }
            Err(failure) => {
                tally.failed += 1;
                slice.failed += 1;
                *self.failures.entry(failure.reason()).or_default() += 1;
            }
        }
    }

    /// Sent, but the run was over before the answer; by case.
    pub(crate) fn never_answered(&mut self, by_case: &[u64], why: Failure) {
        for (case, &count) in self.cases.iter_mut().zip(by_case) {
            case.requests += count;
            case.failed += count;
        }
        let count = by_case.iter().sum::<u64>();
        if count > 0 {
            *self.failures.entry(why.reason()).or_default() += count;
        }
    }

    pub(crate) fn latency(&self) -> Series {
        Series::merged(self.slices.iter().map(|slice| &slice.latency))
    }

    pub(crate) fn service(&self) -> Series {
        Series::merged(self.slices.iter().map(|slice| &slice.service))
    }

    pub(crate) fn lag(&self) -> Series {
        Series::merged(self.slices.iter().map(|slice| &slice.lag))
    }

    pub(crate) fn requests(&self) -> u64 {
        self.cases.iter().map(|case| case.requests).sum()
    }

    pub(crate) fn wrong(&self) -> u64 {
        self.cases.iter().map(|case| case.wrong).sum()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.cases.iter().map(|case| case.failed).sum()
    }
}

fn sample(case: &Case, differences: &[Difference]) -> Sample {
    let side = |value: fn(&Difference) -> &str| {
        let parts: Vec<String> =
            differences.iter().map(|difference| format!("{} {}", difference.what, value(difference))).collect();
        redact::scrub(&case.request, &parts.join("; "))
    };
    Sample {
        case: case.name.clone(),
        expected: side(|difference| &difference.expected),
        got: side(|difference| &difference.got),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Expect;
    use crate::request::Request;

    fn case() -> Case {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("authorization", "Bearer canary-1".parse().expect("a value"));
        let request = Request { method: reqwest::Method::GET, path: "/".into(), headers, body: None };
        Case { name: "a".into(), weight: 1, request, accepted: vec![Expect::default()] }
    }

    fn attempt(result: Result<Checked, Failure>) -> Attempt {
        let time = Duration::from_millis(1);
        Attempt { case: 0, due: time, lag: time, latency: time, service: time, end: Instant::now(), result }
    }

    #[test]
    fn right_wrong_and_failed_add_up_and_samples_are_few_and_clean() {
        let mut tally = Tally::new(1, Duration::from_secs(1));
        let difference = || Difference { what: "status".into(), expected: "200".into(), got: "canary-1".into() };
        for differences in [vec![], vec![difference()]] {
            for _ in 0..10 {
                let checked = Checked { status: 401, differences: differences.clone() };
                tally.record(&case(), &attempt(Ok(checked)));
            }
        }
        tally.record(&case(), &attempt(Err(Failure::Timeout)));
        assert_eq!((tally.requests(), tally.wrong(), tally.failed()), (21, 10, 1));
        assert_eq!(tally.cases[0].status, BTreeMap::from([(401, 20)]));
        assert_eq!(tally.failures, BTreeMap::from([("no answer in time", 1)]));
        assert_eq!(tally.latency().quantiles().max, Some(1_000));
        let got = Sample { case: "a".into(), expected: "status 200".into(), got: "status [redacted]".into() };
        assert_eq!(tally.samples, [got]);
    }

    /// The worked example of the method: frozen for T = 1 s in a run of D = 60 s, P(R > x) = max(0, T - x) / D, which
    /// puts the p99 at T - 0.01 D = 0.4 s. What waits for one of 256 connections is not sent, so that the service time
    /// shows next to nothing of it. Nothing here depends on a clock.
    #[test]
    fn a_frozen_service_follows_the_formula() {
        const RATE: u64 = 1_000;
        const SECONDS: u64 = 60;
        let (frozen_at, thawed_at) = (Duration::from_secs(30), Duration::from_secs(31));
        let takes = Duration::from_millis(1);
        let mut free = std::collections::BinaryHeap::from(vec![std::cmp::Reverse(Duration::ZERO); 256]);
        let (mut tally, start) = (Tally::new(1, Duration::from_secs(1)), Instant::now());
        for number in 0..RATE * SECONDS {
            let due = Duration::from_secs(number) / RATE as u32;
            let sent = due.max(free.pop().expect("256 of them").0);
            let is_caught = sent + takes > frozen_at && sent < thawed_at;
            let end = if is_caught { thawed_at + takes } else { sent + takes };
            free.push(std::cmp::Reverse(end));
            let result = Ok(Checked { status: 200, differences: Vec::new() });
            let (latency, service) = (end - due, end - sent);
            let lag = Duration::ZERO;
            tally.record(&case(), &Attempt { case: 0, due, lag, latency, service, end: start + end, result });
        }
        let p99_us = tally.latency().quantiles().p99.expect("60,000 samples");
        assert!((388_000..=412_000).contains(&p99_us), "{p99_us}");
        assert_eq!(tally.latency().quantiles().p95, Some(1_000));
        assert_eq!(tally.service().quantiles().p99, Some(1_000));
        assert_eq!(tally.slices.len(), 60);
        assert_eq!(
            tally.requests(),
            RATE * SECONDS,
            "no request is made up: times from the plan are not corrected again"
        );
    }
}
