//! How much slower the candidate was than legacy, pair by pair: counters that add, for every margin that a plan may have.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Pairs by how many percent of legacy's time the candidate took longer: more than an edge, and not more than the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times([u64; EDGES.len()]);

/// In percent. At a margin that is one of them the count is exact, between them it errs on the side of caution.
pub const EDGES: [i32; 22] =
    [-100, 0, 1, 2, 3, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 700, 1000];

/// On top of any margin: timers and threads are no finer.
const SLACK: Duration = Duration::from_millis(1);

/// The counter that a pair belongs to.
pub fn place(legacy: Duration, candidate: Duration) -> usize {
    let is_above = |percent: &i32| candidate > legacy.mul_f64(1.0 + f64::from(*percent) / 100.0) + SLACK;
    EDGES.iter().skip(1).take_while(|edge| is_above(edge)).count()
}

impl Times {
    pub fn new(counters: [u64; EDGES.len()]) -> Times {
        Times(counters)
    }

    /// As many pairs within a margin and above it, for who knows no more.
    #[cfg(test)]
    pub fn about(margin: f64, within: u64, above: u64) -> Times {
        let mut times = Times::default();
        times.0[0] = within;
        times.0[EDGES.iter().position(|edge| share(*edge) >= margin).unwrap()] = above;
        times
    }

    pub fn pairs(&self) -> u64 {
        self.from(Some(0))
    }

    /// Pairs in which the candidate was slower by more than the margin for certain.
    pub fn surely_slower(&self, margin: f64) -> u64 {
        self.from(EDGES.iter().position(|edge| share(*edge) >= margin))
    }

    /// Pairs in which it may have been.
    pub fn maybe_slower(&self, margin: f64) -> u64 {
        self.from(EDGES.iter().rposition(|edge| share(*edge) <= margin))
    }

    fn from(&self, place: Option<usize>) -> u64 {
        self.0[place.unwrap_or(EDGES.len())..].iter().fold(0, |sum, pairs| sum.saturating_add(*pairs))
    }
}

fn share(percent: i32) -> f64 {
    f64::from(percent) / 100.0
}

impl AddAssign<&Times> for Times {
    fn add_assign(&mut self, more: &Times) {
        self.0.iter_mut().zip(more.0).for_each(|(pairs, more)| *pairs += more);
    }
}

impl Sub for &Times {
    type Output = Times;

    fn sub(self, earlier: &Times) -> Times {
        Times(std::array::from_fn(|at| self.0[at].saturating_sub(earlier.0[at])))
    }
}

/// `{"-100":52000,"25":600}`: the edges above which there are pairs.
impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(EDGES.iter().zip(self.0).filter(|(_, pairs)| *pairs > 0))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Times, D::Error> {
        let mut times = Times::default();
        for (edge, pairs) in BTreeMap::<i32, u64>::deserialize(deserializer)? {
            let place = EDGES.iter().position(|known| *known == edge);
            times.0[place.ok_or_else(|| serde::de::Error::custom(format!("{edge} is no edge")))?] = pairs;
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_counted_below_the_edge_it_does_not_reach() {
        for (legacy_us, candidate_us, edge) in [
            (10_000, 1, -100),
            (10_000, 11_000, -100),
            (10_000, 11_001, 0),
            (10_000, 13_500, 20),
            (10_000, 13_501, 25),
            (10_000, 111_000, 700),
            (10_000, 111_001, 1_000),
            (0, 1_000, -100),
            (0, 1_001, 1_000),
        ] {
            let place = place(Duration::from_micros(legacy_us), Duration::from_micros(candidate_us));
            assert_eq!(EDGES[place], edge, "{legacy_us} {candidate_us}");
        }
    }

    #[test]
    fn between_edges_it_is_cautious() {
        let times: Times = serde_json::from_str(r#"{"-100":1,"5":10,"25":100,"1000":1000}"#).unwrap();
        assert_eq!(times.pairs(), 1_111);
        for (margin, surely, maybe) in [
            (0.0, 1_110, 1_110),
            (0.05, 1_110, 1_110),
            (0.07, 1_100, 1_110),
            (0.25, 1_100, 1_100),
            (0.26, 1_000, 1_100),
            (10.0, 1_000, 1_000),
        ] {
            assert_eq!((times.surely_slower(margin), times.maybe_slower(margin)), (surely, maybe), "{margin}");
        }
        assert_eq!(serde_json::to_string(&times).unwrap(), r#"{"-100":1,"5":10,"25":100,"1000":1000}"#);
        assert!(serde_json::from_str::<Times>(r#"{"7":1}"#).is_err());
        let mut twice = times.clone();
        twice += &times;
        assert_eq!(&twice - &times, times);
    }
}
