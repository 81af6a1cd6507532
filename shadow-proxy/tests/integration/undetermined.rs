//! Decisions that differ because something ended between the two legs, and those that only look so.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64Url, Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::scripted::{Gate, Reply, allow, ok};
use crate::wire::Message;
use crate::world::{Candidate, Legacy, World};

/// Seconds since the Unix epoch.
fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Signed with the public key for development.
fn token(claims: &Value) -> String {
    let key = Base64Url::decode_vec("S2oLoq5x6dIO5YGdhvenQriSqWQmnn6ImV4k6rSaHLM=").expect("base64url");
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT", "kid": "hs256"})), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes()))
}

fn ending(at_s: f64) -> String {
    token(&json!({
        "iss": "https://issuer.example", "aud": "https://api.example", "sub": "user_1",
        "iat": at_s as u64 - 60, "exp": at_s,
    }))
}

fn validate(credential: &str) -> String {
    format!(
        "POST /auth/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {credential}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn deny() -> Reply {
    Reply::bytes("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
}

/// One credential, first let in so many times and then refused.
fn let_in(times: usize) -> impl Fn(&Message) -> Reply + Send + Sync + 'static {
    let asked = AtomicUsize::new(0);
    move |_| if asked.fetch_add(1, Ordering::Relaxed) < times { allow() } else { deny() }
}

/// The candidate serves; legacy, asked later, finds the token at its end.
fn served_by_the_candidate() -> World {
    World::new().legacy(Legacy::scripted(|_| deny())).candidate(Candidate::scripted(|_| allow())).weight(1_000_000)
}

#[tokio::test]
async fn a_token_that_ends_between_the_legs_is_neither_a_breach_nor_evidence() {
    let mut proxy = served_by_the_candidate().config("compare.clock_tolerance_ms = 60000").start().await;
    assert_eq!(proxy.ask(validate(&ending(now_s() + 5.0))).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(
        status["decisions"]["undetermined"],
        json!({"raced": 0, "expired_between": 1, "order_unknown": 0, "other_sides_session": 0})
    );
    assert_eq!((&status["decisions"]["deny_allow"], &status["verdicts"]["explained"]), (&json!(0), &json!(1)));
    assert_eq!(status["weight_ppm"], 1_000_000, "{status:#}");
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(metrics.contains("shadow_proxy_undetermined_total{reason=\"expired_between\"} 1"), "{metrics}");
    let said = proxy.command(&["status"]).await;
    assert!(said.stdout.contains("undetermined (expired_between 1)"), "{said:?}");
    // One of one is more than the budget, and so it is known when the proxy is gone.
    proxy.ended().await;
    let gate = proxy.command_on_data(&["gate"]).await;
    assert_eq!(gate.code, Some(2), "{gate:?}");
    assert!(gate.stdout.contains("100 % of the decisions are undetermined (expired_between 1)"), "{gate:?}");
    let diffs = proxy.command_on_data(&["diffs", "--all", "--json"]).await;
    let diffs: Value = serde_json::from_str(&diffs.stdout).expect("JSON");
    let found = diffs.as_array().expect("a list").iter().find(|finding| finding["path"] == "decision");
    let found = found.unwrap_or_else(|| panic!("{diffs:#}"));
    assert_eq!((&found["severity"], &found["status"]), (&json!("undetermined"), &json!("explained")));
    assert_eq!(found["sentence"], "legacy decides deny, the candidate allow (undetermined: expired_between)");
}

#[tokio::test]
async fn a_token_that_is_good_for_longer_excuses_nothing() {
    let proxy = served_by_the_candidate().start().await;
    assert_eq!(proxy.ask(validate(&ending(now_s() + 60.0))).await.status(), 200);
    proxy.until("the rollback", |status| status["phase"] == "rolled-back").await;
    let status = proxy.settled().await;
    assert_eq!(status["decisions"]["deny_allow"], 1, "{status:#}");
}

/// Legacy need not be asked twice to find that out: the component decides as of another moment.
#[tokio::test]
async fn a_component_shows_by_itself_whether_time_decides() {
    let end = ending(now_s() + 30.0);
    let other = |credential: &str| {
        let cookie = format!("Host: a\r\nCookie: hint={end}");
        validate(credential).replacen("Host: a", &cookie, 1)
    };
    for (request, expected) in [
        (validate(&end), "expired_between"),
        // A token that has nothing to do with it excuses nothing.
        (other(&ending(now_s() + 3_600.0)), "deny_allow"),
        (validate(&ending(now_s() + 3_600.0)), "deny_allow"),
    ] {
        let world = World::new().legacy(Legacy::scripted(|_| deny())).candidate(Candidate::built());
        let proxy = world.config("compare.clock_tolerance_ms = 60000").weight(1_000_000).start().await;
        assert_eq!(proxy.ask(&request).await.status(), 200);
        let decisions = proxy.settled().await["decisions"].clone();
        let found = if decisions["deny_allow"] == 1 { "deny_allow" } else { "expired_between" };
        assert_eq!((found, crate::world::count(&decisions)), (expected, 1), "{decisions:#}");
        assert_eq!(proxy.legacy().count(), 1);
    }
}

/// In the last moment of a token, and for as long as anybody likes: when the end is over, both are asked again.
#[tokio::test]
async fn a_candidate_that_is_lenient_is_found_by_asking_again() {
    let world = served_by_the_candidate().config("compare.clock_tolerance_ms = 500").again("0.000001", "0");
    let proxy = world.start().await;
    assert_eq!(proxy.ask(validate(&ending(now_s() + 0.2))).await.status(), 200);
    proxy.until("the rollback", |status| status["phase"] == "rolled-back").await;
    let status = proxy.settled().await;
    assert_eq!(
        (&status["decisions"]["deny_allow"], &status["decisions"]["undetermined"]["expired_between"]),
        (&json!(1), &json!(0))
    );
}

/// Nothing about an opaque credential says when it ends.
#[tokio::test]
async fn a_session_that_ends_between_the_legs_is_told_from_a_candidate_that_errs_by_chance() {
    for (legacy, candidate, requests, cell) in [
        // Legacy let it in before, and it has ended on both sides.
        (let_in(1), let_in(2), 2, "expired_between"),
        // Nobody ever let it in but the candidate, once.
        (let_in(0), let_in(1), 1, "deny_allow"),
    ] {
        let world = World::new().legacy(Legacy::scripted(legacy)).candidate(Candidate::scripted(candidate));
        let world = world.config("compare.clock_tolerance_ms = 10").again("0.000001", "0");
        let proxy = world.weight(1_000_000).start().await;
        for _ in 0..requests {
            proxy.ask(validate("opaque")).await;
            proxy.settled().await;
        }
        let decisions = proxy.settled().await["decisions"].clone();
        let found = [&decisions["undetermined"]["expired_between"], &decisions["deny_allow"]];
        let expected = [json!(u8::from(cell == "expired_between")), json!(u8::from(cell == "deny_allow"))];
        assert_eq!(found, [&expected[0], &expected[1]], "{decisions:#}");
    }
    // Legacy serves, and is the one that knows: it refuses now.
    let proxy = World::new().legacy(Legacy::scripted(let_in(1))).candidate(Candidate::scripted(|_| deny()));
    let proxy = proxy.again("0.000001", "0").start().await;
    proxy.ask(validate("opaque")).await;
    let decisions = proxy.settled().await["decisions"].clone();
    assert_eq!((&decisions["undetermined"]["expired_between"], &decisions["allow_deny"]), (&json!(1), &json!(0)));
}

/// The component decides as of the moment at which legacy was asked, however long legacy takes.
#[tokio::test]
async fn a_component_is_asked_as_of_when_legacy_was() {
    let gate = Gate::new();
    let held = gate.clone();
    let legacy =
        Legacy::scripted(move |_| Reply::default().wait(&held).then(ok("application/json", r#"{"valid":true}"#)));
    let proxy = World::new().legacy(legacy).candidate(Candidate::built()).start().await;
    let end_s = now_s().floor() + 3.0;
    let mut wire = proxy.connect().await;
    wire.send(validate(&ending(end_s))).await;
    proxy.legacy().received(1).await;
    assert!(now_s() < end_s, "the machine was asleep");
    tokio::time::sleep(Duration::from_secs_f64(end_s + 0.5 - now_s())).await;
    gate.open();
    assert_eq!(wire.answer().await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["decisions"]["allow_allow"], 1, "{status:#}");
}
