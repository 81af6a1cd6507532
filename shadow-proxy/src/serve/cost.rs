//! What choosing a side costs, in CPU time of the whole process: `cargo ci bench choice`.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rustix::time::{ClockId, clock_gettime};

use crate::exchange::Call;
use crate::metrics::Metrics;

use super::families::Families;
use super::identity::{Id, IdKind, Identity};
use super::route::Choice;
use crate::exchange::Side;

/// `cargo ci bench choice`
#[test]
#[ignore = "a measurement; `cargo ci bench choice` runs it"]
fn choice() {
    let (empty, full) = (choosing(&[]), choosing(&issued()));
    println!("\nCPU ns to choose the side of a call with {} headers, {ROUNDS} of each kind", usual().len() + 1);
    println!("  {:<46}{:>16}{:>26}", "", "nothing issued", "100,000 values issued");
    for (name, make) in KINDS {
        let calls: Vec<Call> = (0..CLIENTS).map(make).collect();
        println!("  {name:<46}{:>16.0}{:>26.0}", nanos_each(&empty, &calls, 10_000), nanos_each(&full, &calls, 10_000));
    }
    let calls: Vec<Call> = (0..CLIENTS).map(KINDS[0].1).collect();
    println!("  {:<46}{:>16.0}{:>26.0}", "at weight 0", nanos_each(&empty, &calls, 0), nanos_each(&full, &calls, 0));
    println!("\nCPU ns to take what an answer issued");
    for (name, headers, body) in [
        ("no cookie, no JSON", headers(&[("content-type", "text/html")]), "<html>"),
        ("300 bytes of JSON that issue nothing", headers(&[("content-type", "application/json")]), VALIDATED),
    ] {
        let body = Bytes::from_static(body.as_bytes());
        let before = cpu();
        for call in calls.iter().cycle().take(ROUNDS) {
            full.issued(Some(Id::of_side(Side::Legacy)), black_box(call), &headers, &body);
        }
        println!("  {name:<46}{:>16.0}", (cpu() - before).as_secs_f64() * 1e9 / ROUNDS as f64);
    }
}

type Kind = (&'static str, fn(usize) -> Call);
const KINDS: [Kind; 11] = [
    ("opaque token", |n| call(&[("authorization", &format!("Bearer {}", opaque(n)))], "")),
    ("API key", |n| call(&[("authorization", &format!("Bearer ak_{n:016}_{}_abc123", "A".repeat(43)))], "")),
    ("signed token, 300 bytes of claims", |n| call(&[("authorization", &jwt(n, 300, Subject::First))], "")),
    ("signed token, 300 bytes, the subject last", |n| call(&[("authorization", &jwt(n, 300, Subject::Last))], "")),
    ("signed token, 1,000 bytes of claims", |n| call(&[("authorization", &jwt(n, 1_000, Subject::First))], "")),
    ("signed token, 1,000 bytes, the subject last", |n| call(&[("authorization", &jwt(n, 1_000, Subject::Last))], "")),
    ("cookies, four of them", |n| {
        call(&[("cookie", &format!("theme=dark; _ga=GA1.2.{n}.1700000000; lang=en; sid={}", opaque(n)))], "")
    }),
    ("a header by its name", |n| call(&[("x-client", &n.to_string())], "")),
    ("the address", |_| call(&[], "")),
    ("a refresh token in a form", |n| {
        let body = format!("grant_type=refresh_token&refresh_token={}", opaque(n));
        call(&[("content-type", "application/x-www-form-urlencoded")], &body)
    }),
    ("a refresh token in JSON", |n| {
        let body = format!(r#"{{"grant_type":"refresh_token","refresh_token":"{}"}}"#, opaque(n));
        call(&[("content-type", "application/json")], &body)
    }),
];

const VALIDATED: &str = r#"{"valid":true,"user_id":"user_123","roles":["reader","writer"],"scopes":["orders:read","orders:write"],"plan":{"name":"pro","price":19.9,"seats":5},"expires_at":"2099-12-31T23:59:59.000Z","limits":{"per_minute":600,"burst":20},"request":"r_1234567890","note":"nothing to say about it, but that it is there"}"#;

/// So many take turns.
const CLIENTS: usize = 1_024;
const ROUNDS: usize = 1_000_000;
const VALUES: usize = 100_000;
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn choosing(issued: &[Bytes]) -> Choice {
    let kinds = ["credential", "cookie", "header:x-client", "address"].map(|kind| kind.parse::<IdKind>().unwrap());
    let identity = Identity::new(kinds.to_vec(), *b"0123456789abcdef");
    let headers_carried = identity.headers().cloned().collect();
    let families = Families::new(VALUES, headers_carried, Arc::new(Metrics::default())).unwrap();
    let choice = Choice { identity, families: Some(families), testers: None };
    let json = headers(&[("content-type", "application/json")]);
    for body in issued {
        choice.issued(Some(Id::of_side(Side::Candidate)), &call(&[], ""), &json, body);
    }
    choice
}

/// Of which the clients have the first.
fn issued() -> Vec<Bytes> {
    (0..VALUES).map(|n| Bytes::from(format!(r#"{{"access_token":"{}"}}"#, opaque(n)))).collect()
}

fn opaque(n: usize) -> String {
    format!("opaque-token-of-client-{n:020}")
}

#[derive(Clone, Copy)]
enum Subject {
    First,
    Last,
}

fn jwt(n: usize, bytes: usize, subject: Subject) -> String {
    let padding = "s".repeat(bytes.saturating_sub(150));
    let (first, last) = match subject {
        Subject::First => (format!(r#""sub":"user_{n}","#), String::new()),
        Subject::Last => (String::new(), format!(r#","sub":"user_{n}""#)),
    };
    let claims = format!(
        r#"{{"iss":"https://issuer.example",{first}"aud":["api"],"iat":1700000000,"exp":1700003600,"jti":"{n:032}","scope":"{padding}"{last}}}"#
    );
    let [header, claims] = [r#"{"alg":"ES256","typ":"JWT","kid":"key_1"}"#, &claims]
        .map(|part| Base64UrlUnpadded::encode_string(part.as_bytes()));
    format!("Bearer {header}.{claims}.{}", "s".repeat(86))
}

fn usual() -> Vec<(&'static str, &'static str)> {
    vec![
        ("host", "auth.example"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, br"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-request-id", "0123456789abcdef"),
    ]
}

fn call(of: &[(&str, &str)], body: &str) -> Call {
    let headers = headers(&[&usual()[..], of].concat());
    Call { method: Method::POST, uri: "/auth/validate".parse().unwrap(), headers, body: body.to_owned().into() }
}

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    of.iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn nanos_each(choice: &Choice, calls: &[Call], weight_ppm: u32) -> f64 {
    let before = cpu();
    for call in calls.iter().cycle().take(ROUNDS) {
        black_box(choice.side(black_box(weight_ppm), None, black_box(call), PEER));
    }
    (cpu() - before).as_secs_f64() * 1e9 / ROUNDS as f64
}

/// Of all threads.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
