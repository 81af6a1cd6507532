//! What becomes of a shift when a side fails: nobody watches, and the traffic is taken back, or stays where it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::scripted::{Reply, allow};
use crate::wire::Wire;
use crate::world::{Candidate, Legacy, Proxy, World};

/// One request each of other clients, until the status is as wanted; all that were not answered with 200.
async fn traffic_until(proxy: &Proxy, wire: &mut Wire, path: &str, wanted: impl Fn(&Value) -> bool) -> Vec<u16> {
    let mut refused = Vec::new();
    for client in 0..20_000 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer client_{client}\r\n\r\n");
        let status = wire.ask(request).await.status();
        refused.extend(Some(status).filter(|status| *status != 200));
        if client % 10 == 0 && wanted(&proxy.status().await) {
            return refused;
        }
    }
    panic!("20,000 requests, and it is still not so: {:#}", proxy.status().await);
}

fn is_rolled_back(status: &Value) -> bool {
    status["phase"] == "rolled-back" && status["weight_ppm"] == 0
}

fn reasons(status: &Value) -> String {
    status["shift"]["reasons"].to_string()
}

/// The last decision that the journal has.
fn decided(proxy: &Proxy) -> Value {
    let journal = std::fs::read_to_string(proxy.data_folder().join("journal.jsonl")).expect("a journal");
    let last = journal.lines().last().expect("a decision");
    let start = last.find('{').expect("an object");
    let mut values = serde_json::Deserializer::from_str(&last[start..]).into_iter::<Value>();
    values.next().expect("an object").expect("JSON")
}

/// So that the calls of clients alone are what fails.
const UNMIRRORED: &str = "mirror.enabled = false";

#[tokio::test]
async fn a_trap_storm_is_over_after_a_few_calls_and_no_client_sees_it() {
    let proxy = World::new().candidate(Candidate::hostile()).weight(250_000).config(UNMIRRORED).start().await;
    let mut wire = proxy.connect().await;
    let refused = traffic_until(&proxy, &mut wire, "/trap", is_rolled_back).await;
    assert!(refused.is_empty(), "legacy came to the rescue of all: {refused:?}");
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["rescued"], 5, "so many failures among the last calls, and it is asked no more");
    assert_eq!(status["shift"]["brake"], true, "{status:#}");
    let decided = decided(&proxy).to_string();
    assert!(decided.contains("the candidate failed in 5 of its last 5 calls"), "{decided}");
    // It stays off whatever comes, until a person says otherwise.
    let asked =
        traffic_until(&proxy, &mut wire, "/trap", |status| status["requests"]["served"]["legacy"].as_u64() > Some(300));
    assert!(asked.await.is_empty());
    let status = proxy.settled().await;
    assert_eq!((&status["weight_ppm"], &status["requests"]["rescued"]), (&0.into(), &5.into()), "{status:#}");
}

#[tokio::test]
async fn a_candidate_that_takes_three_times_as_long_is_taken_back() {
    let taking = |millis| move |_: &crate::wire::Message| allow().after(Duration::from_millis(millis));
    let legacy = Legacy::scripted(taking(10));
    // Times are compared where the mirror asks both.
    let world = World::new().legacy(legacy).candidate(Candidate::scripted(taking(30))).again("1", "0");
    let proxy = world.weight(250_000).start().await;
    let mut wire = proxy.connect().await;
    let refused = traffic_until(&proxy, &mut wire, "/", is_rolled_back).await;
    assert!(refused.is_empty(), "{refused:?}");
    let (status, decided) = (proxy.settled().await, decided(&proxy).to_string());
    assert_eq!(status["shift"]["brake"], false, "it answers, only late: {status:#}");
    assert!(decided.contains("slower"), "{decided}");
    assert_eq!(status["verdicts"]["mismatch"], 0);
}

#[tokio::test]
async fn with_legacy_down_the_weight_stays_and_what_is_wrong_with_the_candidate_waits() {
    let (legacy_down, candidate_down) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let failing = |is_down: &Arc<AtomicBool>, failure: Reply| {
        let is_down = is_down.clone();
        move |_: &crate::wire::Message| if is_down.load(Ordering::Relaxed) { failure.clone() } else { allow() }
    };
    let error = Reply::bytes("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let legacy = Legacy::scripted(failing(&legacy_down, Reply::default().close()));
    let candidate = Candidate::scripted(failing(&candidate_down, error));
    let proxy = World::new().legacy(legacy).candidate(candidate).weight(500_000).start().await;
    let mut wire = proxy.connect().await;
    let served = |side: &'static str, count: u64| {
        move |status: &Value| status["requests"]["served"][side].as_u64() >= Some(count)
    };
    assert!(traffic_until(&proxy, &mut wire, "/", served("candidate", 20)).await.is_empty());

    legacy_down.store(true, Ordering::Relaxed);
    let refused = traffic_until(&proxy, &mut wire, "/", served("candidate", 60)).await;
    assert!(!refused.is_empty() && refused.iter().all(|status| *status == 502), "legacy's part alone: {refused:?}");
    let status = proxy.status().await;
    assert_eq!((&status["weight_ppm"], &status["phase"]), (&500_000.into(), &"held".into()), "{status:#}");

    // Now nobody is left: to take the traffic back would help nobody.
    candidate_down.store(true, Ordering::Relaxed);
    let is_said = |status: &Value| reasons(status).contains("legacy does not answer");
    traffic_until(&proxy, &mut wire, "/", is_said).await;
    let status = proxy.status().await;
    assert_eq!((&status["weight_ppm"], &status["phase"]), (&500_000.into(), &"held".into()), "{status:#}");

    legacy_down.store(false, Ordering::Relaxed);
    let refused = traffic_until(&proxy, &mut wire, "/", is_rolled_back).await;
    assert!(refused.iter().all(|status| *status == 500), "by the candidate, until it is taken back: {refused:?}");
    let refused = traffic_until(&proxy, &mut wire, "/", |_| true).await;
    assert!(refused.is_empty(), "{refused:?}");
    proxy.settled().await;
}
