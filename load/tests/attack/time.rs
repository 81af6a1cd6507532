//! Open loop: when requests are sent, and from when their time counts. Bounds are wide where a busy machine decides.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::service::{Asked, Reply, Service};
use crate::world::World;

fn world() -> World {
    World::new().case(json!({
        "name": "get", "weight": 1, "request": {"method": "GET", "path": "/"}, "expect": {"status": 200, "body_bytes": 2},
    }))
}

fn fine(_: &Asked) -> Reply {
    Reply::new(200).body("ok")
}

fn us(json: &Value, series: &str, quantile: &str) -> u64 {
    json[series][quantile].as_u64().unwrap_or_else(|| panic!("{series} {quantile}: {json}"))
}

/// No request is made up, and none is left out: this guards against a correction on top of times from the plan.
fn adds_up(json: &Value) {
    let slices = json["slices"].as_array().expect("a list");
    let answered: u64 = slices.iter().map(|slice| slice["answered"].as_u64().expect("a count")).sum();
    assert_eq!(json["requests"].as_u64(), Some(answered), "{json}");
}

#[test]
fn a_rate_is_kept_to() {
    let service = Service::start(fine);
    let done = world().attack(&service.url(), "--time 2s --rate 200");
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    assert_eq!((&json["requests"], &json["rate_planned"], &json["unsent"]), (&json!(400), &json!(200.0), &json!(0)));
    let achieved = json["achieved_rate"].as_f64().expect("a number");
    assert!((190.0..=200.0).contains(&achieved), "{achieved}");
    assert_eq!(json["load"], json!({"kind": "rate", "arrivals": "constant"}));
    assert_eq!(json["slices"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["short"], true);
    assert!(json["latency_us"]["p99"].is_u64() && json["lag_us"]["p50"].is_u64());
    adds_up(&json);
}

#[test]
fn independent_clients_come_at_random_and_the_same_for_the_same_seed() {
    let requests = |seed: u32| {
        let service = Service::start(fine);
        let arguments = format!("--time 1s --rate 200 --arrivals poisson --seed {seed}");
        let done = world().attack(&service.url(), &arguments);
        assert_eq!(done.code, Some(0), "{done:?}");
        done.json()["requests"].as_u64().expect("a count")
    };
    let first = requests(1);
    assert!((130..270).contains(&first), "{first}: five standard deviations around 200");
    assert_eq!(requests(1), first);
}

/// Frozen for T in a run of D, P(R > x) is (T - x) / D: with 1 s in 10 s the p95 is 0.5 s and the p99 0.9 s. Requests
/// that wait for one of four connections are not sent yet, so that the service time hides nearly all of it.
#[test]
fn a_frozen_service_shows_in_the_response_time_and_not_in_the_service_time() {
    static START: OnceLock<Instant> = OnceLock::new();
    let service = Service::start(|asked| {
        const FROZEN_AT: Duration = Duration::from_secs(4);
        const THAWED_AT: Duration = Duration::from_secs(5);
        let since = START.get_or_init(Instant::now).elapsed();
        if (FROZEN_AT..THAWED_AT).contains(&since) {
            std::thread::sleep(THAWED_AT - since); // this is what a frozen service is
        }
        fine(asked)
    });
    let done = world().attack(&service.url(), "--time 10s --rate 200 --connections 4");
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    assert_eq!(json["requests"], 2_000);
    assert!((350_000..700_000).contains(&us(&json, "latency_us", "p95")), "{}", json["latency_us"]);
    assert!((750_000..1_150_000).contains(&us(&json, "latency_us", "p99")), "{}", json["latency_us"]);
    assert!(us(&json, "latency_us", "p50") < 100_000, "{}", json["latency_us"]);
    assert!(us(&json, "service_us", "p95") < 200_000, "{}", json["service_us"]);
    assert!(us(&json, "service_us", "max") >= 900_000, "{}", json["service_us"]);
    assert!(json["queued_at_cap"].as_u64() > Some(100), "{json}");
    adds_up(&json);
}

#[test]
fn a_fixed_and_a_bimodal_sleep_are_found_at_their_percentiles() {
    let fixed = Service::start(|asked| {
        std::thread::sleep(Duration::from_millis(20));
        fine(asked)
    });
    let json = world().attack(&fixed.url(), "--time 3s --rate 150").json();
    for series in ["latency_us", "service_us"] {
        assert!((20_000..60_000).contains(&us(&json, series, "p50")), "{}", json[series]);
    }
    let bimodal = Service::start(|asked| {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let slow = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(10);
        std::thread::sleep(Duration::from_millis(if slow { 200 } else { 10 }));
        fine(asked)
    });
    let json = world().attack(&bimodal.url(), "--time 3s --rate 150").json();
    assert!((10_000..100_000).contains(&us(&json, "service_us", "p50")), "{}", json["service_us"]);
    assert!((200_000..300_000).contains(&us(&json, "service_us", "p95")), "{}", json["service_us"]);
    adds_up(&json);
}

#[test]
fn what_had_no_connection_in_time_is_told() {
    let service = Service::start(|asked| {
        std::thread::sleep(Duration::from_millis(50)); // this is what a slow service is
        fine(asked)
    });
    let done = world().attack(&service.url(), "--time 1s --rate 100 --connections 1");
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    let sent = json["requests"].as_u64().expect("a count");
    assert_eq!(sent + json["unsent"].as_u64().expect("a count"), 100);
    assert!(sent <= 27, "one connection, 50 ms each, 1.25 s: {sent}");
    // The last one sent was planned 40 ms earlier per request before it than one connection could send it.
    assert!(us(&json, "latency_us", "max") >= 35_000 * (sent - 1), "{json}");
    assert!(us(&json, "service_us", "p50") >= 50_000, "{json}");
    assert_eq!(json["validity"]["verdict"], "target-saturated", "{}", json["validity"]);
    assert!(done.stdout.contains("allow more with --connections"), "{}", done.stdout);
}

#[test]
fn options_and_kept_connections_that_are_closed_are_no_trouble() {
    // Every answer says that it is the last of its connection.
    let service = Service::start(|asked| {
        let status = if asked.method == "OPTIONS" { 204 } else { 404 };
        Reply::new(status).header("connection", "close")
    });
    let world = World::new().case(json!({
        "name": "preflight", "weight": 1, "request": {"method": "OPTIONS", "path": "/"}, "expect": {"status": 204},
    }));
    let done = world.attack(&service.url(), "--requests 100 --rate 200");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["requests"], 100);
}

#[test]
fn a_capture_is_sent_with_its_gaps() {
    let service = Service::start(|asked| {
        let known = asked.path == "/a?x=1" && asked.header("authorization") == ["Bearer stand-in"];
        Reply::new(if known { 200 } else { 401 })
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("capture.jsonl");
    let mut lines =
        vec![json!({"format": "shadow-proxy capture", "v": 1, "build": "", "started": "", "secrets": "stand-ins"})];
    for number in 0..20 {
        let (path, status) = if number % 4 == 0 { ("/b", 401) } else { ("/a?x=1", 200) };
        lines.push(json!({
            "at_us": 5_000_000 + number * 100_000, "session": null, "verdict": "match",
            "call": {"method": "GET", "target": path, "headers": [["host", "old"], ["authorization", "Bearer stand-in"]]},
            "legacy": {"status": status, "latency_us": 900, "headers": []},
        }));
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text).expect("a file");
    let done = world().attack(&service.url(), &format!("--capture {} --speed 4", file.display()));
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    assert_eq!((&json["requests"], &json["load"]["arrivals"]), (&json!(20), &json!("recorded")));
    let counts: Vec<_> =
        json["by_case"].as_array().expect("a list").iter().map(|case| (&case["name"], &case["requests"])).collect();
    assert_eq!(counts, [(&json!("GET /b"), &json!(5)), (&json!("GET /a"), &json!(15))]);
    // 1.9 s at four times the speed.
    assert!(json["seconds"].as_f64() >= Some(0.475), "{json}");
}
