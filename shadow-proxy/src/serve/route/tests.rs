use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::*;
use crate::metrics::Metrics;
use crate::serve::identity::IdKind;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const HALF: u32 = ALL_PPM / 2;

fn choice(entries_max: usize, kinds: &[&str]) -> Choice {
    let kinds: Vec<IdKind> = kinds.iter().map(|kind| kind.parse().unwrap()).collect();
    let identity = Identity::new(kinds, *b"0123456789abcdef");
    let headers = identity.headers().cloned().collect();
    let families = Families::new(entries_max, headers, Metrics::default().into()).unwrap();
    Choice { identity, families: Some(families), testers: None }
}

fn default_choice() -> Choice {
    choice(100_000, &["credential", "cookie", "header:x-client", "address"])
}

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    of.iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn call(method: Method, of: &[(&str, &str)], body: &str) -> Call {
    Call { method, uri: "/".parse().unwrap(), headers: headers(of), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn post(of: &[(&str, &str)], body: &str) -> Call {
    call(Method::POST, of, body)
}

/// The id that a call is given, and what its answer issues taken into its family.
fn asked(choice: &Choice, call: &Call, answer: &[(&str, &str)], body: &str) -> Id {
    let chosen = choice.side(HALF, None, call, PEER);
    choice.issued(chosen.id, call, &headers(answer), &Bytes::copy_from_slice(body.as_bytes()));
    chosen.id.unwrap()
}

fn token(user: u32, kind: &str, number: u32) -> String {
    format!("{kind}-{user:08}-{number:08}-opaque")
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[test]
fn the_ends_look_at_nothing_and_who_is_served_by_the_candidate_stays_with_it() {
    let choice = default_choice();
    for n in 0..1_000 {
        let call = post(&[("authorization", &format!("Bearer {n}"))], "");
        let side = |weight_ppm| choice.side(weight_ppm, None, &call, PEER);
        assert_eq!(side(0), Chosen { side: Side::Legacy, id: None });
        assert_eq!(side(ALL_PPM), Chosen { side: Side::Candidate, id: None });
        let from = (1..=10).position(|step| side(step * 100_000).side == Side::Candidate).unwrap();
        assert!((from as u32 + 1..=10).all(|step| side(step * 100_000).side == Side::Candidate), "{n} went back");
    }
}

#[test]
fn a_session_of_tokens_keeps_the_id_with_which_it_began() {
    let choice = default_choice();
    for user in 0..500 {
        let client = user.to_string();
        let login = post(&[("x-client", &client), JSON], r#"{"user":"u","password":"p"}"#);
        let tokens = |n| {
            format!(
                r#"{{"access_token":"{}","data":{{"refresh_token":"{}"}},"expires_in":60}}"#,
                token(user, "access", n),
                token(user, "refresh", n)
            )
        };
        let id = asked(&choice, &login, &[JSON], &tokens(0));
        for n in 0..3 {
            let bearer = format!("Bearer {}", token(user, "access", n));
            assert_eq!(asked(&choice, &call(Method::GET, &[("authorization", &bearer)], ""), &[JSON], "{}"), id);
            assert_eq!(asked(&choice, &post(&[("x-api-key", &token(user, "access", n))], ""), &[], ""), id);
            let refresh = token(user, "refresh", n);
            let refresh = match n {
                0 => post(&[FORM], &format!("grant_type=refresh_token&refresh_token={refresh}&x")),
                1 => post(&[JSON], &format!(r#" {{"a":[{{}}],"refreshToken":"{refresh}"}}"#)),
                // Who holds the expired token beside.
                _ => post(&[JSON, ("authorization", &bearer)], &format!(r#"{{"refresh_token":"{refresh}"}}"#)),
            };
            assert_eq!(asked(&choice, &refresh, &[JSON], &tokens(n + 1)), id, "refresh {n}");
        }
        let logout = post(&[JSON], &format!(r#"{{"token":"{}"}}"#, token(user, "refresh", 3)));
        assert_eq!(asked(&choice, &logout, &[], ""), id);
    }
}

#[test]
fn a_session_of_cookies_keeps_the_id_with_which_it_began() {
    let choice = default_choice();
    for user in 0..200 {
        let device = format!("device={user}");
        let set = |n| format!("sid={}; Path=/; HttpOnly", token(user, "s%3A", n));
        let id = asked(&choice, &post(&[("cookie", &device)], ""), &[("set-cookie", &set(0))], "");
        for n in 0..3 {
            let cookie = format!("theme=dark; sid={}; _ga={n}", token(user, "s%3A", n));
            let next = call(Method::GET, &[("cookie", &cookie)], "");
            assert_eq!(asked(&choice, &next, &[("set-cookie", &set(n + 1))], ""), id, "also when it is renewed");
        }
    }
}

#[test]
fn a_code_is_redeemed_where_it_was_issued() {
    let choice = default_choice();
    let to = format!("https://app.example/cb?code={}&x=1", token(1, "code", 1));
    let id = asked(&choice, &call(Method::GET, &[("cookie", "a=1")], ""), &[("location", &to)], "");
    let body = format!("grant_type=authorization_code&code={}", token(1, "code", 1));
    assert_eq!(asked(&choice, &post(&[FORM, ("authorization", "Basic YTpi")], &body), &[], ""), id);
}

#[test]
fn what_many_are_issued_gathers_nobody() {
    let choice = default_choice();
    let constant = [("set-cookie", "region=eu-west-1-production-a")];
    let carrying =
        |n: u32| call(Method::GET, &[("cookie", "region=eu-west-1-production-a"), ("x-client", &n.to_string())], "");
    let own = |n| choice.identity.of(&carrying(n).headers, PEER).unwrap();
    // Who has it already does not begin anything with it.
    assert_eq!(asked(&choice, &carrying(1), &constant, ""), own(1));
    assert_eq!(asked(&choice, &carrying(2), &constant, ""), own(2));
    for n in 3..5 {
        asked(&choice, &call(Method::GET, &[("x-client", &n.to_string())], ""), &constant, "");
    }
    for n in 5..20 {
        assert_eq!(asked(&choice, &carrying(n), &constant, ""), own(n), "{n}");
    }
}

#[test]
fn only_what_may_issue_something_is_read() {
    let body = format!(r#"{{"access_token":"{}"}}"#, token(1, "access", 1));
    let bearer = format!("Bearer {}", token(1, "access", 1));
    let (padding, cookie) = ("x".repeat(64 << 10), format!("a={}", token(1, "access", 1)));
    let large = format!(r#"{{"padding":"{padding}",{}"#, &body[1..]);
    for (method, answer, body, is_known) in [
        (Method::POST, JSON, body.as_str(), true),
        (Method::PUT, JSON, &body, true),
        (Method::GET, JSON, &body, false),
        (Method::POST, ("content-type", "text/html"), &body, false),
        (Method::POST, JSON, &large, false),
        (Method::GET, ("set-cookie", &cookie), "", true),
        (Method::POST, ("set-cookie", &cookie), &large, true),
        (Method::POST, JSON, "{\"access_token\":", false),
    ] {
        let choice = default_choice();
        let id = asked(&choice, &call(method.clone(), &[("x-client", "1")], ""), &[answer], body);
        let next = asked(&choice, &post(&[("authorization", &bearer)], ""), &[], "");
        assert_eq!(next == id, is_known, "{method} {answer:?} {} bytes", body.len());
    }
}

#[test]
fn the_table_is_bounded_and_the_least_recently_used_go() {
    for entries_max in [1, 100, 5_000] {
        let choice = choice(entries_max, &["header:x-client", "address"]);
        let login = |n: u32| {
            let body = format!(r#"{{"token":"{}"}}"#, token(n, "access", 0));
            asked(&choice, &post(&[("x-client", &n.to_string())], ""), &[JSON], &body)
        };
        let known = |n: u32, id| {
            let bearer = format!("Bearer {}", token(n, "access", 0));
            choice.side(HALF, None, &post(&[("authorization", &bearer)], ""), PEER).id == Some(id)
        };
        let first = login(0);
        let others: Vec<Id> = (1..3 * entries_max as u32 + 1).map(login).collect();
        assert!(!known(0, first));
        let known = others.iter().zip(1..).filter(|&(&id, n)| known(n, id)).count();
        // A shard may be full before another is.
        assert!((entries_max.div_ceil(2)..=entries_max + 16).contains(&known), "{known} of {entries_max}");
    }
}

#[test]
fn testers_and_the_rescued_begin_sessions_on_their_side() {
    let choice = default_choice();
    for (side, weight_ppm) in [(Side::Candidate, 1), (Side::Legacy, ALL_PPM - 1)] {
        let login = post(&[("x-client", side.name())], "");
        let chosen = choice.side(weight_ppm, Some(side), &login, PEER);
        assert_eq!((chosen.side, chosen.id), (side, Some(Id::of_side(side))));
        let body = format!(r#"{{"token":"token-of-{}-0123456789"}}"#, side.name());
        choice.issued(chosen.id, &login, &headers(&[JSON]), &body.into());
        let bearer = format!("Bearer token-of-{}-0123456789", side.name());
        assert_eq!(choice.side(weight_ppm, None, &post(&[("authorization", &bearer)], ""), PEER).side, side);
    }
    for weight_ppm in [0, ALL_PPM] {
        for side in [Side::Legacy, Side::Candidate] {
            assert_eq!(choice.side(weight_ppm, Some(side), &post(&[], ""), PEER), Chosen { side, id: None });
        }
    }
}

#[test]
fn who_cannot_be_known_again_stays_with_legacy() {
    let choice = choice(10, &["cookie:sid"]);
    let chosen = choice.side(ALL_PPM - 1, None, &post(&[("authorization", "Bearer a")], ""), PEER);
    assert_eq!(chosen, Chosen { side: Side::Legacy, id: Some(Id::of_side(Side::Legacy)) });
}

proptest! {
    #[test]
    fn garbage_is_served(
        value in proptest::collection::vec(any::<u8>(), 0..120),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        text in "[\\[\\]{}\":,a-z&=%0-9 \\\\]{0,120}",
        media_type in 0..3_usize,
    ) {
        let choice = choice(4, &["credential", "cookie:a", "header:x-a"]);
        choice.issued(Some(Id::of_side(Side::Candidate)), &post(&[], ""), &headers(&[("set-cookie", "a=0123456789abcdef")]), &Bytes::new());
        let media_type = ["application/json", "application/x-www-form-urlencoded", "text/plain"][media_type];
        let text = format!(r#"{{"token":"{text}"#);
        for body in [body, text.into_bytes()] {
            let mut sent = headers(&[("content-type", media_type)]);
            for name in ["authorization", "x-api-key", "cookie", "x-a", "set-cookie", "location"] {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    sent.append(name, value);
                }
            }
            let call = Call { method: Method::POST, uri: "/".parse().unwrap(), headers: sent, body: body.into() };
            let chosen = choice.side(HALF, None, &call, PEER);
            choice.issued(chosen.id, &call, &call.headers, &call.body);
            prop_assert!(choice.side(HALF, None, &call, PEER).id.is_some());
        }
    }
}
