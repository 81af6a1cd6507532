//! When the brake is pulled, call by call.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::*;
use crate::exchange::{Answer, Call};
use crate::shift::evidence::random::Random;

fn leg(status: u16) -> Leg {
    let status = StatusCode::from_u16(status).unwrap();
    Leg { outcome: Ok(Answer { status, headers: HeaderMap::new(), body: Bytes::new() }), latency: Duration::ZERO }
}

fn failed(failure: Failure) -> Leg {
    Leg { outcome: Err(failure), latency: Duration::ZERO }
}

fn watch() -> Watch {
    let weight = Arc::new(Weight::default());
    weight.set(500_000);
    Watch::new(&Plan::default(), weight, Arc::default())
}

fn exchange(served_by: Side, legacy: Leg, candidate: Leg) -> Exchange {
    let call = Call { method: Method::GET, uri: Uri::from_static("/"), headers: HeaderMap::new(), body: Bytes::new() };
    let (served, mirrored) = match served_by {
        Side::Legacy => (legacy, candidate),
        Side::Candidate => (candidate, legacy),
    };
    let begun = Instant::now();
    Exchange { begun, call: Arc::new(call), served_by, served, mirrored, again: None, doubt: None }
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
        legs.iter().for_each(|(leg, rescue)| watch.candidate_called(leg, *rescue));
        assert_eq!(watch.braked().is_some(), braked, "{name}");
    }
}

#[test]
fn a_call_that_may_not_be_repeated_is_judged_by_how_legacy_does_lately() {
    let watch = watch();
    for _ in 0..10 {
        watch.exchange(&exchange(Side::Candidate, leg(500), leg(500)));
    }
    (0..50).for_each(|_| watch.candidate_called(&leg(500), Rescue::NotAsked));
    assert_eq!(watch.braked(), None, "legacy answers 500 as well");
    for _ in 0..20 {
        watch.exchange(&exchange(Side::Candidate, leg(200), leg(200)));
    }
    (0..5).for_each(|_| watch.candidate_called(&leg(500), Rescue::NotAsked));
    assert!(watch.braked().is_some());
}

/// Both lose answers at random, each its own: no brake at half of them. A candidate that fails beside them is braked.
#[test]
fn what_both_sides_lose_at_random_is_not_the_candidate() {
    let mut random = Random(17);
    for (both, candidate_alone, braked) in [(0.03, 0.0, false), (0.5, 0.0, false), (0.03, 0.7, true)] {
        let mut pulled = 0;
        for _ in 0..200 {
            let watch = watch();
            for _ in 0..200 {
                let legacy = leg(if random.unit() < both { 500 } else { 200 });
                let is_bad = random.unit() < both || random.unit() < candidate_alone;
                let candidate = leg(if is_bad { 500 } else { 200 });
                let rescue = match (is_bad, legacy.is_failed()) {
                    (false, _) => Rescue::NotAsked,
                    (true, false) => Rescue::Answered,
                    (true, true) => Rescue::FailedToo,
                };
                watch.candidate_called(&candidate, rescue);
                watch.legacy_called(Ok(legacy.outcome.as_ref().unwrap().status));
                let served_by = if is_bad { Side::Legacy } else { Side::Candidate };
                watch.exchange(&exchange(served_by, legacy, candidate));
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
        watch.exchange(&exchange(Side::Legacy, legacy.clone(), candidate.clone()));
    }
    let Observed { pairs, candidate_bad, legacy_bad, both_bad, .. } = watch.observed();
    assert_eq!((pairs, candidate_bad, legacy_bad, both_bad), (3, 1, 1, 1));
}
