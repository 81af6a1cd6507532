//! What a comparison costs, in CPU time of the whole process: `cargo ci bench compare` and `cargo ci bench json-size`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rustix::time::{ClockId, clock_gettime};

use crate::exchange::{Answer, Call, Exchange, Leg, Side};
use crate::metrics::Metrics;

use super::again::{Again, AgainPolicy};
use super::compare::Comparer;
use super::endpoint::Endpoints;
use super::judge::Judge;
use super::record::{Origin, Recorder, StoreLimits};
use super::redact::Redactor;
use super::route_class::Routes;
use super::rules::Day;
use super::session::{SessionLimits, Sessions};
use super::shape::Shapes;

/// `cargo ci bench compare`
#[test]
#[ignore = "a measurement; `cargo ci bench compare` runs it"]
fn compare() {
    println!("\nCPU µs for an exchange with bodies of {} bytes, {ROUNDS} of each kind", body("user_1", "r").len());
    println!("  {:<46}{:>12}{:>22}", "", "comparison", "with all of recording");
    for (name, candidate, is_asked_again) in [
        ("equal", CANDIDATES[0], false),
        ("explained: three headers differ", CANDIDATES[1], false),
        ("explained, and legacy asked again", CANDIDATES[1], true),
        ("another id in the body, and no rule", CANDIDATES[2], false),
    ] {
        let exchanges: Vec<Exchange> = (0..VARIANTS).map(|user| exchange(user, candidate, is_asked_again)).collect();
        println!("  {name:<46}{:>12.1}{:>22.1}", compared(&exchanges), recorded(&exchanges));
    }
}

/// `cargo ci bench json-size`
#[test]
#[ignore = "a measurement; `cargo ci bench json-size` runs it"]
fn json_size() {
    println!("\nCPU ns for each byte of two JSON bodies, read, decided about and compared, by the size of one");
    println!("  {:<36}{}", "", SIZES.map(|(name, _)| format!("{name:>9}")).concat());
    for (name, shape) in SHAPES {
        let cells = SIZES.map(|(_, size)| format!("{:>9}", nanos_each(&shape(size, 0), &shape(size, 1))));
        println!("  {name:<36}{}", cells.concat());
    }
}

const SIZES: [(&str, usize); 6] = [
    ("1 kB", 1_000),
    ("16 kB", 16_000),
    ("256 kB", 256_000),
    ("1 MB", 1_000_000),
    ("4 MB", 4_000_000),
    ("16 MB", 16_000_000),
];

/// A document of that size, of the legacy service (0) or of the candidate (1).
type Shape = fn(usize, usize) -> String;
const SHAPES: [(&str, Shape); 7] = [
    ("users, one field of each differs", |size, side| {
        let role = ["reader", "writer"][side];
        elements(size / 100, |id| {
            format!(
                r#"{{"id":{id},"name":"Name of user {id}","role":"{role}","active":true,"note":"nothing to say about it"}}"#
            )
        })
    }),
    ("users, one more at the beginning", |size, side| {
        elements(size / 50 + side, |id| {
            format!(r#"{{"id":{},"name":"Name of user {}","n":1}}"#, id + 1 - side, id + 1 - side)
        })
    }),
    ("numbers in another order", |size, side| {
        let count = size / 8;
        elements(count, |at| (1_000_000 + if side == 0 { at } else { (at * 7_919 + 13) % count }).to_string())
    }),
    ("objects in another order", |size, side| {
        let count = size / 24;
        let id = |at| if side == 0 { at } else { count - 1 - at };
        elements(count, |at| format!(r#"{{"id":{},"a":[1,2]}}"#, 1_000_000 + id(at)))
    }),
    ("one name again and again", |size, side| {
        let members: Vec<String> = (0..size / 12).map(|at| format!(r#""name":{}"#, 1_000 + at % 7 + side)).collect();
        format!("{{{}}}", members.join(","))
    }),
    ("names, each another", |size, side| {
        let members: Vec<String> = (0..size / 16).map(|at| format!(r#""n{:08}":{side}"#, at)).collect();
        format!("{{{}}}", members.join(","))
    }),
    ("10,000 levels, again and again", |size, side| {
        let depth = (size / 2).min(9_990);
        let deep = format!("{}{side}{}", "[".repeat(depth), "]".repeat(depth));
        elements((size / deep.len()).max(1), |_| deep.clone())
    }),
];

fn elements(count: usize, element: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..count).map(element).collect::<Vec<_>>().join(","))
}

/// Or why they are not compared.
fn nanos_each(legacy: &str, candidate: &str) -> String {
    let exchange =
        Exchange { served: leg("1", legacy), mirrored: leg("1", candidate), ..exchange(1, CANDIDATES[0], false) };
    let comparer = Comparer::default();
    let rounds = (4_000_000 / legacy.len()).clamp(1, 1_000);
    let before = cpu();
    for _ in 0..rounds {
        let compared = comparer.compare(&exchange.call, &exchange.served, &exchange.mirrored, ENDPOINT, Day::of_ms(0));
        match compared {
            Ok(comparison) => assert!(!comparison.differences.is_empty()),
            Err(reason) => return reason.0.to_owned(),
        }
    }
    let bytes = (legacy.len() + candidate.len()) * rounds;
    format!("{:.1}", (cpu() - before).as_secs_f64() * 1e9 / bytes as f64)
}

/// What makes a candidate: the value of its headers that differ each time, and of an id in its body.
type Candidate = (&'static str, &'static str);
const CANDIDATES: [Candidate; 3] = [("1", "r"), ("2", "r"), ("2", "another")];

/// So many users take turns.
const VARIANTS: usize = 64;
const ROUNDS: usize = 200_000;
/// What the writer takes at once, less a rest; it looks every 100 ms.
const BURST: usize = 6_000;

fn exchange(user: usize, (volatile, id): Candidate, is_asked_again: bool) -> Exchange {
    let user = format!("user_{user}");
    let call = Call {
        method: Method::POST,
        uri: "/auth/validate".parse().unwrap(),
        headers: headers(&[("authorization", &format!("Bearer {user}")), ("accept", "application/json")]),
        body: Bytes::new(),
    };
    Exchange {
        begun: Instant::now(),
        call: Arc::new(call),
        served_by: Side::Legacy,
        served: leg("1", &body(&user, "r")),
        mirrored: leg(volatile, &body(&user, id)),
        again: is_asked_again.then(|| leg("3", &body(&user, "r"))),
    }
}

fn leg(volatile: &str, body: &str) -> Leg {
    let headers = headers(&[
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("content-length", &body.len().to_string()),
        ("date", &format!("Fri, 31 Jan 2025 10:00:0{volatile} GMT")),
        ("x-request-id", volatile),
        ("x-runtime", volatile),
        ("vary", "authorization"),
    ]);
    let answer = Answer { status: StatusCode::OK, headers, body: Bytes::copy_from_slice(body.as_bytes()) };
    Leg { outcome: Ok(answer), latency: Duration::from_millis(1) }
}

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    let header =
        |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) { (name.parse().unwrap(), value.parse().unwrap()) };
    of.iter().map(header).collect()
}

/// Of 300 bytes.
fn body(user: &str, id: &str) -> String {
    let text = format!(
        r#"{{"valid":true,"user_id":"{user}","roles":["reader","writer"],"scopes":["orders:read","orders:write"],"plan":{{"name":"pro","price":19.9,"seats":5}},"expires_at":"2099-12-31T23:59:59.000Z","limits":{{"per_minute":600,"burst":20}},"request":"{id}","note":""}}"#
    );
    let missing = 300_usize.saturating_sub(text.len());
    text.replace(r#""note":"""#, &format!(r#""note":"{}""#, "n".repeat(missing)))
}

fn compared(exchanges: &[Exchange]) -> f64 {
    let comparer = Comparer::default();
    let before = cpu();
    for exchange in exchanges.iter().cycle().take(ROUNDS) {
        let (legacy, candidate) = (&exchange.served, &exchange.mirrored);
        std::hint::black_box(comparer.compare(&exchange.call, legacy, candidate, ENDPOINT, Day::of_ms(0)).unwrap());
    }
    micros_each(cpu() - before)
}

/// Everything between the answers and the disk, the thread that writes included.
fn recorded(exchanges: &[Exchange]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::default());
    let limits = StoreLimits { bytes_max: 100_000_000, age_max: Duration::from_secs(86_400) };
    let origin = Origin { build: "b".into(), rules: "r".into() };
    let (recorder, writer) = Recorder::start(folder.path(), limits, &origin, metrics.clone()).unwrap();
    let endpoints = Endpoints::parse(&["/auth/validate".to_owned()]).unwrap();
    let (ttl, wait_max) = (Duration::from_secs(3_600), [Duration::from_secs(1); 2]);
    let sessions = SessionLimits { enabled: true, entries_max: 100_000, ttl, wait_max };
    let judge = Judge {
        comparer: Arc::new(ArcSwap::from_pointee(Comparer::default())),
        redactor: Redactor::new(&[], &endpoints).unwrap(),
        endpoints,
        routes: Routes::default(),
        again: Again::new(AgainPolicy::default(), HashMap::new()).unwrap(),
        shapes: Shapes::new().unwrap(),
        sessions: Sessions::new(sessions, metrics.clone()).unwrap(),
        recorder,
        capture: None,
        metrics: metrics.clone(),
        watch: None,
        keep_match_every: 1_000,
        besides: AtomicU64::new(0),
    };
    let before = cpu();
    for (number, exchange) in exchanges.iter().cycle().take(ROUNDS).enumerate() {
        judge.judge(exchange);
        if number % BURST == 0 {
            // Costs nothing, and nothing is lost.
            std::thread::sleep(Duration::from_millis(250));
        }
    }
    judge.recorder.end();
    writer.join().unwrap();
    let spent = cpu() - before;
    assert_eq!((metrics.records_lost.get(), metrics.compared.get()), (0, ROUNDS as u64));
    micros_each(spent)
}

const ENDPOINT: &str = "POST /auth/validate";

fn micros_each(spent: Duration) -> f64 {
    spent.as_secs_f64() * 1e6 / ROUNDS as f64
}

/// Of all threads.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
