//! Evidence that begins anew: somebody says so, the candidate says that it is another version, a rule was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

use crate::scripted::{Reply, Scripted, allow, ok};
use crate::wire::{Message, get, within};
use crate::world::{Candidate, Legacy, Proxy, World};

const BY: [&str; 4] = ["--who", "ada", "--why", "the candidate was mended"];

/// What the gate says, once so many pairs are in the store.
async fn judged(proxy: &Proxy, pairs: u64) -> Value {
    proxy.settled().await;
    within("the pairs to be stored", async {
        loop {
            let judgement = proxy.admin_get("/api/gate").await.json();
            if judgement["pairs"] == pairs {
                return judgement;
            }
        }
    })
    .await
}

async fn ask(proxy: &Proxy, paths: std::ops::Range<usize>) {
    for n in paths {
        proxy.ask(get(&format!("/users/{n}"))).await;
    }
}

fn deny() -> Reply {
    Reply::bytes("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
}

/// Answers as its version does: the first lets everybody in, with another body.
fn versions(version: &Arc<AtomicU8>) -> Scripted {
    let version = version.clone();
    Scripted::start(move |_: &Message| {
        let version = version.load(Ordering::Relaxed);
        let (status, body) = if version == 1 { ("200 OK", "{}") } else { ("401 Unauthorized", "") };
        Reply::bytes(format!(
            "HTTP/1.1 {status}\r\nX-Version: {version}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    })
}

#[tokio::test]
async fn a_person_begins_the_evidence_anew_and_the_journal_has_it() {
    let version = Arc::new(AtomicU8::new(1));
    let rules = "[[compare.rules]]\nname = \"version\"\npath = \"header.x-version\"\nexplains = [\"added\"]\n\
                 expires = \"2099-01-01\"\nreason = \"a test\"\n";
    let proxy = World::new()
        .legacy(Legacy::scripted(|_| deny()))
        .candidate(Candidate::Scripted(versions(&version)))
        .config(rules)
        .start()
        .await;
    ask(&proxy, 0..10).await;
    let before = judged(&proxy, 10).await;
    assert_eq!((&before["breaches"], &before["verdict"]), (&json!(10), &json!("no-go")), "{before:#}");

    version.store(2, Ordering::Relaxed);
    let reset = proxy.command(&[&["evidence", "reset"], &BY[..]].concat()).await;
    assert_eq!(reset.code, Some(0), "{reset:?}");
    assert!(reset.stdout.contains("the evidence begins anew"), "{reset:?}");
    let journal = std::fs::read_to_string(proxy.data_folder().join("journal.jsonl")).expect("a journal");
    assert!(journal.contains("reset-evidence") && journal.contains("the candidate was mended"), "{journal}");
    ask(&proxy, 10..30).await;
    let after = judged(&proxy, 20).await;
    assert_eq!((&after["breaches"], &after["verdict"]), (&json!(0), &json!("not-enough")), "{after:#}");
    assert_eq!(after["coverage"], 1.0, "{after:#}");

    let diffs = proxy.admin_get("/api/diffs").await.json();
    let diffs = diffs.as_array().expect("a list");
    let breach = diffs.iter().find(|finding| finding["severity"] == "breach").expect("it stays listed");
    assert_eq!(breach["not_seen_since_ms"], breach["last_seen_ms"], "{breach:#}");
    let listed = proxy.command(&["diffs"]).await.stdout;
    assert!(listed.contains("not seen since 20"), "{listed}");

    // It is seen again, and counts from there.
    version.store(1, Ordering::Relaxed);
    ask(&proxy, 30..31).await;
    let again = judged(&proxy, 21).await;
    assert_eq!(again["breaches"], 1, "{again:#}");
    let diffs = proxy.admin_get("/api/diffs").await.json();
    let breach = diffs.as_array().expect("a list").iter().find(|finding| finding["severity"] == "breach");
    assert_eq!(breach.expect("a breach")["not_seen_since_ms"], Value::Null);
    let nobody = proxy.admin_post("/api/evidence/reset", &json!({"who": " ", "why": "x"})).await;
    assert_eq!(nobody.status(), 422);
}

#[tokio::test]
async fn a_new_version_of_the_candidate_begins_the_evidence_anew_and_gives_its_weight_back() {
    let version = Arc::new(AtomicU8::new(1));
    let config = "candidate.version_header = \"x-version\"\n[[compare.rules]]\nname = \"version\"\n\
                  path = \"header.x-version\"\nexplains = [\"added\"]\nexpires = \"2099-01-01\"\nreason = \"a test\"\n";
    let proxy = World::new()
        .legacy(Legacy::scripted(|_| deny()))
        .candidate(Candidate::Scripted(versions(&version)))
        .config(config)
        .start()
        .await;
    ask(&proxy, 0..10).await;
    assert_eq!(judged(&proxy, 10).await["breaches"], 10);

    version.store(2, Ordering::Relaxed);
    ask(&proxy, 10..40).await;
    let status = proxy.until("the journal", |status| status["shift"]["epoch"].as_u64() >= Some(1)).await;
    assert_eq!(status["phase"], "shadow", "{status:#}");
    let after = judged(&proxy, 30).await;
    assert_eq!((&after["breaches"], &after["verdict"]), (&json!(0), &json!("not-enough")), "{after:#}");

    // A weight is about the version that it was given to. What the one before says, while both run, is no evidence.
    assert_eq!(proxy.set_weight(500_000).await.status(), 200);
    version.store(3, Ordering::Relaxed);
    ask(&proxy, 40..41).await;
    let status = proxy.until("the rollback", |status| status["weight_ppm"] == 0).await;
    let reasons = status["shift"]["reasons"].to_string();
    assert_eq!(status["phase"], "rolled-back", "{reasons}");
    let explained = proxy.command(&["shift", "explain"]).await.stdout;
    assert!(explained.contains("it is version 3, and was 2"), "{explained}");
    version.store(2, Ordering::Relaxed);
    ask(&proxy, 41..46).await;
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["not_comparable"]["candidate_past_version"], 5, "{status:#}");

    // A restart knows which one it was.
    version.store(3, Ordering::Relaxed);
    let epoch = status["shift"]["epoch"].clone();
    let proxy = proxy.restarted_with_config(config).await;
    ask(&proxy, 46..50).await;
    assert_eq!(proxy.settled().await["shift"]["epoch"], epoch);
}

#[tokio::test]
async fn a_rule_in_the_file_explains_what_was_found_before() {
    let answer = |role: &'static str| {
        move |_: &Message| Reply::bytes(ok("application/json", &format!(r#"{{"role":"{role}"}}"#)))
    };
    let world = World::new().legacy(Legacy::scripted(answer("user"))).candidate(Candidate::scripted(answer("member")));
    let proxy = world.again("1", "0").start().await;
    ask(&proxy, 0..5).await;
    judged(&proxy, 5).await;
    let diffs = proxy.admin_get("/api/diffs").await.json();
    assert_eq!((&diffs[0]["path"], &diffs[0]["rule"]), (&json!("body.role"), &Value::Null), "{diffs:#}");

    let rule =
        "[[compare.rules]]\nname = \"roles\"\npath = \"body.role\"\nexpires = \"2099-01-01\"\nreason = \"a test\"\n";
    let proxy = proxy.restarted_with_config(rule).await;
    let diffs = proxy.admin_get("/api/diffs").await.json();
    assert_eq!((&diffs[0]["rule"], &diffs[0]["status"]), (&json!("roles"), &json!("explained")), "{diffs:#}");
}

#[tokio::test]
async fn a_weight_by_hand_is_a_share_in_any_spelling_and_a_freeze_wants_force() {
    let candidate = Candidate::scripted(|_| allow());
    let config = "[shift]\nfreezes = [\"2020-01-01/2099-12-31\"]\n";
    let proxy = World::new().candidate(candidate).config(config).start().await;
    let weight = async |arguments: &[&str]| proxy.command(&[&["weight"], arguments, &BY[..]].concat()).await;
    let refused = weight(&["25%"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("2020-01-01/2099-12-31"), "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    for (text, ppm) in [("25%", 250_000), ("0.1%", 1_000), ("0.1 %", 1_000), ("5000", 5_000), ("5000ppm", 5_000)] {
        let set = weight(&[text, "--force"]).await;
        assert!(set.code == Some(0) && set.stdout.contains(&format!("weight {ppm} ppm")), "{text}: {set:?}");
    }
    let journal = std::fs::read_to_string(proxy.data_folder().join("journal.jsonl")).expect("a journal");
    assert!(journal.contains("it was said with --force"), "{journal}");
    // Less exposure is never frozen.
    assert_eq!(weight(&["1000"]).await.code, Some(0));
    assert_eq!(weight(&["0%"]).await.code, Some(0));
    for wrong in ["101%", "1000001", "a lot", "0.00001%"] {
        let ended = weight(&[wrong]).await;
        assert!(ended.code == Some(2) && ended.stderr.contains("parts per million"), "{ended:?}");
    }
    assert!(proxy.process.said().contains("traffic weight changed"), "{}", proxy.process.said());
}
