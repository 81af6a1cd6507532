//! Sessions and the side that they stay with: when the shift begins, when it is taken back, and where both sides know all.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::stateful::{Session, proxy_of_two_services, service_on};
use crate::world::{Candidate, Legacy, Proxy, World, count};

const CLIENTS: usize = 40;

#[tokio::test]
async fn sessions_begun_before_the_shift_stay_with_legacy_until_a_person_ends_them() {
    // A short cookie is known by its name alone: that its values differ is no matter of sessions.
    let config = "[[compare.rules]]\nname = \"sid\"\npath = \"header.set-cookie.sid.value\"\nreason = \"a test\"\n\
                  expires = \"2999-01-01\"";
    let proxy = proxy_of_two_services(config, None).await;
    let mut sessions = logged_in(&proxy).await;
    for weight_ppm in [1_000, 500_000, 1_000_000] {
        proxy.set_weight(weight_ppm).await;
        assert_eq!(refused(&proxy, &mut sessions).await, 0, "at {weight_ppm}");
        let held = proxy.settled().await["sessions"].clone();
        assert_eq!(
            (&held["legacy"]["held"], &held["legacy"]["active"]),
            (&json!(CLIENTS), &json!(CLIENTS)),
            "{held:#}"
        );
        assert_eq!((&held["shared"], &held["cut"]), (&json!(false), &Value::Null), "{held:#}");
    }
    let status = proxy.settled().await;
    let decisions = &status["decisions"];
    assert_eq!((&decisions["allow_deny"], &decisions["deny_allow"]), (&json!(0), &json!(0)), "{status:#}");
    assert_eq!(count(&decisions["undetermined"]), 0, "{status:#}");
    // New ones begin on the candidate.
    let new = Session::log_in(&proxy).await;
    assert!(new.access_token.contains("candidate"), "{}", new.access_token);
    let shown = proxy.command(&["status"]).await.stdout;
    assert!(shown.contains("40 that legacy began, 40 used within five minutes"), "{shown}");
    assert!(shown.contains("1 that candidate began, "), "{shown}");
    assert!(shown.contains("they stay there"), "{shown}");
    let cut = proxy.command(&["cut", "--who", "a test", "--why", "the last may sign in again"]).await;
    assert!(cut.stdout.contains("40 sessions end: their clients have to sign in again"), "{cut:?}");
    assert_eq!(proxy.status().await["sessions"]["cut"], "legacy");
    assert_eq!(sessions[0].me(&proxy).await, 401, "the candidate does not know it");
    let status = proxy.settled().await;
    assert_eq!((&status["decisions"]["allow_deny"], &status["decisions"]["deny_allow"]), (&json!(0), &json!(0)));
    assert_eq!(status["decisions"]["undetermined"]["other_sides_session"], 1, "{status:#}");
    let again = proxy.command(&["cut", "--who", "a test", "--why", "again"]).await;
    assert!(again.code != Some(0) && again.stderr.contains("ended already"), "{again:?}");
}

#[tokio::test]
async fn sessions_of_the_candidate_are_no_breaches_after_a_rollback_and_can_live_out() {
    let proxy = proxy_of_two_services("", None).await;
    proxy.set_weight(1_000_000).await;
    let mut sessions = logged_in(&proxy).await;
    let rollback = proxy.command(&["rollback", "--who", "a test", "--why", "to see"]).await;
    assert!(rollback.stdout.contains("40 sessions end: their clients have to sign in again"), "{rollback:?}");
    assert!(rollback.stdout.contains("`rollback --drain` gives them back"), "{rollback:?}");
    assert_eq!(refused(&proxy, &mut sessions).await, 0, "on the way down they are served");
    let rollback = proxy.command(&["rollback", "--who", "a test", "--why", "at once"]).await;
    assert!(rollback.stdout.contains("weight 0 ppm"), "{rollback:?}");
    for session in &sessions {
        assert_eq!(session.me(&proxy).await, 401, "legacy does not know it");
    }
    let status = proxy.settled().await;
    let decisions = &status["decisions"];
    assert_eq!((&decisions["deny_allow"], &decisions["allow_deny"]), (&json!(0), &json!(0)), "{status:#}");
    assert_eq!(decisions["undetermined"]["other_sides_session"], CLIENTS, "{status:#}");
    assert_eq!((&status["shift"]["brake"], &status["sessions"]["cut"]), (&json!(false), &json!("candidate")));
    assert_eq!(metric(&proxy, "shadow_proxy_shift_brakes_total").await, 0);
    // Nothing was wrong with the candidate: it still knows them.
    let drain = proxy.command(&["rollback", "--drain", "--who", "a test", "--why", "nothing is wrong"]).await;
    assert!(drain.code == Some(0) && drain.stdout.contains("`cut` ends them"), "{drain:?}");
    assert_eq!(refused(&proxy, &mut sessions).await, 0);
    let status = proxy.settled().await;
    assert_eq!((&status["phase"], &status["weight_ppm"]), (&json!("rolled-back"), &json!(0)));
    assert_eq!(status["sessions"]["candidate"]["held"], CLIENTS, "{status:#}");
    let new = Session::log_in(&proxy).await;
    assert!(new.access_token.contains("legacy"), "{}", new.access_token);
    let cut = proxy.command(&["cut", "--who", "a test", "--why", "enough"]).await;
    assert!(cut.stdout.contains("40 sessions end"), "{cut:?}");
    assert_eq!(sessions[0].me(&proxy).await, 401);
}

#[tokio::test]
async fn where_both_sides_share_a_store_sessions_follow_the_weight() {
    let held = Arc::default();
    let world = World::new().legacy(Legacy::scripted(service_on(Arc::clone(&held), "legacy", None)));
    let world = world.candidate(Candidate::scripted(service_on(held, "candidate", None)));
    let config = "sessions.shared = true\n[[routes]]\npath = \"/*\"\nmethods = [\"POST\"]\nclass = \"never\"";
    let proxy = world.config(config).start().await;
    let mut sessions = logged_in(&proxy).await;
    for weight_ppm in [0, 500_000, 1_000_000, 0] {
        proxy.set_weight(weight_ppm).await;
        assert_eq!(refused(&proxy, &mut sessions).await, 0, "at {weight_ppm}");
    }
    let status = proxy.settled().await;
    let decisions = &status["decisions"];
    assert_eq!((&decisions["deny_allow"], &decisions["allow_deny"]), (&json!(0), &json!(0)), "{status:#}");
    assert_eq!(count(&decisions["undetermined"]), 0, "{status:#}");
    assert_eq!(decisions["allow_allow"], 4 * CLIENTS, "each GET, although the login was asked of one side: {status:#}");
    assert_eq!(status["sessions"]["shared"], true);
    assert!(status["requests"]["served"]["candidate"].as_u64().expect("a count") > 3 * CLIENTS as u64, "{status:#}");
    let rollback = proxy.command(&["rollback", "--who", "a test", "--why", "to see"]).await;
    assert!(rollback.code == Some(0) && !rollback.stdout.contains("sign in again"), "{rollback:?}");
}

async fn logged_in(proxy: &Proxy) -> Vec<Session> {
    let mut sessions = Vec::new();
    for _ in 0..CLIENTS {
        sessions.push(Session::log_in(proxy).await);
    }
    sessions
}

/// How many of their calls were refused: with a bearer token, with cookies, with a refresh token that is good once.
async fn refused(proxy: &Proxy, sessions: &mut [Session]) -> usize {
    let mut refused = 0;
    for session in sessions {
        for status in [session.me(proxy).await, session.transfer(proxy).await, session.refresh(proxy).await] {
            refused += usize::from(status != 200);
        }
    }
    refused
}

async fn metric(proxy: &Proxy, name: &str) -> u64 {
    let text = proxy.admin_get("/metrics").await.text();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).expect("it is there");
    value.trim().parse().expect("a number")
}
