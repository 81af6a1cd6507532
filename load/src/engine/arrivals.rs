//! When each request is due, counted from the start: known before the first is sent, so that nothing a service does
//! can change it. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::random::SplitMix64;
use crate::result::attack::Arrivals as Kind;

/// The requests of an open-loop run. What comes first, `time` or `requests`, ends it.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    pub(crate) gaps: Gaps,
    pub(crate) time: Option<Duration>,
    pub(crate) requests: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Gaps {
    /// Request i at i / rate.
    Constant { rate: f64 },
    /// Exponential gaps with the mean 1 / rate.
    Poisson { rate: f64, seed: u64 },
    /// As captured, ascending from 0, divided by the speed.
    Recorded { offsets: Arc<[Duration]>, speed: f64 },
}

impl Arrivals {
    pub(crate) fn kind(&self) -> Kind {
        match self.gaps {
            Gaps::Constant { .. } => Kind::Constant,
            Gaps::Poisson { .. } => Kind::Poisson,
            Gaps::Recorded { .. } => Kind::Recorded,
        }
    }

    /// How many there are. With a constant rate this is a multiplication, else they are all looked at.
    pub(crate) fn planned(&self) -> u64 {
        match (&self.gaps, self.time) {
            (Gaps::Constant { rate }, Some(time)) => {
                // Every request that is due before the end. The subtraction hides what the multiplication rounds up.
                let in_time = (rate * time.as_secs_f64() - 1e-9).ceil() as u64;
                self.requests.map_or(in_time, |requests| requests.min(in_time))
            }
            (Gaps::Constant { .. }, None) => self.requests.unwrap_or(0),
            _ => self.offsets().count() as u64,
        }
    }

    /// Requests per second, as planned.
    pub(crate) fn rate(&self) -> f64 {
        match self.gaps {
            Gaps::Constant { rate } | Gaps::Poisson { rate, .. } => rate,
            Gaps::Recorded { .. } => self.planned() as f64 / self.lasts().as_secs_f64().max(1e-3),
        }
    }

    /// From the start to when a further request would be due.
    pub(crate) fn lasts(&self) -> Duration {
        match (&self.gaps, self.time) {
            (Gaps::Constant { rate }, _) => Duration::from_secs_f64(self.planned() as f64 / rate),
            (Gaps::Poisson { .. }, Some(time)) if self.requests.is_none() => time,
            _ => self.offsets().last().unwrap_or_default(),
        }
    }

    pub(crate) fn offsets(&self) -> impl Iterator<Item = Duration> + use<> {
        let (gaps, time) = (self.gaps.clone(), self.time);
        let mut random = SplitMix64::new(if let Gaps::Poisson { seed, .. } = gaps { seed } else { 0 });
        let (mut index, mut at) = (0u64, Duration::ZERO);
        let all = std::iter::from_fn(move || {
            let due = match &gaps {
                Gaps::Constant { rate } => Duration::from_secs_f64(index as f64 / rate),
                Gaps::Poisson { rate, .. } => {
                    // ln of 1 - u, which is above 0.
                    at += Duration::from_secs_f64(-(1.0 - random.unit()).ln() / rate);
                    at
                }
                Gaps::Recorded { offsets, speed } => offsets.get(usize::try_from(index).ok()?)?.div_f64(*speed),
            };
            index += 1;
            Some(due)
        });
        let requests = self.requests.map_or(usize::MAX, |requests| usize::try_from(requests).unwrap_or(usize::MAX));
        all.take_while(move |due| time.is_none_or(|time| *due < time)).take(requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(gaps: Gaps, time_ms: Option<u64>, requests: Option<u64>) -> Arrivals {
        Arrivals { gaps, time: time_ms.map(Duration::from_millis), requests }
    }

    #[test]
    fn a_constant_rate_has_exactly_as_many_as_were_asked_for() {
        for (rate, time_ms, requests, planned) in [
            (200.0, Some(2_000), None, 400),
            (200.0, Some(2_000), Some(50), 50),
            (0.5, Some(1_000), None, 1),
            (333.0, Some(1_500), None, 500),
            (10_000.0, Some(20_000), None, 200_000),
            (7.0, None, Some(70), 70),
        ] {
            let arrivals = arrivals(Gaps::Constant { rate }, time_ms, requests);
            assert_eq!(arrivals.planned(), planned, "{arrivals:?}");
            assert_eq!(arrivals.offsets().count() as u64, planned, "{arrivals:?}");
            assert!((arrivals.lasts().as_secs_f64() - planned as f64 / rate).abs() < 1e-6);
        }
    }

    #[test]
    fn constant_gaps_do_not_drift() {
        let last = arrivals(Gaps::Constant { rate: 3_000.0 }, Some(3_600_000), None).offsets().last();
        let expected = Duration::from_secs_f64((3_000.0 * 3_600.0 - 1.0) / 3_000.0);
        assert!(last.expect("there are some").abs_diff(expected) < Duration::from_micros(1));
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_exponential_ones_and_a_seed_repeats_them() {
        let gaps = |seed| arrivals(Gaps::Poisson { rate: 1_000.0, seed }, Some(60_000), None);
        let offsets: Vec<f64> = gaps(1).offsets().map(|offset| offset.as_secs_f64()).collect();
        assert!((59_000..61_000).contains(&offsets.len()), "{}", offsets.len());
        let spaces: Vec<f64> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = spaces.iter().sum::<f64>() / spaces.len() as f64;
        let variance = spaces.iter().map(|space| (space - mean).powi(2)).sum::<f64>() / spaces.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "{}", variance.sqrt() / mean);
        assert!(gaps(1).offsets().eq(gaps(1).offsets()));
        assert!(!gaps(1).offsets().eq(gaps(2).offsets()));
        assert_eq!(gaps(1).planned(), offsets.len() as u64);
    }

    #[test]
    fn a_recording_is_played_with_its_gaps_at_the_speed_asked_for() {
        let offsets: Arc<[Duration]> = [0, 100, 110, 900].map(Duration::from_millis).into();
        let at = |speed| {
            let played = arrivals(Gaps::Recorded { offsets: Arc::clone(&offsets), speed }, None, None);
            played.offsets().map(|offset| offset.as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(at(1.0), [0, 100, 110, 900]);
        assert_eq!(at(2.0), [0, 50, 55, 450]);
        assert_eq!(at(0.5), [0, 200, 220, 1_800]);
    }
}
