//! What one stranger can do to a shift, and what still gets through: requests of many clients beside those of an attacker,
//! weighed by the real [`Watch`] and decided by the real [`step`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::super::evidence::EndpointCount;
use super::super::evidence::random::Random;
use super::super::gate::{self, Evidence, Verdict};
use super::super::plan::Plan;
use super::super::state::{Phase, State};
use super::super::step::{Finding, Input, step};
use super::super::voices::Against;
use super::super::watch::{Rescue, Watch};
use super::super::weight::Weight;
use crate::exchange::{Answer, Call, Cell, Exchange, Leg, Sender, Side};

/// Requests that somebody sends, and how the candidate answers them. Legacy answers 200.
#[derive(Clone, Copy, PartialEq)]
enum Odd {
    /// Like legacy.
    None,
    Fails,
    Refuses,
    /// Another body.
    Differs,
}

const KINDS: [Odd; 3] = [Odd::Fails, Odd::Refuses, Odd::Differs];
const HONEST: u64 = 200;
const WEIGHT_PPM: u32 = 250_000;

struct Service {
    watch: Watch,
    evidence: Evidence,
    state: State,
    random: Random,
}

impl Service {
    fn new(seed: u64) -> Service {
        let weight = Arc::new(Weight::default());
        weight.set(WEIGHT_PPM, false);
        let endpoints = vec![EndpointCount { endpoint: "GET /".to_owned(), ..EndpointCount::default() }];
        let state = State { epoch: 1, phase: Phase::Ramp, weight_ppm: WEIGHT_PPM, step: Some(3), ..State::start() };
        Service {
            watch: Watch::new(&Plan::default(), weight, Arc::default()),
            evidence: Evidence { endpoints, ..Evidence::default() },
            state,
            random: Random(seed),
        }
    }

    /// One request of a client whom legacy lets in.
    fn ask(&mut self, client: u64, odd: Odd) {
        let sender = Sender { credential: Some(client << 32 | client), network: u64::MAX, drawn: None };
        let (legacy, candidate) = (
            leg(200),
            leg(match odd {
                Odd::None | Odd::Differs => 200,
                Odd::Fails => 500,
                Odd::Refuses => 401,
            }),
        );
        if self.random.unit() < f64::from(WEIGHT_PPM) / 1e6 {
            let rescue = if odd == Odd::Fails { Rescue::Answered } else { Rescue::NotAsked };
            self.watch.candidate_called(&candidate, rescue, Some(&sender));
        }
        let call =
            Call { method: Method::GET, uri: Uri::from_static("/"), headers: HeaderMap::new(), body: Bytes::new() };
        let exchange = Exchange {
            begun: Instant::now(),
            call: Arc::new(call),
            sender: Some(sender),
            served_by: Side::Legacy,
            served: legacy,
            mirrored: candidate,
            again: None,
            doubt: None,
        };
        let client = self.watch.client(&exchange, Some(true));
        self.watch.exchange(&exchange, client);
        self.watch.decided(if odd == Odd::Refuses { Cell::AllowDeny } else { Cell::AllowAllow }, client);
        self.count(client, odd);
    }

    /// As the judge does.
    fn count(&mut self, client: Option<u64>, odd: Odd) {
        let (client, voices) = (client.expect("it has a sender"), self.watch.of_evidence());
        let is_mismatch = odd != Odd::None;
        let counts = match is_mismatch {
            true => voices.counts_against(client, Against::Mismatch),
            false => voices.counts(client),
        };
        let endpoint = &mut self.evidence.endpoints[0];
        endpoint.pairs += 1;
        endpoint.mismatches += u64::from(is_mismatch);
        endpoint.counted += u64::from(counts);
        endpoint.counted_mismatches += u64::from(counts && is_mismatch);
        self.evidence.expected += 1;
        self.evidence.compared += 1;
    }

    /// Why the traffic is taken back, where it is.
    fn taken_back(&self) -> Option<String> {
        let input = Input {
            live: self.watch.observed(),
            evidence: self.evidence.clone(),
            braked: self.watch.braked(),
            ..Input::nothing(1)
        };
        let decision = step(&self.state, &Plan::default(), &input);
        (decision.finding == Finding::RollBack).then(|| decision.reasons.join("; "))
    }
}

fn leg(status: u16) -> Leg {
    let status = StatusCode::from_u16(status).unwrap();
    Leg::answered(Answer { status, headers: HeaderMap::new(), body: Bytes::new() }, 0, Duration::ZERO)
}

/// Requests until the traffic is taken back, with its reason, or none in so many. Each honest client sends as often as any
/// other; of `strangers` each sends as much as `share` of all honest ones together.
fn until_taken_back(seed: u64, strangers: u64, share: f64, odd: Odd, honest_odd: f64) -> Option<(u64, String)> {
    let mut service = Service::new(seed);
    for request in 0..20_000 {
        let client = (service.random.unit() * HONEST as f64) as u64;
        let is_odd = service.random.unit() < honest_odd;
        service.ask(client, if is_odd { odd } else { Odd::None });
        for stranger in 0..strangers {
            // Not before the others are known: the first minute after a start is no time to attack.
            if request > 100 && service.random.unit() < share {
                service.ask(HONEST + stranger, odd);
            }
        }
        if request % 50 == 0
            && let Some(reason) = service.taken_back()
        {
            return Some((request, reason));
        }
    }
    None
}

#[test]
fn one_stranger_takes_nothing_back_however_much_it_sends() {
    for odd in KINDS {
        for share in [0.003, 0.1, 2.0] {
            for seed in 1..4 {
                let back = until_taken_back(seed, 1, share, odd, 0.0);
                assert_eq!(back, None, "{share}");
            }
        }
    }
}

/// The other side of it: a fault that many clients meet is found as before, with the loudest of them left out.
#[test]
fn what_many_clients_meet_is_found_also_beside_a_stranger() {
    for odd in KINDS {
        for strangers in [0, 1] {
            let back = until_taken_back(9, strangers, 0.1, odd, 0.05);
            let (requests, reason) = back.expect("it is found");
            assert!(requests <= 1_500, "{requests}: {reason}");
        }
    }
}

/// What is not claimed: two networks, or two credentials, are two clients.
#[test]
fn two_strangers_are_worth_what_the_lesser_of_them_shows() {
    assert!(until_taken_back(5, 2, 0.1, Odd::Fails, 0.0).is_some());
}

#[test]
fn one_client_buys_no_go() {
    let mut service = Service::new(3);
    for request in 0..8_000_u64 {
        service.ask(HONEST, Odd::None);
        if request % 8 == 0 {
            service.ask(request / 8 % HONEST, Odd::None);
        }
    }
    let judged = gate::judge(&service.evidence, &gate::Policy::default());
    assert_eq!(judged.verdict, Verdict::NotEnough, "{:?}", judged.reasons);
    assert!(judged.counted < 1_500, "{} of 9,000", judged.counted);
}
