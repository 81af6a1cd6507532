//! What somebody without a credential can send, and what it does to the shift: nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scripted::{Reply, allow};
use crate::wire::{Message, within};
use crate::world::{Candidate, DRAWS_CLIENTS, Legacy, Proxy, World};

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

/// What the gate says, once so many pairs are in the store.
async fn judged(proxy: &Proxy, pairs: u64) -> Value {
    proxy.settled().await;
    within("the pairs to be stored", async {
        loop {
            let judgement = proxy.admin_get("/api/gate").await.json();
            if judgement["pairs"] == pairs {
                return judgement;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn odd_requests_that_one_parser_refuses_have_a_budget_of_their_own() {
    let too_large = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n";
    let legacy = Legacy::scripted(move |request: &Message| match request.values("x-odd").is_empty() {
        true => allow(),
        false => Reply::bytes(too_large),
    });
    let config = "[gate]\nmismatch_ppm_max = 10000\nparser_ppm_max = 1000\n";
    let proxy = World::new().legacy(legacy).candidate(Candidate::scripted(|_| allow())).config(config).start().await;
    let mut wire = proxy.connect().await;
    for n in 0..340 {
        assert_eq!(wire.ask(request(&format!("/users/{n}"), "")).await.status(), 200);
    }
    for n in 0..10 {
        assert_eq!(wire.ask(request(&format!("/users/{n}"), "X-Odd: 1\r\n")).await.status(), 431);
    }
    let judgement = judged(&proxy, 350).await;
    assert_eq!(
        (&judgement["verdict"], &judgement["parser_mismatches"]),
        (&json!("no-go"), &json!(10)),
        "{judgement:#}"
    );
    let text = judgement["reasons"].to_string();
    assert!(text.contains("refused by one side's parser alone"), "ten of 350 are more than 0.1 %: {text}");
    assert_eq!((&judgement["counted"], &judgement["counted_mismatches"]), (&json!(340), &json!(0)), "{judgement:#}");

    let proxy = proxy.restarted_with_config("[gate]\nmismatch_ppm_max = 10000\n").await;
    let judgement = proxy.admin_get("/api/gate").await.json();
    assert_eq!(judgement["verdict"], "go", "1 % is what may be: {judgement:#}");
}

#[tokio::test]
async fn a_changing_header_makes_no_new_evidence() {
    let proxy = World::new().candidate(Candidate::scripted(|_| allow())).start().await;
    let mut wire = proxy.connect().await;
    for n in 0..100 {
        let headers = format!("Authorization: Bearer one\r\nX-Anything: {n}\r\nX-{n}: 1\r\n");
        assert_eq!(wire.ask(request("/me", &headers)).await.status(), 200);
    }
    assert_eq!(judged(&proxy, 100).await["counted"], 32);
}

#[tokio::test]
async fn made_up_credentials_are_in_no_split_check() {
    let is_good = |request: &Message| request.values("authorization").iter().any(|value| value.contains("good"));
    let answer = move |request: &Message| match is_good(request) {
        true => allow(),
        false => Reply::bytes("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
    };
    let world = World::new().legacy(Legacy::scripted(answer)).candidate(Candidate::scripted(answer));
    let proxy = world.weight(500_000).start().await;
    let mut wire = proxy.connect().await;
    for n in 0..60 {
        wire.ask(request("/", &format!("X-Api-Key: made_up{n}\r\n"))).await;
        wire.ask(request("/", &format!("Authorization: Bearer forged{n}\r\n"))).await;
        wire.ask(request("/", "")).await;
    }
    for n in 0..20 {
        wire.ask(request("/", &format!("Authorization: Bearer good{n}\r\n"))).await;
    }
    proxy.settled().await;
    within("the next look", async {
        loop {
            let live = proxy.admin_get("/api/shift").await.json()["input"]["live"].clone();
            let ids = live["ids_legacy"].as_u64().unwrap_or(0) + live["ids_candidate"].as_u64().unwrap_or(0);
            assert!(ids <= 20, "{live:#}");
            if ids == 20 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_key_that_draws_clients_is_random_secret_and_kept() {
    let world = || World::new().candidate(Candidate::scripted(|_| allow())).config(DRAWS_CLIENTS);
    let key = |proxy: &Proxy| std::fs::read_to_string(proxy.data_folder().join("hash.key")).expect("a key");
    let (one, other) = (world().start().await, world().start().await);
    let drawn = key(&one);
    assert!(drawn.trim().len() == 32 && drawn != key(&other), "{drawn}");
    let file = one.data_folder().join("hash.key");
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let one = one.restarted_with_config(DRAWS_CLIENTS).await;
    assert_eq!(key(&one), drawn, "clients stay where they are");

    // Configured, it is nobody's file.
    let configured = format!("{DRAWS_CLIENTS}\nshift.hash_key = \"{}\"", drawn.trim());
    let replica = World::new().candidate(Candidate::scripted(|_| allow())).config(&configured).start().await;
    assert!(!replica.data_folder().join("hash.key").exists());

    let mut one = one;
    one.ended().await;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let config = one.data_folder().join("../config.toml");
    let legacy = one.legacy().url();
    let check = ["check", "--config", config.to_str().expect("text"), "--legacy", &legacy, "--candidate-url", &legacy];
    let refused = one.command_on_data(&check).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("chmod 600"), "{refused:?}");
    std::fs::write(&config, "shift.hash_key = \"shadow-proxy\"").expect("a file");
    let doubted = one.command_on_data(&check).await;
    assert!(doubted.code == Some(0) && doubted.stderr.contains("shift.hash_key"), "{doubted:?}");
}
