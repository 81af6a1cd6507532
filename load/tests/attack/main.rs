//! The real binary against a real, small HTTP server.

mod measuring;
mod service;
mod time;
mod world;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::service::{Asked, Reply, Service};
use crate::world::{Done, World};

const CANARY: &str = "canary-7f3a";

/// Three cases that a client which follows, unpacks or cannot say OPTIONS would get wrong.
fn contract() -> World {
    World::new()
        .case(json!({
            "name": "valid-key", "why": "the usual", "weight": 50,
            "request": {
                "method": "POST", "path": "/auth/validate?trace=1", "body": "{\"a\":1}",
                "headers": [["Authorization", format!("Bearer {CANARY}")], ["X-Tag", "1"], ["X-Tag", "2"]],
            },
            "expect": {"status": 200, "content_type": "application/json", "json": {"valid": true, "user_id": "user_1"}},
            "legacy": {"headers": {"x-powered-by": "Express"}}, "difference": "the framework names itself",
        }))
        .case(json!({
            "name": "preflight", "weight": 20,
            "request": {"method": "OPTIONS", "path": "/auth/validate"},
            "expect": {"status": 204, "body_bytes": 0, "headers": {"allow": "POST", "set-cookie": null}},
        }))
        .case(json!({
            "name": "moved", "weight": 30,
            "request": {"method": "GET", "path": "/old"},
            "expect": {"status": 302, "headers": {"location": "/new"}, "content_type": null},
        }))
        .case(json!({
            "name": "never-sent", "weight": 0,
            "request": {"method": "GET", "path": "/a/../b"},
            "expect": {"status": 400},
        }))
}

fn right(asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/auth/validate?trace=1") => {
            let credential = asked.header("authorization") == [format!("Bearer {CANARY}")];
            let whole = asked.header("x-tag") == ["1", "2"] && asked.body == b"{\"a\":1}";
            let plain = ["accept-encoding", "cookie", "referer"].iter().all(|name| asked.header(name).is_empty());
            Reply::new(if credential && whole && plain { 200 } else { 400 })
                .header("content-type", "application/json; charset=utf-8")
                .header("x-powered-by", "Express")
                .header("set-cookie", "sid=1")
                .body(r#"{"valid":true,"user_id":"user_1"}"#)
        }
        ("OPTIONS", "/auth/validate") => Reply::new(204).header("allow", "POST"),
        ("GET", "/old") => Reply::new(302).header("location", "/new"),
        _ => Reply::new(404),
    }
}

fn sum(by_case: &Value, member: &str) -> u64 {
    by_case.as_array().expect("a list").iter().map(|case| case[member].as_u64().expect("a count")).sum()
}

#[test]
fn all_right_counts_add_up_to_exactly_what_was_asked_for() {
    let service = Service::start(right);
    let done = contract().attack(&service.url(), "--requests 1000 --users 7 --expect legacy --seed 7 --progress never");
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    assert_eq!(service.asked(), 1_000);
    for (member, expected) in [
        ("schema", json!("load-attack")),
        ("version", json!(2)),
        ("target", json!(service.url())),
        ("complete", json!(true)),
        ("expect", json!("legacy")),
        ("requests", json!(1_000)),
        ("failed", json!(0)),
        ("wrong", json!(0)),
        ("unsent", json!(0)),
        ("load", json!({"kind": "users", "users": 7})),
        ("seed", json!(7)),
        ("wrong_samples", json!([])),
    ] {
        assert_eq!(json[member], expected, "{member}");
    }
    assert!(done.text.starts_with("{\n  \"schema\": \"load-attack\","), "the schema stands first: {}", done.text);
    let mix: Vec<_> = json["by_case"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|case| (case["name"].as_str().expect("a name"), case["requests"].clone(), case["status"].clone()))
        .collect();
    assert_eq!(
        mix,
        [
            ("valid-key", json!(500), json!({"200": 500})),
            ("preflight", json!(200), json!({"204": 200})),
            ("moved", json!(300), json!({"302": 300})),
        ]
    );
    let latency = &json["latency_us"];
    assert!(latency["p50"].as_u64() <= latency["p95"].as_u64() && latency["p95"].as_u64() <= latency["max"].as_u64());
    assert_eq!(latency["p999"], Value::Null, "1000 samples cannot say");
    assert!(latency["p99"].is_u64());
    assert!(json["by_case"][1]["latency_us"]["p99"].is_null() && json["by_case"][1]["latency_us"]["p95"].is_u64());
    assert!(json["started_at_ms"].as_u64() > Some(1_700_000_000_000) && json["seconds"].as_f64() > Some(0.0));
    assert!(done.stdout.starts_with("requests     1000 in "), "{}", done.stdout);
    assert_eq!(done.stdout.lines().count(), 5, "{}", done.stdout);
    assert_eq!(done.stderr, "", "no bar where there is no terminal");
    assert_eq!(done.files, ["out.json"], "nothing unfinished is left");
}

#[test]
fn a_wrong_answer_is_named_and_its_request_s_credential_is_not() {
    let service = Service::start(|asked| match asked.method.as_str() {
        "POST" => Reply::new(403)
            .header("content-type", "application/json")
            .body(&format!(r#"{{"valid":false,"user_id":"{}"}}"#, asked.header("authorization")[0])),
        _ => right(asked),
    });
    for how in ["--requests 40", "--requests 40 --rate 400"] {
        names_what_is_wrong(&contract().attack(&service.url(), how));
    }
}

fn names_what_is_wrong(done: &Done) {
    assert_eq!(done.code, Some(1), "{done:?}");
    let json = done.json();
    assert_eq!((&json["wrong"], &json["failed"], &json["requests"]), (&json!(20), &json!(0), &json!(40)));
    assert_eq!(json["by_case"][0]["wrong"], 20);
    assert_eq!(json["wrong_samples"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        json["wrong_samples"][0],
        json!({
            "case": "valid-key",
            "expected": "status 200; json /user_id \"user_1\"; json /valid true",
            "got": "status 403; json /user_id \"[redacted]\"; json /valid false",
        })
    );
    assert!(done.stdout.contains("valid-key: 20 of 20"), "{}", done.stdout);
    for text in [&done.text, &done.stdout, &done.stderr] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn whose_answers_are_right_can_be_chosen() {
    // Answers as the candidate should, so that the legacy's header is missing.
    let service = Service::start(|asked| {
        let mut reply = right(asked);
        reply.headers.retain(|(name, _)| *name != "x-powered-by");
        reply
    });
    for (expect, code) in [("candidate", 0), ("legacy", 1), ("either", 0)] {
        let arguments = format!("--requests 10 --case valid-key --expect {expect}");
        let done = contract().attack(&service.url(), &arguments);
        assert_eq!(done.code, Some(code), "{expect}: {done:?}");
        assert_eq!(sum(&done.json()["by_case"], "requests"), 10);
    }
}

#[test]
fn a_target_that_is_not_there_is_one_sentence_before_anything_is_sent() {
    let gone = Service::start(right).stop();
    let done = contract().attack(&gone, "--requests 10");
    assert_eq!(done.code, Some(2), "{done:?}");
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(done.stderr.starts_with(&format!("error: nothing answers at {gone}: ")), "{}", done.stderr);
    assert!(done.stderr.ends_with("; start the service or correct the URL\n"), "{}", done.stderr);
    assert_eq!((done.stdout.as_str(), done.files.len()), ("", 0));
}

#[test]
fn a_service_behind_tls_is_asked_at_a_rate_and_by_users_once_its_certificate_holds() {
    let (service, certificate) = Service::with_tls(right);
    let stranger = contract().attack(&service.url(), "--rate 50 --requests 10");
    assert_eq!(stranger.code, Some(2), "{stranger:?}");
    assert!(
        stranger.stderr.starts_with(&format!("error: no TLS with {}: invalid peer certificate", service.url())),
        "{}",
        stranger.stderr
    );
    assert!(stranger.stderr.ends_with("SSL_CERT_FILE\n"), "{}", stranger.stderr);
    assert_eq!(service.asked(), 0);

    let known = contract().trusting(&certificate);
    for drive in ["--rate 500", "--users 2"] {
        let done = known.attack(&service.url(), &format!("{drive} --requests 200"));
        assert_eq!(done.code, Some(0), "{drive}: {done:?}");
        assert_eq!(sum(&done.json()["by_case"], "requests"), 200, "{drive}");
    }
    assert_eq!(service.asked(), 400);
}

#[test]
fn everything_that_is_wrong_with_the_input_is_told_at_once() {
    let world = contract().case(json!({"name": "broken", "weight": 1}));
    let done = world.attack("127.0.0.1", "--users 0 --time soon");
    assert_eq!(done.code, Some(2), "{done:?}");
    for part in ["--target is no URL", "--time \"soon\"", "--users must be", "broken.json: missing field `request`"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
    assert_eq!(done.stderr.lines().count(), 4, "{}", done.stderr);
}

#[test]
fn a_run_of_a_time_ends_by_itself() {
    let service = Service::start(right);
    let done = contract().attack(&service.url(), "--time 300ms");
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    assert_eq!(json["requests"].as_u64(), Some(service.asked()));
    assert_eq!(sum(&json["by_case"], "requests"), service.asked());
    let seconds = json["seconds"].as_f64().expect("a number");
    assert!((0.2..5.0).contains(&seconds), "{seconds}");
}

#[test]
fn requests_without_an_answer_have_failed() {
    let service = Service::start(|asked| match asked.method.as_str() {
        "OPTIONS" => Reply::none(),
        _ => right(asked),
    });
    for how in ["--requests 50", "--requests 50 --rate 200"] {
        let done = contract().attack(&service.url(), how);
        assert_eq!(done.code, Some(1), "{done:?}");
        let json = done.json();
        assert_eq!((&json["requests"], &json["wrong"], &json["failed"]), (&json!(50), &json!(0), &json!(10)), "{how}");
        assert_eq!(json["failures"], json!({"connection lost, or an answer that is not HTTP": 10}), "{how}");
        assert_eq!(json["complete"], true);
    }
}

#[test]
fn a_run_that_is_ended_early_still_has_its_figures() {
    for (signal, how) in
        [(Signal::INT, "--time 10m"), (Signal::TERM, "--time 10m"), (Signal::INT, "--time 10m --rate 500")]
    {
        let service = Service::start(right);
        let world = contract();
        let running = world.start(&service.url(), how);
        service.wait_for(100);
        running.signal(signal);
        let done = running.finish();
        assert_eq!(done.code, Some(1), "{done:?}");
        let json = done.json();
        assert_eq!((&json["complete"], &json["wrong"], &json["failed"]), (&json!(false), &json!(0), &json!(0)));
        assert!(json["requests"].as_u64() >= Some(100), "{json}");
        assert!(done.stdout.contains("ended early"), "{}", done.stdout);
    }
}

#[test]
fn a_service_that_hangs_does_not_hold_up_the_end() {
    let service = Service::start(|_| Reply::never());
    let world = contract();
    let running = world.start(&service.url(), "--requests 100 --users 3");
    service.wait_for(3);
    let asked = Instant::now();
    running.signal(Signal::INT);
    let done = running.finish();
    assert!(asked.elapsed() < Duration::from_secs(20), "the answers' own time limit was waited for");
    assert_eq!(done.code, Some(1), "{done:?}");
    let json = done.json();
    assert_eq!((&json["requests"], &json["failed"]), (&json!(3), &json!(3)));
    assert_eq!(json["failures"], json!({"run ended before the answer": 3}));
}
