//! When the brake is pulled, call by call.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::*;
use crate::exchange::{Answer, Call};
use crate::shift::evidence::random::Random;

fn leg(status: u16) -> Leg {
    let status = StatusCode::from_u16(status).unwrap();
    Leg::answered(Answer { status, headers: HeaderMap::new(), body: Bytes::new() }, 0, Duration::ZERO)
}

fn failed(failure: Failure) -> Leg {
    Leg::failed(failure, 0, Duration::ZERO)
}

fn watch() -> Watch {
    let weight = Arc::new(Weight::default());
    weight.set(500_000, false);
    Watch::new(&Plan::default(), weight, Arc::default())
}

fn exchange(served_by: Side, legacy: Leg, candidate: Leg) -> Exchange {
    let call = Call { method: Method::GET, uri: Uri::from_static("/"), headers: HeaderMap::new(), body: Bytes::new() };
    let (served, mirrored) = match served_by {
        Side::Legacy => (legacy, candidate),
        Side::Candidate => (candidate, legacy),
    };
    let begun = Instant::now();
    Exchange { begun, call: Arc::new(call), sender: None, served_by, served, mirrored, again: None, doubt: None }
}

#[test]
fn five_failures_that_legacy_answers_are_the_brake() {
    for (name, legs, braked) in [
        ("five 500", vec![(leg(500), Rescue::Answered); 5], true),
        ("four", vec![(leg(500), Rescue::Answered); 4], false),
        ("no answer", vec![(failed(Failure::Trap), Rescue::Answered); 5], true),
        ("not repeatable", vec![(leg(503), Rescue::NotAsked); 5], true),
        ("legacy fails too", vec![(leg(500), Rescue::FailedToo); 100], false),
        ("nobody answers", vec![(failed(Failure::Connect), Rescue::NoAnswer); 100], false),
        ("our own limits", vec![(failed(Failure::Busy), Rescue::Answered); 100], false),
        ("our own limits, not repeatable", vec![(failed(Failure::Busy), Rescue::NotAsked); 100], false),
        ("refusals", vec![(leg(401), Rescue::NotAsked); 100], false),
    ] {
        let watch = watch();
        legs.iter().for_each(|(leg, rescue)| watch.candidate_called(leg, *rescue, None));
        assert_eq!(watch.braked().is_some(), braked, "{name}");
    }
}

#[test]
fn a_call_that_may_not_be_repeated_is_judged_by_how_legacy_does_lately() {
    let watch = watch();
    for _ in 0..10 {
        watch.exchange(&exchange(Side::Candidate, leg(500), leg(500)), None);
    }
    (0..50).for_each(|_| watch.candidate_called(&leg(500), Rescue::NotAsked, None));
    assert_eq!(watch.braked(), None, "legacy answers 500 as well");
    for _ in 0..20 {
        watch.exchange(&exchange(Side::Candidate, leg(200), leg(200)), None);
    }
    (0..5).for_each(|_| watch.candidate_called(&leg(500), Rescue::NotAsked, None));
    assert!(watch.braked().is_some());
}

/// Both lose answers at random, each its own: no brake at half of them. A candidate that fails beside them is braked.
#[test]
fn what_both_sides_lose_at_random_is_not_the_candidate() {
    let mut random = Random(17);
    for (both, candidate_alone, braked) in
        [(0.008, 0.0, false), (0.03, 0.0, false), (0.5, 0.0, false), (0.03, 0.7, true), (0.5, 1.0, true)]
    {
        let mut pulled = 0;
        for _ in 0..200 {
            let watch = watch();
            // Legacy is known from before.
            for _ in 0..500 {
                let legacy = leg(if random.unit() < both { 500 } else { 200 });
                let candidate = leg(if random.unit() < both { 500 } else { 200 });
                watch.exchange(&exchange(Side::Legacy, legacy, candidate), None);
            }
            for _ in 0..200 {
                let legacy = leg(if random.unit() < both { 500 } else { 200 });
                let is_bad = random.unit() < both || random.unit() < candidate_alone;
                let candidate = leg(if is_bad { 500 } else { 200 });
                let rescue = match (is_bad, legacy.is_failed()) {
                    (false, _) => Rescue::NotAsked,
                    (true, false) => Rescue::Answered,
                    (true, true) => Rescue::FailedToo,
                };
                watch.candidate_called(&candidate, rescue, None);
                watch.legacy_called(Ok(legacy.outcome.as_ref().unwrap().status));
                let served_by = if is_bad { Side::Legacy } else { Side::Candidate };
                watch.exchange(&exchange(served_by, legacy, candidate), None);
            }
            pulled += u32::from(watch.braked().is_some());
        }
        assert!(if braked { pulled == 200 } else { pulled <= 2 }, "{both} {candidate_alone}: {pulled} of 200");
    }
}

#[test]
fn what_both_fail_and_what_our_limits_refuse_is_evidence_for_nothing() {
    let watch = watch();
    let (fine, bad, busy) = (leg(200), leg(500), failed(Failure::Busy));
    for (legacy, candidate) in [(&fine, &fine), (&bad, &bad), (&fine, &busy), (&bad, &fine), (&fine, &bad)] {
        watch.exchange(&exchange(Side::Legacy, legacy.clone(), candidate.clone()), None);
    }
    let Observed { pairs, candidate_bad, legacy_bad, both_bad, .. } = watch.observed();
    assert_eq!((pairs, candidate_bad, legacy_bad, both_bad), (3, 1, 1, 1));
}

fn from(client: u64) -> Sender {
    Sender { credential: Some(client << 32 | client), network: u64::MAX, drawn: None }
}

/// A service with clients whom legacy lets in.
fn busy() -> Watch {
    let watch = watch();
    for client in 0..50 {
        let of = Exchange { sender: Some(from(client)), ..exchange(Side::Legacy, leg(200), leg(200)) };
        watch.exchange(&of, watch.client(&of, Some(true)));
    }
    watch
}

#[test]
fn one_client_alone_pulls_no_brake_and_several_do() {
    let failing = |watch: &Watch, client: u64| watch.candidate_called(&leg(500), Rescue::Answered, Some(&from(client)));
    let watch = busy();
    (0..1_000).for_each(|_| failing(&watch, 7));
    (1_000..2_000).for_each(|made_up| failing(&watch, made_up));
    assert_eq!(watch.braked(), None, "a client, and a network with credentials that it makes up");
    for client in 0..5 {
        watch.candidate_called(&leg(200), Rescue::NotAsked, Some(&from(client)));
        failing(&watch, client);
    }
    assert!(watch.braked().is_some());
}

#[test]
fn what_one_client_alone_sends_is_no_evidence_against_the_candidate() {
    let send = |watch: &Watch, client: u64, cell: Option<Cell>| {
        let candidate = if cell.is_some() { leg(401) } else { leg(500) };
        let of = Exchange { sender: Some(from(client)), ..exchange(Side::Legacy, leg(200), candidate) };
        let client = watch.client(&of, Some(true));
        watch.exchange(&of, client);
        cell.into_iter().for_each(|cell| watch.decided(cell, client));
    };
    let watch = busy();
    let before = watch.observed();
    for _ in 0..1_000 {
        send(&watch, 7, None);
        send(&watch, 7, Some(Cell::AllowDeny));
    }
    let alone = &watch.observed() - &before;
    assert_eq!((alone.candidate_bad, alone.lockouts), (0, 0));
    for client in 0..40 {
        send(&watch, client, None);
        send(&watch, client, Some(Cell::AllowDeny));
    }
    let all = &watch.observed() - &before;
    assert_eq!((all.candidate_bad, all.lockouts), (39, 39), "all but what the one that shows most has shown");
}
