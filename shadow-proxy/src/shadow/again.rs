//! For which calls the side that served is asked a second time. Legacy's answers can then be compared with themselves, and
//! the times of both sides with each other: the mirror asked both.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::sync::Mutex;

use siphasher::sip::SipHasher24;

use crate::exchange::Side;
use crate::random;

#[derive(Clone, Debug, PartialEq)]
pub struct AgainPolicy {
    /// Of the calls of a safe route, in ppm.
    pub share_ppm: u32,
    /// Every call of a safe route, until an endpoint has so many pairs: the A/A phase.
    pub pairs: u64,
}

impl Default for AgainPolicy {
    fn default() -> Self {
        AgainPolicy { share_ppm: 50_000, pairs: 0 }
    }
}

/// Chooses. Random enough that no client can foresee it, and the same number of calls whoever sends them.
pub(crate) struct Again {
    policy: AgainPolicy,
    key: [u8; 16],
    chosen: Mutex<Chosen>,
}

struct Chosen {
    asked: u64,
    /// Pairs of each endpoint so far.
    pairs: HashMap<String, u64>,
}

/// What to do with the mirrored leg of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Only the side that did not serve.
    Once,
    /// The side that served too, which is asked first.
    ServerFirst,
    MirrorFirst,
}

impl Again {
    /// `pairs` are those that earlier runs left behind. Fails only where the system has no randomness to give.
    pub(crate) fn new(policy: AgainPolicy, pairs: HashMap<String, u64>) -> std::io::Result<Again> {
        Ok(Again::with_key(policy, random::key()?, pairs))
    }

    /// With a key that somebody knows, the choice is the same each time.
    pub(super) fn with_key(policy: AgainPolicy, key: [u8; 16], pairs: HashMap<String, u64>) -> Again {
        Again { policy, key, chosen: Mutex::new(Chosen { asked: 0, pairs }) }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.policy.share_ppm > 0 || self.policy.pairs > 0
    }

    /// For a call of a safe route. The A/A phase is legacy's alone.
    pub(crate) fn ask(&self, served_by: Side, endpoint: &str) -> Ask {
        if !self.is_on() {
            return Ask::Once;
        }
        let mut chosen = self.chosen.lock().expect("nothing panics while it chooses");
        chosen.asked += 1;
        let mut hash = SipHasher24::new_with_key(&self.key);
        hash.write_u64(chosen.asked);
        let random = hash.finish();
        let is_sampled = ((u128::from(random) * 1_000_000) >> 64) < u128::from(self.policy.share_ppm);
        if served_by == Side::Legacy {
            // Endpoints have few names, so that this map stays small.
            let pairs = match chosen.pairs.get_mut(endpoint) {
                Some(pairs) => pairs,
                None => chosen.pairs.entry(endpoint.to_owned()).or_default(),
            };
            if *pairs >= self.policy.pairs && !is_sampled {
                return Ask::Once;
            }
            *pairs += 1;
        } else if !is_sampled {
            return Ask::Once;
        }
        if random & 1 == 0 { Ask::ServerFirst } else { Ask::MirrorFirst }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(again: &Again, endpoint: &str, calls: usize) -> Vec<Ask> {
        (0..calls).map(|_| again.ask(Side::Legacy, endpoint)).filter(|ask| *ask != Ask::Once).collect()
    }

    #[test]
    fn all_at_first_then_a_share() {
        let policy = AgainPolicy { share_ppm: 50_000, pairs: 100 };
        let again = Again::new(policy, HashMap::from([("GET /b".to_owned(), 100)])).unwrap();
        assert_eq!(asked(&again, "GET /a", 100).len(), 100);
        let (calls, share) = (100_000.0, 0.05);
        let three_sigma = 3.0 * f64::sqrt(calls * share * (1.0 - share));
        for endpoint in ["GET /a", "GET /b"] {
            let asked = asked(&again, endpoint, calls as usize);
            assert!((asked.len() as f64 - calls * share).abs() < three_sigma, "{endpoint}: {}", asked.len());
            let first = asked.iter().filter(|ask| **ask == Ask::ServerFirst).count();
            assert!((asked.len() * 4 / 10..asked.len() * 6 / 10).contains(&first), "{first} of {}", asked.len());
        }
    }

    #[test]
    fn only_a_share_of_what_the_candidate_served() {
        let again = Again::new(AgainPolicy { share_ppm: 0, pairs: 100 }, HashMap::new()).unwrap();
        assert!((0..1_000).all(|_| again.ask(Side::Candidate, "GET /a") == Ask::Once));
        assert_eq!(asked(&again, "GET /a", 1_000).len(), 100, "and the phase is as long as it was");
        let again = Again::new(AgainPolicy { share_ppm: 500_000, pairs: 0 }, HashMap::new()).unwrap();
        let asked = (0..1_000).filter(|_| again.ask(Side::Candidate, "GET /a") != Ask::Once).count();
        assert!((400..600).contains(&asked), "{asked}");
    }

    #[test]
    fn nobody_when_it_is_switched_off() {
        let again = Again::new(AgainPolicy { share_ppm: 0, pairs: 0 }, HashMap::new()).unwrap();
        assert!(asked(&again, "GET /a", 1_000).is_empty());
    }
}
