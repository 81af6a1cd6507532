//! Noise told from difference by asking legacy twice, and the gate over the evidence.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio::process::Command;

use crate::process::{Ended, finished};
use crate::scripted::{Reply, Scripted, allow, ok};
use crate::wire::{Message, get, within};
use crate::world::{BINARY, Candidate, Legacy, Proxy, World};

/// A service with an id that is new each time, a clock that ticks now and then, and a role.
fn service(role: &'static str) -> Scripted {
    let answers = AtomicU64::new(0);
    Scripted::start(move |_| {
        let id = answers.fetch_add(1, Ordering::Relaxed);
        // In no rhythm: how far the mirror lags behind must not make legacy look constant.
        let node = ["a", "b"][usize::from((id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).is_multiple_of(3))];
        let body = format!(r#"{{"valid":true,"role":"{role}","count":{},"node":"{node}"}}"#, id * 7 + 1_000);
        Reply::bytes(ok("application/json", &body))
    })
}

#[tokio::test]
async fn what_differs_by_habit_is_noise_and_what_does_not_is_a_finding() {
    let proxy = World::new()
        .legacy(Legacy::Scripted(service("user")))
        .candidate(Candidate::Scripted(service("admin")))
        .again("1", "0")
        .start()
        .await;
    for n in 0..100 {
        assert_eq!(proxy.ask(get(&format!("/?n={n}"))).await.status(), 200);
    }
    let diffs = recorded(&proxy, 100).await;
    let of = |path: &str| -> &Value {
        diffs.iter().find(|finding| finding["path"] == path).unwrap_or_else(|| panic!("{path} in {diffs:#?}"))
    };
    for (path, status) in [("body.role", "finding"), ("body.count", "noise"), ("body.node", "noise")] {
        assert_eq!(of(path)["status"], status, "{:#}", of(path));
    }
}

#[tokio::test]
async fn the_gate_says_what_is_missing_and_ends_with_its_code() {
    let proxy = World::new().candidate(Candidate::scripted(|_| allow())).start().await;
    let ended = command(&proxy, &["gate"]).await;
    assert_eq!((ended.code, ended.stdout.lines().next()), (Some(2), Some("not enough evidence")), "{ended:?}");
    assert!(ended.stdout.contains("needs 3,327 more clean requests"), "{ended:?}");

    for n in 0..40 {
        assert_eq!(proxy.ask(get(&format!("/users/{n}"))).await.status(), 200);
    }
    // The same request again and again buys nothing.
    for _ in 0..100 {
        assert_eq!(proxy.ask(get("/")).await.status(), 200);
    }
    recorded(&proxy, 140).await;
    let ended = command(&proxy, &["gate", "--json"]).await;
    let judgement: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!((ended.code, &judgement["verdict"]), (Some(2), &Value::from("not-enough")), "{judgement:#}");
    assert_eq!((&judgement["pairs"], &judgement["counted"]), (&Value::from(140), &Value::from(72)), "{judgement:#}");
    assert_eq!(judgement["needs"]["clean_requests"], 3_327 - 72, "{judgement:#}");

    assert_eq!(command(&proxy, &["gate", "--nonsense"]).await.code, Some(64));
}

#[tokio::test]
async fn the_gate_opens_when_enough_different_requests_were_answered_alike() {
    let proxy = World::new()
        .candidate(Candidate::scripted(|_| allow()))
        .config("[gate]\nmismatch_ppm_max = 100000\nendpoint_pairs_min = 5")
        .start()
        .await;
    for n in 0..40 {
        assert_eq!(proxy.ask(get(&format!("/users/{n}"))).await.status(), 200);
    }
    recorded(&proxy, 40).await;
    let ended = command(&proxy, &["gate"]).await;
    assert_eq!((ended.code, ended.stdout.lines().next()), (Some(0), Some("go")), "{ended:?}");
}

#[tokio::test]
async fn endpoints_that_nobody_named_are_told_apart_by_plain_words() {
    let not_there = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let script = move |request: &Message| match request.start.contains("/admin/") {
        true => Reply::bytes(not_there),
        false => allow(),
    };
    let proxy = World::new().legacy(Legacy::scripted(script)).candidate(Candidate::scripted(script)).start().await;
    for path in ["/users/17/token", "/users/18/token", "/users/hunter2", "/admin/17", "/admin/token"] {
        proxy.ask(get(path)).await;
    }
    recorded(&proxy, 5).await;
    let judgement = proxy.admin_get("/api/gate").await.json();
    let endpoints = judgement["endpoints"].as_array().expect("a list");
    let mut names: Vec<(&str, u64)> = endpoints
        .iter()
        .map(|endpoint| (endpoint["endpoint"].as_str().expect("a name"), endpoint["pairs"].as_u64().expect("a count")))
        .collect();
    names.sort_unstable();
    assert_eq!(names, [("GET (unnamed)", 2), ("GET /users/*", 1), ("GET /users/*/token", 2)]);
}

#[tokio::test]
async fn one_breach_closes_the_gate() {
    let denied = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let proxy = World::new()
        .legacy(Legacy::answering(denied))
        .candidate(Candidate::scripted(|_| allow()))
        .again("1", "0")
        .start()
        .await;
    assert_eq!(proxy.ask(get("/auth/validate")).await.status(), 401);
    let diffs = recorded(&proxy, 1).await;
    let ended = command(&proxy, &["gate"]).await;
    assert_eq!((ended.code, ended.stdout.lines().next()), (Some(1), Some("no-go")), "{ended:?}");
    assert!(ended.stdout.contains("1 breach: the candidate let in whom legacy refused"), "{ended:?}");
    let breach = diffs.iter().find(|finding| finding["severity"] == "breach").unwrap_or_else(|| panic!("{diffs:#?}"));
    assert_eq!((&breach["path"], &breach["status"]), (&Value::from("decision"), &Value::from("finding")));

    // What is known outlives the proxy.
    let mut proxy = proxy;
    proxy.process.signal(rustix::process::Signal::TERM);
    proxy.process.ended().await;
    let mut gate = Command::new(BINARY);
    gate.args(["gate", "--data"]).arg(proxy.data_folder());
    let ended = finished(gate).await;
    assert_eq!((ended.code, ended.stdout.lines().next()), (Some(1), Some("no-go")), "{ended:?}");
}

/// The findings, once so many pairs are in the store.
async fn recorded(proxy: &Proxy, pairs: u64) -> Vec<Value> {
    proxy.settled().await;
    let stored = async { while proxy.admin_get("/api/gate").await.json()["pairs"] != pairs {} };
    within("the pairs to be stored", stored).await;
    proxy.admin_get("/api/diffs").await.json().as_array().expect("a list").clone()
}

async fn command(proxy: &Proxy, arguments: &[&str]) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--admin", &proxy.admin.to_string()]);
    finished(command).await
}
