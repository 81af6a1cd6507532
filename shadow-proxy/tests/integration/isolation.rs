//! Whatever the candidate does, the client gets legacy's answer, at once, and the accounting says what happened.

use serde_json::Value;

use crate::scripted::{Reply, allow, ok};
use crate::wire::{Wire, get, shown, within};
use crate::world::{Candidate, Legacy, Proxy, World, count};

/// Longer than any test waits: what is still in progress then has not been given up.
const PATIENT: &str = "candidate.deadline_ms = 600000\ncandidate.cpu_ms = 600000\n";
/// Long enough for whoever does not mean to exceed it, on a machine that is busy with other tests.
const IMPATIENT: &str = "candidate.deadline_ms = 1000\ncandidate.cpu_ms = 500\n";

#[tokio::test]
async fn a_hostile_component_changes_nothing_but_the_accounting() {
    let proxy = hostile(IMPATIENT).await;
    let mut wire = proxy.connect().await;
    for (path, reason) in [
        ("/trap", "candidate_trap"),
        ("/loop", "candidate_deadline"),
        ("/slow/5000", "candidate_deadline"),
        ("/silent", "candidate_no_answer"),
        ("/abort", "candidate_no_answer"),
        ("/set-then-write", "candidate_too_large"),
    ] {
        assert_only(&proxy, &mut wire, path, reason).await;
    }
    // The same component is compared where it answers.
    let proxy = hostile(PATIENT).await;
    let mut wire = proxy.connect().await;
    for path in ["/slow/1", "/big/1000000", "/echo", "/state", "/else"] {
        assert_eq!(wire.ask(get(path)).await.text(), path);
    }
    assert_eq!(proxy.settled().await["requests"]["compared"], 5);
}

#[tokio::test]
async fn a_component_that_grows_is_stopped_at_its_cap() {
    // Growing takes time where the machine is busy; the cap is to be the reason.
    let proxy =
        hostile("candidate.memory_bytes_max = 4194304\ncandidate.cpu_ms = 10000\ncandidate.deadline_ms = 10000").await;
    let mut wire = proxy.connect().await;
    assert_only(&proxy, &mut wire, "/grow", "candidate_memory").await;
}

#[tokio::test]
async fn a_candidate_elsewhere_that_fails_changes_nothing_but_the_accounting() {
    let hangs = Candidate::scripted(|_| Reply::default().hang());
    let trickles = Candidate::scripted(|_| Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").hang());
    let resets = Candidate::scripted(|_| Reply::default().reset());
    let closes = Candidate::scripted(|_| Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").close());
    let babbles = Candidate::scripted(|_| Reply::bytes("220 smtp.example ready\r\n\r\n").close());
    let floods = Candidate::scripted(|_| Reply::bytes(ok("text/plain", &"x".repeat(200_000))));
    for (candidate, reason) in [
        (Candidate::absent(), "candidate_connect"),
        (hangs, "candidate_deadline"),
        (trickles, "candidate_deadline"),
        (resets, "candidate_closed"),
        (closes, "candidate_closed"),
        (babbles, "candidate_closed"),
        (floods, "candidate_too_large"),
    ] {
        let config = format!("{IMPATIENT}limits.body_bytes_max = 100000");
        let proxy = World::new().legacy(by_path()).candidate(candidate).config(&config).start().await;
        let mut wire = proxy.connect().await;
        assert_only(&proxy, &mut wire, "/a", reason).await;
    }
}

#[tokio::test]
async fn a_candidate_that_was_away_is_asked_again() {
    let candidate =
        Candidate::scripted(
            |request| {
                if request.start.contains("/leave") { Reply::default().close() } else { allow() }
            },
        );
    let proxy = World::new().candidate(candidate).start().await;
    for path in ["/a", "/leave", "/b"] {
        assert_eq!(proxy.ask(get(path)).await.status(), 200);
        proxy.settled().await;
    }
    assert_eq!(proxy.settled().await["requests"]["compared"], 2);
}

#[tokio::test]
async fn the_candidate_is_asked_what_the_client_asked() {
    let proxy = World::new().candidate(Candidate::scripted(|_| allow())).start().await;
    for (number, target) in ["/a/../b/./c", "/%2e%2e/a", "/a%2Fb?q=%zz&'x'=|", "//b", "/a\\b", "*"].iter().enumerate() {
        let method = if *target == "*" { "OPTIONS" } else { "POST" };
        let sent = format!(
            "{method} {target} HTTP/1.1\r\nhost: auth.example\r\nx-b: 2\r\nx-a: 1\r\nx-a: 0\r\ncontent-length: 2\r\n\r\nhi"
        );
        proxy.ask(&sent).await;
        let received = proxy.candidate().received(number + 1).await;
        assert_eq!(shown(&received[number].raw), shown(sent.as_bytes()));
    }
    proxy.settled().await;
}

#[tokio::test]
async fn the_next_request_of_a_connection_does_not_wait_for_the_candidate() {
    let hangs = Candidate::scripted(|_| Reply::default().hang());
    let proxy = World::new().legacy(by_path()).candidate(hangs).config(PATIENT).start().await;
    let mut wire = proxy.connect().await;
    assert_eq!(wire.ask(get("/1")).await.text(), "/1");
    proxy.candidate().received(1).await;
    for path in ["/2", "/3", "/4"] {
        assert_eq!(wire.ask(get(path)).await.text(), path);
    }
    assert_eq!(proxy.legacy().count(), 4);
    assert_none_is_finished(&proxy.status().await, 4);
}

#[tokio::test]
async fn the_next_request_of_a_connection_does_not_wait_for_a_component_that_computes_or_sleeps() {
    for path in ["/loop", "/slow/500000"] {
        let proxy = hostile(PATIENT).await;
        let mut wire = proxy.connect().await;
        for _ in 0..4 {
            assert_eq!(wire.ask(get(path)).await.text(), path);
        }
        assert_none_is_finished(&proxy.status().await, 4);
    }
}

#[tokio::test]
async fn two_thousand_hostile_calls_leave_the_memory_as_it_was() {
    const PATHS: [&str; 8] =
        ["/trap", "/loop", "/grow", "/slow/5000", "/silent", "/set-then-write", "/big/1000000", "/abort"];
    const GROWTH_BYTES_MAX: u64 = 64 << 20;
    let proxy = hostile("candidate.deadline_ms = 20\ncandidate.cpu_ms = 5").await;
    let mut wire = proxy.connect().await;
    let mut before = 0;
    // The first round fills the pool and the caches.
    for calls in [400, 2_000] {
        before = proxy.process.resident_bytes();
        for path in PATHS.iter().cycle().take(calls) {
            assert_eq!(wire.ask(get(path)).await.text(), *path);
        }
        let status = proxy.settled().await;
        assert_eq!(count(&status["requests"]["dropped"]), 0, "{status:#}");
    }
    let growth = proxy.process.resident_bytes().saturating_sub(before);
    assert!(growth < GROWTH_BYTES_MAX, "{growth} bytes more, from {before}");
}

/// A legacy service that answers with the path it was asked for.
fn by_path() -> Legacy {
    Legacy::scripted(|request| Reply::bytes(ok("text/plain", request.start.split(' ').nth(1).unwrap_or_default())))
}

async fn hostile(config: &str) -> Proxy {
    World::new().legacy(by_path()).candidate(Candidate::hostile()).config(config).start().await
}

/// One call: the client gets legacy's very answer, and one more exchange is counted under this reason, no other.
async fn assert_only(proxy: &Proxy, wire: &mut Wire, path: &str, reason: &str) {
    let before = proxy.settled().await["requests"].clone();
    let answer = within("legacy's answer", wire.ask(get(path))).await;
    assert_eq!(String::from_utf8_lossy(&answer.raw), ok("text/plain", path));
    let after = proxy.settled().await["requests"].clone();
    let changed = |member: &str| count(&after[member]) - count(&before[member]);
    assert_eq!(
        (changed("received"), changed("mirrored"), changed("not_comparable")),
        (1, 1, 1),
        "{path} {reason}: {after:#}"
    );
    let of_reason = |requests: &Value| requests["not_comparable"][reason].as_u64().unwrap_or(0);
    assert_eq!(of_reason(&after) - of_reason(&before), 1, "{path} {reason}: {after:#}");
}

fn assert_none_is_finished(status: &Value, mirrored: u64) {
    let requests = &status["requests"];
    assert_eq!((&requests["mirrored"], &requests["in_flight"]), (&mirrored.into(), &mirrored.into()), "{requests:#}");
}
