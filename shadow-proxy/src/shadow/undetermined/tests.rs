use std::sync::Arc;
use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::exchange::{Answer, Call, Failure};

#[test]
fn only_flipped_decisions_are_undetermined() {
    for why in Undetermined::ALL {
        let doubted = Exchange { doubt: Some(why), ..exchange(&json!({}), Side::Legacy, leg(1, 0), leg(1, 0)) };
        for cell in Cell::ALL {
            let expected = matches!(cell, Cell::AllowDeny | Cell::DenyAllow).then_some(why);
            assert_eq!(undetermined(&doubted, cell), expected, "{cell:?}");
        }
        assert_eq!(why.rule(), format!("undetermined:{}", why.name()));
        assert_eq!(serde_json::to_value(why).unwrap(), why.name());
    }
    assert_eq!(undetermined(&exchange(&json!({}), Side::Legacy, leg(1, 0), leg(1, 0)), Cell::DenyAllow), None);
}

/// Times in milliseconds after a second that all cases share.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    claims: Value,
    /// Begin and end of the leg.
    legacy: [u64; 2],
    candidate: [u64; 2],
    cell: String,
    is_claimed: bool,
}

#[test]
fn claims_explain_what_lies_between_the_legs_and_nothing_else() {
    const SECOND: u64 = 1_790_000_000;
    let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/moments.json")).unwrap();
    for Case { name, claims, legacy, candidate, cell, is_claimed } in cases {
        let absolute = |(name, value): (&String, &Value)| {
            let value = value.as_f64().map_or(value.clone(), |seconds| json!(SECOND as f64 + seconds));
            (name.clone(), value)
        };
        let claims = Value::Object(claims.as_object().unwrap().iter().map(absolute).collect());
        let [legacy, candidate] =
            [legacy, candidate].map(|[begin, end]| leg(SECOND * 1_000 + begin - 100_000, end - begin));
        let exchange = exchange(&claims, Side::Candidate, candidate, legacy);
        let question = question(&exchange, [&exchange.call; 2], flip(&cell), false, 200, 0).expect("a flip");
        assert_eq!(question.is_claimed, is_claimed, "{name}");
    }
}

/// Tokens are found wherever a call carries them, and what is none says nothing.
#[test]
fn moments_are_read_from_every_part_of_a_call() {
    let token = |claims: Value| format!("eyJhbGciOiJub25lIn0.{}.c2ln", base64url(&claims));
    let end = token(json!({"exp": 1_790_000_000}));
    let mut call =
        exchange(&json!({"exp": 1_790_000_001.5, "nbf": "soon", "iat": -1}), Side::Legacy, leg(1, 0), leg(1, 0))
            .call
            .as_ref()
            .clone();
    assert_eq!(ends(&call), [1_790_000_001_500]);
    call.headers.clear();
    for (header, uri, body) in [
        (format!("sid=1; token={end}"), "/a".to_owned(), String::new()),
        (String::new(), format!("/a?x=1&token={end}&y=2"), String::new()),
        (String::new(), "/a".to_owned(), format!("token={end}&hint=a")),
        (String::new(), "/a".to_owned(), format!(r#"{{"token":"{end}"}}"#)),
    ] {
        call.headers.insert("cookie", header.parse().unwrap());
        (call.uri, call.body) = (uri.parse().unwrap(), body.into());
        assert_eq!(ends(&call), [1_790_000_000_000], "{call:?}");
    }
    for other in ["a.b.c", "eyJ.e30.a", "eyJhbGciOiJub25lIn0.!.a", "eyJhbGciOiJub25lIn0.e30"] {
        call.headers.insert("cookie", other.parse().unwrap());
        call.body = Bytes::new();
        assert!(claims::moments(&call).is_empty(), "{other}");
    }
}

fn ends(call: &Call) -> Vec<u64> {
    let moments = claims::moments(call);
    assert!(moments.iter().all(|moment| moment.claim == Claim::End), "{moments:?}");
    moments.into_iter().map(|moment| moment.at_ms).collect()
}

/// The mirror puts the other side's token into a call; it was issued later, and so it ends later.
#[test]
fn each_side_is_held_to_the_token_that_it_was_asked_about() {
    const END: u64 = 1_790_000_000;
    let call = |ends: &[u64]| {
        let tokens = ends.iter().map(|end| format!("eyJhbGciOiJub25lIn0.{}.c2ln", base64url(&json!({"exp": end}))));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, tokens.collect::<Vec<_>>().join(" ").parse().unwrap())]);
        Call { method: Method::GET, uri: "/a".parse().unwrap(), headers, body: Bytes::new() }
    };
    let legs = |legacy_ms, candidate_ms| exchange(&json!({}), Side::Legacy, leg(legacy_ms, 1), leg(candidate_ms, 1));
    let end_ms = END * 1_000;
    for (name, exchange, legacy, candidate, is_claimed) in [
        ("ended at legacy, not yet at the candidate", legs(end_ms, end_ms + 500), &[END][..], &[END + 1][..], true),
        ("ended at both", legs(end_ms + 2_000, end_ms + 2_500), &[END], &[END + 1], false),
        ("ended at neither", legs(end_ms - 2_000, end_ms - 1_500), &[END], &[END + 1], false),
        ("not moved, and ended", legs(end_ms, end_ms + 500), &[END], &[END], false),
        (
            "another token of the call is good",
            legs(end_ms + 9_000, end_ms + 9_001),
            &[END, END + 60],
            &[END, END + 60],
            false,
        ),
        ("tokens that nobody has in common", legs(end_ms, end_ms + 500), &[END], &[], false),
    ] {
        let calls = [&call(legacy), &call(candidate)];
        let question = question(&exchange, calls, flip("deny_allow"), false, 200, end_ms).expect("a flip");
        assert_eq!(question.is_claimed, is_claimed, "{name}");
        if is_claimed {
            assert_eq!(question.ask_at_ms, end_ms + 1_200, "once it has ended at both");
        }
    }
}

#[test]
fn who_came_round_says_whether_it_was_time_or_chance() {
    use Decision::{Allow, Deny, Error};
    let question = |is_claimed| Question { is_claimed, over_ms: 0, ask_at_ms: 0 };
    let breach = (Deny, Allow);
    let lockout = (Allow, Deny);
    for (first, again, before, is_claimed, expected) in [
        // It ended: a token says so, or legacy let it in before.
        (breach, (Deny, Deny), None, true, true),
        (breach, (Deny, Deny), Some(Allow), false, true),
        // The candidate let it in by chance.
        (breach, (Deny, Deny), None, false, false),
        (breach, (Deny, Deny), Some(Deny), false, false),
        // It began, and legacy is the one that knows.
        (breach, (Allow, Allow), None, false, true),
        (lockout, (Deny, Deny), Some(Allow), false, true),
        // The candidate locked somebody out by chance.
        (lockout, (Allow, Allow), Some(Allow), false, false),
        (lockout, (Allow, Allow), None, false, false),
        (lockout, (Allow, Allow), Some(Deny), false, true),
        // It is as it was: whatever a token says, time does not explain it.
        (breach, (Deny, Allow), Some(Allow), true, false),
        (lockout, (Allow, Deny), Some(Deny), true, false),
        (breach, (Allow, Deny), None, true, false),
        (breach, (Error, Error), None, true, false),
    ] {
        let question = question(is_claimed);
        assert_eq!(is_explained(question, first, again, before), expected, "{first:?} {again:?} {before:?}");
    }
}

/// A client uses a token until long after its end, at moments of its own; the mirrored leg follows after a while.
/// A candidate with legacy's clock has no breach, and one that is lenient by a second or more is found in the first 20
/// calls that it lets in wrongly.
#[test]
fn an_end_is_no_breach_and_a_lenient_clock_is_one() {
    const END_MS: u64 = 1_790_000_000_000;
    const CALLS: u64 = 20_000;
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for (lenient_ms, skew_ms) in [(0, 0), (0, 150), (1_000, 0), (1_000, 150), (30_000, 0)] {
        for served_by in [Side::Legacy, Side::Candidate] {
            let (mut breaches, mut lockouts, mut wrong, mut first_found) = (0, 0, 0, None);
            for _ in 0..CALLS {
                let begun_ms = END_MS - 2_000 + random(4_000);
                let delay_ms = random(500);
                let times = [begun_ms, begun_ms + 1 + delay_ms];
                let [legacy_ms, candidate_ms] = if served_by == Side::Legacy { times } else { [times[1], times[0]] };
                // Legacy's clock is ahead.
                let legacy_lets_in = legacy_ms + skew_ms < END_MS;
                let candidate_lets_in = candidate_ms < END_MS + lenient_ms;
                let cell = match (legacy_lets_in, candidate_lets_in) {
                    (true, true) | (false, false) => continue,
                    (true, false) => Cell::AllowDeny,
                    (false, true) => Cell::DenyAllow,
                };
                let [served, mirrored] = times.map(|begun_ms| leg(begun_ms, 0));
                let claims = json!({"iat": END_MS / 1_000 - 60, "exp": END_MS / 1_000});
                let exchange = exchange(&claims, served_by, served, mirrored);
                // Nobody is asked again here: the claims alone decide.
                let is_claimed = question(&exchange, [&exchange.call; 2], flip(cell.name()), false, 200, 0)
                    .expect("a flip")
                    .is_claimed;
                let is_wrong = legacy_ms >= END_MS && cell == Cell::DenyAllow;
                wrong += u64::from(is_wrong && candidate_ms >= END_MS);
                breaches += u64::from(!is_claimed && cell == Cell::DenyAllow);
                lockouts += u64::from(!is_claimed && cell == Cell::AllowDeny);
                if !is_claimed {
                    first_found = first_found.or(Some(wrong));
                }
            }
            assert_eq!(lockouts, 0);
            if lenient_ms == 0 {
                assert_eq!(breaches, 0, "{served_by:?}, apart by {skew_ms} ms");
            } else {
                assert!(breaches * 2 > wrong, "{breaches} of {wrong}");
                assert!(first_found.is_some_and(|after| after <= 20), "{first_found:?}");
            }
        }
    }
}

fn exchange(claims: &Value, served_by: Side, served: Leg, mirrored: Leg) -> Exchange {
    let token = format!("Bearer eyJhbGciOiJub25lIn0.{}.c2ln", base64url(claims));
    let headers = HeaderMap::from_iter([(AUTHORIZATION, token.parse().unwrap())]);
    Exchange {
        begun: Instant::now(),
        call: Arc::new(Call { method: Method::GET, uri: "/a".parse().unwrap(), headers, body: Bytes::new() }),
        sender: None,
        served_by,
        served,
        mirrored,
        again: None,
        doubt: None,
    }
}

fn leg(begun_ms: u64, took_ms: u64) -> Leg {
    let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::new() };
    Leg::answered(answer, begun_ms, Duration::from_millis(took_ms))
}

#[test]
fn a_leg_of_unknown_time_is_explained_by_none() {
    let known = leg(1_790_000_000_000, 0);
    let exchange =
        exchange(&json!({"exp": 1_790_000_000}), Side::Legacy, Leg::failed(Failure::Closed, 0, Duration::ZERO), known);
    assert!(!question(&exchange, [&exchange.call; 2], flip("allow_deny"), false, 200, 5).unwrap().is_claimed);
}

#[test]
fn only_what_may_be_excused_is_waited_for() {
    let asked_at = |claims: Value, is_suspected| {
        let exchange = exchange(&claims, Side::Candidate, leg(1_790_000_000_000, 0), leg(1_790_000_000_050, 0));
        question(&exchange, [&exchange.call; 2], flip("deny_allow"), is_suspected, 200, 1_790_000_000_060)
            .unwrap()
            .ask_at_ms
            - 1_790_000_000_000
    };
    assert_eq!(asked_at(json!({}), false), 60, "at once");
    assert_eq!(asked_at(json!({}), true), 260, "legacy let it in before");
    assert_eq!(asked_at(json!({"exp": 1_790_000_000.02}), false), 260);
    assert_eq!(asked_at(json!({"exp": 1_790_000_000.2}), false), 400, "when the end is over on both sides");
    assert_eq!(asked_at(json!({"exp": 1_790_000_300}), false), 60, "another time");
}

fn flip(cell: &str) -> Pair {
    match cell {
        "deny_allow" => (Decision::Deny, Decision::Allow),
        "allow_deny" => (Decision::Allow, Decision::Deny),
        other => panic!("{other} is no flip"),
    }
}

fn base64url(claims: &Value) -> String {
    Base64UrlUnpadded::encode_string(claims.to_string().as_bytes())
}
