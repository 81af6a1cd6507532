//! The auth component with keys from files, as clients see it.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::keys::{KeyFolder, serve};
use crate::process::Process;
use crate::wire::{Message, Wire, within};
use crate::world::{Legacy, World, repository};

#[tokio::test]
async fn every_key_of_an_imported_list_is_as_good_as_the_legacy_service_says() {
    let folder = KeyFolder::legacy().await;
    let proxy = World::new().legacy(Legacy::node()).config(&folder.config()).start().await;
    let list: Vec<Value> =
        serde_json::from_slice(&fs::read(repository("legacy-stub/keys.json")).expect("a file")).expect("a list");
    let keys: Vec<&str> = list.iter().map(|entry| entry["key"].as_str().expect("text")).collect();
    let others =
        ["key_124", "constructor", "dev_mD8ArZUn4FifhC2a_TRbXwVxnFIPzmvDc_CPejs1WbO7maXarD4qX930K9YdNDCnVbmRmXDxI9MxI"];
    for key in keys.iter().chain(&others) {
        proxy.ask(validate(key)).await;
    }
    let status = proxy.settled().await;
    let decisions = json!({"allow_allow": 6, "allow_deny": 0, "deny_allow": 0, "deny_deny": 7});
    for (decision, count) in decisions.as_object().expect("an object") {
        assert_eq!(status["decisions"][decision], *count, "{decision}: {:#}", status["decisions"]);
    }
    proxy.set_weight(1_000_000).await;
    let answer = proxy.ask(validate("dev_TRbXwVxnFIPzmvDc_CPejs1WbO7maXarD4qX930K9YdNDCnVbmRmXDxI9MxI_1Y5UdX")).await;
    let expected = json!({"valid": true, "user_id": "user_rotating", "expires_at": "2099-06-30T00:00:00.000Z"});
    assert_eq!((answer.status(), answer.json()), (200, expected));
}

#[tokio::test]
async fn a_change_is_in_force_within_a_moment() {
    let folder = KeyFolder::new();
    let first = folder.new_key(&["add", "--user", "first", "--scope", "read"]).await;
    let alone = serve(&folder, "", &[]).await;
    assert_eq!(ask(&alone, &first).await.json()["user_id"], "first");
    let second = folder.new_key(&["add", "--user", "second"]).await;
    until(&alone, &second, 200).await;
    let successor = folder.new_key(&["rotate", id(&first), "--grace", "1h"]).await;
    until(&alone, &successor, 200).await;
    assert_eq!(ask(&alone, &first).await.status(), 200, "both are good in the time of grace");
    for key in [&first, &second] {
        assert_eq!(folder.keys(&["revoke", id(key)]).await.code, Some(0));
        until(&alone, key, 401).await;
    }
    assert_eq!(ask(&alone, &successor).await.status(), 200);
    fs::write(folder.key_file(), "{}").expect("a file");
    let said = async {
        while !alone.said().contains("what was read before stays in force") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("the refusal of the file", said).await;
    assert_eq!((ask(&alone, &successor).await.status(), ask(&alone, &first).await.status()), (200, 401));
}

#[tokio::test]
async fn keys_for_development_are_unknown() {
    let folder = KeyFolder::new();
    folder.new_key(&["add", "--user", "u"]).await;
    let alone = serve(&folder, "", &[]).await;
    let list: Vec<Value> =
        serde_json::from_slice(&fs::read(repository("legacy-stub/keys.json")).expect("a file")).expect("a list");
    let tokens: Value =
        serde_json::from_slice(&fs::read(repository("legacy-stub/contract/keys/tokens.json")).expect("a file"))
            .expect("tokens");
    let keys = list.iter().map(|entry| entry["key"].as_str().expect("text"));
    for credential in keys.chain([tokens["jwt-es256"].as_str().expect("a token")]) {
        assert_eq!(ask(&alone, credential).await.status(), 401, "{credential}");
    }
}

#[tokio::test]
async fn who_somebody_is_comes_from_the_record() {
    let folder = KeyFolder::new();
    let rights = ["--user", "u 1", "--email", "u@example.com", "--group", "staff", "--group", "ops, europe"];
    let key = folder.new_key(&[&["add"], &rights[..]].concat()).await;
    let alone = serve(&folder, "", &[]).await;
    let request = format!(
        "GET /auth/forward HTTP/1.1\r\nHost: a\r\nX-Forwarded-Method: GET\r\nAuthorization: Bearer {key}\r\n\r\n"
    );
    let answer = Wire::connect(alone.address("listen")).await.ask(request).await;
    assert_eq!(answer.status(), 200);
    for (name, value) in [
        ("x-auth-request-user", "u%201"),
        ("x-auth-request-email", "u@example.com"),
        ("x-auth-request-groups", "staff,ops%2C%20europe"),
    ] {
        assert_eq!(answer.values(name), [value], "{name}");
    }
}

#[tokio::test]
async fn tokens_are_checked_by_the_keys_and_the_rules_of_the_configuration() {
    let folder = KeyFolder::new();
    let key = folder.new_key(&["add", "--user", "u"]).await;
    let tokens: Value =
        serde_json::from_slice(&fs::read(repository("legacy-stub/contract/keys/tokens.json")).expect("a file"))
            .expect("tokens");
    let token = tokens["jwt-es256"].as_str().expect("a token");
    let jwks = folder.key_file().with_file_name("jwks.json");
    fs::copy(repository("legacy-stub/contract/keys/jwks.json"), &jwks).expect("a file");
    let rules = |issuer: &str, algorithm: &str, lifetime: &str| {
        format!(
            "[[auth.issuers]]\njwks = {jwks:?}\nissuer = \"{issuer}\"\naudiences = [\"https://api.example\"]\nalgorithms = [\"{algorithm}\"]\n{lifetime}"
        )
    };
    const LONG: &str = "lifetime_s_max = 253402300799\n";
    for (rules, status) in [
        (rules("https://issuer.example", "ES256", LONG), 200),
        (rules("https://issuer.example", "ES256", ""), 401),
        (rules("https://issuer.example", "RS256", LONG), 401),
        (rules("https://other.example", "ES256", LONG), 401),
    ] {
        let alone = serve(&folder, &rules, &[]).await;
        assert_eq!(ask(&alone, token).await.status(), status, "{rules}");
    }
    let alone = serve(&folder, &rules("https://issuer.example", "ES256", LONG), &[]).await;
    fs::write(&jwks, "{\"keys\":[]}").expect("a file");
    let said = async {
        while !alone.said().contains("what was read before stays in force") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("the refusal of the file", said).await;
    assert_eq!(ask(&alone, token).await.status(), 200);
    assert_eq!(ask(&alone, &key).await.status(), 200);
    assert_eq!(folder.keys(&["revoke", id(&key)]).await.code, Some(0));
    until(&alone, &key, 401).await;
}

pub(crate) fn validate(credential: &str) -> String {
    format!(
        "POST /auth/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {credential}\r\nContent-Length: 0\r\n\r\n"
    )
}

async fn ask(serve: &Process, credential: &str) -> Message {
    Wire::connect(serve.address("listen")).await.ask(validate(credential)).await
}

/// Waits until the key gets this status.
async fn until(serve: &Process, key: &str, status: u16) {
    let reached = async {
        while ask(serve, key).await.status() != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(&format!("status {status}"), reached).await;
}

fn id(key: &str) -> &str {
    key.split('_').nth(1).expect("a key has four parts")
}
