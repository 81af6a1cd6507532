//! What happened lately, of counters that only grow.

use std::collections::VecDeque;
use std::time::Instant;

use super::observed::Observed;

/// Over which the present rate is taken.
const RATE_LOOKS: usize = 60;
/// So many, and the time in which they came tells a rate.
const REQUESTS_TO_TELL: u64 = 20;
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

/// Whether both sides fail in most exchanges, and the exchanges up to the last look.
#[derive(Default)]
pub struct BothFail {
    is_so: bool,
    pairs: u64,
    both_bad: u64,
}

impl BothFail {
    /// As it is since the last look; without an exchange as it was before.
    pub fn look(&mut self, seen: &Observed) -> bool {
        let (pairs, both_bad) = (seen.pairs - self.pairs, seen.both_bad - self.both_bad);
        if pairs + both_bad > 0 {
            *self = BothFail { is_so: both_bad > pairs, pairs: seen.pairs, both_bad: seen.both_bad };
        }
        self.is_so
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

    /// Since they began to come, where they did so only lately: a rate over the silence before would be too low.
    pub fn requests_per_minute(&self) -> f64 {
        let first = self.0.front().map_or(0, |(_, requests, _)| *requests);
        let silent = self.0.iter().take_while(|(_, requests, _)| *requests == first).count().saturating_sub(1);
        let since = self.0.get(silent).zip(self.0.back());
        let since = since.filter(|((_, then, _), (_, now, _))| now - then >= REQUESTS_TO_TELL);
        let per_minute =
            |seconds: f64, requests: u64| if seconds > 0.0 { requests as f64 * 60.0 / seconds } else { 0.0 };
        match since {
            Some(((from, then, _), (to, now, _))) => per_minute(to.duration_since(*from).as_secs_f64(), now - then),
            None => self.over(|seconds, requests, _| requests * 60.0 / seconds).unwrap_or(0.0),
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Requests per minute after looks a second apart, each with so many requests more.
    fn per_minute(requests: &[u64]) -> f64 {
        let (mut rate, start, mut total) = (Rate::default(), Instant::now(), 0);
        for (second, more) in requests.iter().enumerate() {
            total += more;
            rate.add(start + Duration::from_secs(second as u64), total, total);
        }
        rate.requests_per_minute()
    }

    #[test]
    fn the_rate_is_right_from_the_first_second() {
        let idle_then = |seconds: &[u64]| per_minute(&[&[0; 55], seconds].concat());
        assert_eq!(idle_then(&[100]), 6_000.0);
        assert_eq!(idle_then(&[100, 100, 100]), 6_000.0);
        assert_eq!(per_minute(&[0, 50]), 3_000.0);
        assert_eq!(per_minute(&[10; 120]), 600.0);
        assert!(idle_then(&[1]) < 2.0, "one request tells no rate");
        assert_eq!((per_minute(&[]), per_minute(&[7]), per_minute(&[0; 60])), (0.0, 0.0, 0.0));
    }

    #[test]
    fn both_fail_as_long_as_they_do_in_most_exchanges() {
        let mut both = BothFail::default();
        let mut look = |pairs, both_bad| both.look(&Observed { pairs, both_bad, ..Observed::default() });
        assert_eq!([look(0, 0), look(10, 1), look(10, 5), look(10, 5), look(20, 6)], [false, false, true, true, false]);
    }
}
