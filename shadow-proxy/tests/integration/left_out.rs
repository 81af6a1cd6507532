//! What cannot be compared to its end hides no breach: a status that was said decides.

use serde_json::{Value, json};

use crate::scripted::{Reply, allow};
use crate::wire::get;
use crate::world::{Candidate, Legacy, World};

/// 2,000 bytes, above a limit of 1,000.
fn large() -> Reply {
    Reply::bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{}", "x".repeat(2_000)))
}

fn with_encoding(encoding: &str) -> Reply {
    Reply::bytes(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\nContent-Length: 14\r\n\r\n{{\"valid\":true}}"
    ))
}

/// Answers that let somebody in and cannot be read to their end.
fn unreadable() -> Vec<(&'static str, Reply)> {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    vec![
        ("plain text that is said to be gzip", with_encoding("gzip")),
        ("an encoding that nobody knows", with_encoding("x-custom")),
        ("larger than the limit", large()),
        ("ends in the middle", Reply::bytes(half).close()),
        (
            "is reset in the middle",
            Reply::bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").reset(),
        ),
        ("does not end before the deadline", Reply::bytes(half).hang()),
    ]
}

const LIMITS: &str = "limits.body_bytes_max = 1000\ncandidate.deadline_ms = 300\n";

#[tokio::test]
async fn a_stranger_who_is_let_in_by_an_unreadable_answer_is_a_breach() {
    for (name, reply) in unreadable() {
        let proxy = World::new()
            .legacy(Legacy::answering(DENIED))
            .candidate(Candidate::scripted(move |_| reply.clone()))
            .config(LIMITS)
            .start()
            .await;
        assert_eq!(proxy.ask(get("/auth/validate")).await.status(), 401);
        let status = proxy.settled().await;
        assert_eq!(status["decisions"]["deny_allow"], 1, "{name}: {status:#}");
        assert_eq!(judged(&proxy).await["verdict"], "no-go", "{name}");
    }
}

#[tokio::test]
async fn and_takes_the_traffic_back_whoever_served_it() {
    for (name, reply) in unreadable() {
        let candidate = Candidate::scripted(move |_| reply.clone());
        let world = World::new().legacy(Legacy::answering(DENIED)).candidate(candidate).config(LIMITS);
        let proxy = world.weight(1_000_000).start().await;
        proxy.ask(get("/auth/validate")).await;
        proxy.until("the rollback", |status| status["phase"] == "rolled-back").await;
        let status = proxy.settled().await;
        assert_eq!(status["decisions"]["deny_allow"], 1, "{name}: {status:#}");
    }
}

#[tokio::test]
async fn legacy_that_refuses_and_fails_then_has_refused() {
    for reply in [
        Reply::bytes("HTTP/1.1 401 Unauthorized\r\nContent-Length: 10\r\n\r\nhalf").close(),
        Reply::bytes(format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2000\r\n\r\n{}", "x".repeat(2_000))),
    ] {
        let world = World::new().legacy(Legacy::scripted(move |_| reply.clone())).config(LIMITS);
        let proxy = world.candidate(Candidate::scripted(|_| allow())).weight(1_000_000).start().await;
        assert_eq!(proxy.ask(get("/auth/validate")).await.status(), 200);
        proxy.until("the rollback", |status| status["phase"] == "rolled-back").await;
        let status = proxy.settled().await;
        assert_eq!(status["decisions"]["deny_allow"], 1, "{status:#}");
    }
}

/// Legacy labels its bodies with what is no encoding, and the candidate does as legacy does.
#[tokio::test]
async fn a_label_that_is_no_encoding_keeps_nothing_from_being_evidence() {
    for label in ["UTF-8", "none", "binary", "gzip"] {
        let [legacy, candidate] = [with_encoding(label), with_encoding(label)];
        let world = World::new().legacy(Legacy::scripted(move |_| legacy.clone()));
        let proxy = world.candidate(Candidate::scripted(move |_| candidate.clone())).start().await;
        proxy.ask(get("/auth/validate")).await;
        let status = proxy.settled().await;
        let said = (&status["verdicts"]["match"], &status["decisions"]["allow_allow"]);
        assert_eq!(said, (&json!(1), &json!(1)), "{label}: {status:#}");
    }
}

/// A candidate that does not finish what legacy finishes is no part of the evidence for it, though hardly any call is so.
#[tokio::test]
async fn calls_without_a_complete_answer_count_against_the_candidate() {
    let candidate = Candidate::scripted(|request| match request.start.contains("/large") {
        true => large(),
        false => allow(),
    });
    let config = format!("{LIMITS}gate.endpoint_pairs_min = 1\ngate.mismatch_ppm_max = 100000\n");
    let proxy = World::new().candidate(candidate).config(&config).start().await;
    for n in 0..80 {
        assert_eq!(proxy.ask(get(&format!("/auth/validate/{n}"))).await.status(), 200);
    }
    let settled = proxy.settled().await;
    assert_eq!(settled["requests"]["compared"], 80, "{settled:#}");
    let gate = judged(&proxy).await;
    assert_eq!((&gate["verdict"], &gate["failed"]), (&json!("go"), &json!(0)), "{gate:#}");
    for _ in 0..5 {
        assert_eq!(proxy.ask(get("/large")).await.status(), 200);
    }
    let settled = proxy.settled().await;
    assert_eq!(settled["requests"]["not_comparable"]["candidate_too_large"], 5, "{settled:#}");
    let gate = judged(&proxy).await;
    assert_eq!((&gate["verdict"], &gate["failed"]), (&json!("not-enough"), &json!(5)), "{gate:#}");
}

/// Whom nobody asked nobody let in; that so many were not asked keeps the gate shut.
#[tokio::test]
async fn what_the_candidate_was_not_asked_is_no_evidence_for_it() {
    let legacy = Legacy::scripted(|request| match request.start.contains("/large") {
        true => large(),
        false => allow(),
    });
    let config = format!("{LIMITS}gate.endpoint_pairs_min = 1\ngate.mismatch_ppm_max = 100000\n");
    let world = World::new().legacy(legacy).candidate(Candidate::scripted(|_| allow()));
    let proxy = world.config(&config).start().await;
    for n in 0..80 {
        assert_eq!(proxy.ask(get(&format!("/auth/validate/{n}"))).await.status(), 200);
    }
    assert_eq!(judged(&proxy).await["verdict"], "go");
    for _ in 0..20 {
        assert_eq!(proxy.ask(get("/large")).await.status(), 200);
    }
    let settled = proxy.settled().await;
    assert_eq!(settled["requests"]["skipped"]["body_too_large"], 20, "{settled:#}");
    assert_eq!(proxy.candidate().count(), 80);
    let ended = loop {
        let ended = proxy.command(&["gate"]).await;
        if ended.code != Some(0) {
            break ended;
        }
        tokio::task::yield_now().await;
    };
    assert!(ended.stdout.contains("only 80 % of the requests were compared, and 90 % are wanted"), "{ended:?}");
}

/// The same request is evidence 32 times; a stranger who is let in by it counts each time.
#[tokio::test]
async fn every_breach_counts_however_often_the_same_request_comes() {
    let world = World::new().legacy(Legacy::answering(DENIED)).candidate(Candidate::scripted(|_| allow()));
    let proxy = world.start().await;
    let mut wire = proxy.connect().await;
    for _ in 0..40 {
        assert_eq!(wire.ask(get("/auth/validate")).await.status(), 401);
    }
    let settled = proxy.settled().await;
    assert_eq!(settled["decisions"]["deny_allow"], 40, "{settled:#}");
}

/// What the candidate said is held against legacy though nobody reads it.
#[tokio::test]
async fn a_client_that_does_not_read_hides_nothing() {
    let world = World::new().legacy(Legacy::answering(DENIED)).candidate(Candidate::scripted(|_| allow()));
    let proxy = world.weight(1_000_000).start().await;
    let mut wire = proxy.connect().await;
    wire.send(get("/auth/validate")).await;
    proxy.candidate().received(1).await;
    proxy.until("the rollback", |status| status["phase"] == "rolled-back").await;
    let status = proxy.settled().await;
    drop(wire);
    assert_eq!(status["decisions"]["deny_allow"], 1, "{status:#}");
}

/// Once the store has what the status says.
async fn judged(proxy: &crate::world::Proxy) -> Value {
    let settled = proxy.settled().await;
    let failed = crate::world::count(&settled["requests"]["not_comparable"]);
    loop {
        let gate = proxy.admin_get("/api/gate").await.json();
        if gate["pairs"] == settled["requests"]["compared"] && gate["failed"] == failed {
            return gate;
        }
        tokio::task::yield_now().await;
    }
}

const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
