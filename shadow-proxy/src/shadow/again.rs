//! For which calls the side that served is asked a second time. Legacy's answers can then be compared with themselves, and
//! the times of both sides with each other: the mirror asked both.

use std::collections::{HashMap, HashSet};
use std::hash::Hasher as _;
use std::sync::Mutex;

use http::StatusCode;
use siphasher::sip::SipHasher24;

use crate::exchange::{Answer, Side};
use crate::random;

#[derive(Clone, Debug, PartialEq)]
pub struct AgainPolicy {
    /// Of the calls of a safe route, in ppm.
    pub share_ppm: u32,
    /// Every call of a safe route, until an endpoint has so many pairs: the A/A phase.
    pub pairs: u64,
    /// Ask twice also where answers count the client's requests.
    pub rate_limited: bool,
}

impl Default for AgainPolicy {
    fn default() -> Self {
        AgainPolicy { share_ppm: 50_000, pairs: 0, rate_limited: false }
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
    /// Endpoints whose answers count the client's requests: asked twice, it would have half of them.
    rate_limited: HashSet<String>,
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
        Again { policy, key, chosen: Mutex::new(Chosen { asked: 0, rate_limited: HashSet::new(), pairs }) }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.policy.share_ppm > 0 || self.policy.pairs > 0
    }

    /// Takes note of an endpoint of which an answer counts the client's requests; true where that is news.
    pub(crate) fn learn_rate_limited(&self, endpoint: &str) -> bool {
        let limited = &mut self.chosen.lock().expect("nothing panics while it chooses").rate_limited;
        !self.policy.rate_limited && !limited.contains(endpoint) && limited.insert(endpoint.to_owned())
    }

    /// Whether calls of an endpoint may be asked twice.
    pub(crate) fn may_ask(&self, endpoint: &str) -> bool {
        self.is_on() && !self.chosen.lock().expect("nothing panics while it chooses").rate_limited.contains(endpoint)
    }

    /// For a call of a safe route. The A/A phase is legacy's alone.
    pub(crate) fn ask(&self, served_by: Side, endpoint: &str) -> Ask {
        if !self.is_on() {
            return Ask::Once;
        }
        let mut chosen = self.chosen.lock().expect("nothing panics while it chooses");
        if chosen.rate_limited.contains(endpoint) {
            return Ask::Once;
        }
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

/// Whether an answer shows that its sender counts how often a client asks: it refuses for that, or says how often the client
/// may still ask (`RateLimit`, `X-RateLimit-Remaining`, …).
pub(crate) fn is_rate_limited(answer: &Answer) -> bool {
    let counts = |name: &str| name.contains("ratelimit") || name.contains("rate-limit");
    answer.status == StatusCode::TOO_MANY_REQUESTS || answer.headers.keys().any(|name| counts(name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(again: &Again, endpoint: &str, calls: usize) -> Vec<Ask> {
        (0..calls).map(|_| again.ask(Side::Legacy, endpoint)).filter(|ask| *ask != Ask::Once).collect()
    }

    #[test]
    fn all_at_first_then_a_share() {
        let policy = AgainPolicy { share_ppm: 50_000, pairs: 100, ..AgainPolicy::default() };
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
        let again =
            Again::new(AgainPolicy { share_ppm: 0, pairs: 100, ..AgainPolicy::default() }, HashMap::new()).unwrap();
        assert!((0..1_000).all(|_| again.ask(Side::Candidate, "GET /a") == Ask::Once));
        assert_eq!(asked(&again, "GET /a", 1_000).len(), 100, "and the phase is as long as it was");
        let again =
            Again::new(AgainPolicy { share_ppm: 500_000, pairs: 0, ..AgainPolicy::default() }, HashMap::new()).unwrap();
        let asked = (0..1_000).filter(|_| again.ask(Side::Candidate, "GET /a") != Ask::Once).count();
        assert!((400..600).contains(&asked), "{asked}");
    }

    #[test]
    fn nobody_when_it_is_switched_off() {
        let again =
            Again::new(AgainPolicy { share_ppm: 0, pairs: 0, ..AgainPolicy::default() }, HashMap::new()).unwrap();
        assert!(asked(&again, "GET /a", 1_000).is_empty());
    }

    #[test]
    fn nobody_where_answers_count_the_clients_requests() {
        let policy = AgainPolicy { share_ppm: 1_000_000, pairs: 100, ..AgainPolicy::default() };
        let again = Again::new(policy.clone(), HashMap::new()).unwrap();
        assert!(again.may_ask("GET /a"));
        assert!(again.learn_rate_limited("GET /a"));
        assert!(!again.learn_rate_limited("GET /a"), "known already");
        assert!(asked(&again, "GET /a", 1_000).is_empty() && !again.may_ask("GET /a"));
        assert_eq!(asked(&again, "GET /b", 1_000).len(), 1_000, "another endpoint");
        let again = Again::new(AgainPolicy { rate_limited: true, ..policy }, HashMap::new()).unwrap();
        assert!(!again.learn_rate_limited("GET /a"));
        assert_eq!(asked(&again, "GET /a", 1_000).len(), 1_000, "somebody wants it all the same");
    }

    #[test]
    fn an_answer_counts_requests_by_its_status_or_a_header() {
        for (status, header, counts) in [
            (200, None, false),
            (429, None, true),
            (503, Some("retry-after"), false),
            (200, Some("ratelimit"), true),
            (200, Some("ratelimit-policy"), true),
            (401, Some("x-ratelimit-remaining"), true),
            (200, Some("x-rate-limit-limit"), true),
            (200, Some("x-rate"), false),
        ] {
            let mut headers = http::HeaderMap::new();
            headers
                .extend(header.map(|name| (http::HeaderName::from_static(name), http::HeaderValue::from_static("1"))));
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, headers, body: bytes::Bytes::new() };
            assert_eq!(is_rate_limited(&answer), counts, "{status} {header:?}");
        }
    }
}
