//! What happened lately, of counters that only grow.

use std::collections::VecDeque;
use std::time::Instant;

use super::observed::Observed;

/// Over which the present rate is taken.
const RATE_LOOKS: usize = 60;
pub(super) const RECENT_MINUTES: u64 = 10;

/// What had been seen when each of the last minutes began, since the weight came into force.
#[derive(Default)]
pub struct Recent(VecDeque<(u64, Observed)>);

impl Recent {
    /// What had been seen when what is recent begins; none while all of it is recent.
    pub fn begins(&mut self, minute: u64, seen: &Observed) -> Option<&Observed> {
        if self.0.back().is_none_or(|(last, _)| *last != minute) {
            self.0.push_back((minute, seen.clone()));
        }
        while self.0.front().is_some_and(|(first, _)| first + RECENT_MINUTES < minute) {
            self.0.pop_front();
        }
        // The first mark of all is not at the beginning, but at the first look after it.
        let (first, begins) = self.0.front()?;
        (first + RECENT_MINUTES == minute).then_some(begins)
    }
}

/// Requests, and legs of legacy, of the last looks.
#[derive(Default)]
pub struct Rate(VecDeque<(Instant, u64, u64)>);

impl Rate {
    pub fn add(&mut self, now: Instant, requests: u64, legacy_legs: u64) {
        self.0.push_back((now, requests, legacy_legs));
        if self.0.len() > RATE_LOOKS {
            self.0.pop_front();
        }
    }

    pub fn requests_per_minute(&self) -> f64 {
        self.over(|seconds, requests, _| requests * 60.0 / seconds).unwrap_or(0.0)
    }

    /// The share of the requests that legacy was asked about; all of none.
    pub fn legacy_load(&self) -> f64 {
        let load = self.over(|_, requests, legs| if requests > 0.0 { (legs / requests).min(1.0) } else { 1.0 });
        load.unwrap_or(1.0)
    }

    fn over(&self, rate: impl Fn(f64, f64, f64) -> f64) -> Option<f64> {
        let ((from, requests_then, legs_then), (to, requests, legs)) = (self.0.front()?, self.0.back()?);
        let seconds = to.duration_since(*from).as_secs_f64();
        let more = |now: &u64, then: &u64| now.saturating_sub(*then) as f64;
        (seconds > 0.0).then(|| rate(seconds, more(requests, requests_then), more(legs, legs_then)))
    }
}
