//! Two tabs of a browser with one refresh token: overlapping calls, whose order the mirror cannot know.

use std::collections::HashSet;
use std::sync::Mutex;

use serde_json::json;

use crate::scripted::{Gate, Reply};
use crate::wire::Message;
use crate::world::{Candidate, Legacy, Proxy, World, count};

#[tokio::test]
async fn two_tabs_that_refresh_together_are_neither_breach_nor_lockout() {
    let (proxy, gate) = proxy(Service::default()).await;
    let token = log_in(&proxy).await;
    let (winner, loser) = race(&proxy, &gate, &refresh(&token), &refresh(&token)).await;
    assert_eq!((winner.status(), loser.status()), (200, 401));
    // The session goes on with what the winner was given, on both sides.
    assert_eq!(proxy.ask(refresh(&given(&winner))).await.status(), 200);
    let status = proxy.settled().await;
    let decisions = &status["decisions"];
    assert_eq!((&decisions["deny_allow"], &decisions["allow_deny"]), (&json!(0), &json!(0)), "{status:#}");
    assert_eq!((&decisions["allow_allow"], &decisions["deny_deny"]), (&json!(3), &json!(1)), "{status:#}");
    assert_eq!(count(&decisions["undetermined"]), 0, "{status:#}");
}

#[tokio::test]
async fn a_candidate_that_lets_both_tabs_in_is_a_breach() {
    let (proxy, gate) = proxy(Service { is_reusable: true, ..Service::default() }).await;
    let token = log_in(&proxy).await;
    race(&proxy, &gate, &refresh(&token), &refresh(&token)).await;
    let status = proxy.settled().await;
    assert_eq!(status["decisions"]["deny_allow"], 1, "{status:#}");
    assert_eq!(count(&status["decisions"]["undetermined"]), 0, "{status:#}");
}

#[tokio::test]
async fn a_refresh_that_overlaps_a_logout_is_undetermined() {
    let (proxy, gate) = proxy(Service::default()).await;
    let token = log_in(&proxy).await;
    let (logout, late) = race(&proxy, &gate, &post("/logout", &token), &refresh(&token)).await;
    assert_eq!((logout.status(), late.status()), (200, 401));
    let status = proxy.settled().await;
    let decisions = &status["decisions"];
    assert_eq!((&decisions["deny_allow"], &decisions["allow_deny"]), (&json!(0), &json!(0)), "{status:#}");
    assert_eq!(decisions["undetermined"]["raced"], 2, "the candidate refuses the logout instead: {status:#}");
    let shown = proxy.command(&["status"]).await.stdout;
    assert!(shown.contains("undetermined (raced 2)"), "{shown}");
}

#[tokio::test]
async fn calls_of_a_session_that_follow_each_other_are_mirrored_in_their_order() {
    let gate = Gate::new();
    let held = Service { holds_logout: Some(gate.clone()), ..Service::default() };
    let world = World::new().legacy(Legacy::scripted(service("legacy", Service::default())));
    let candidate = Candidate::scripted(service("candidate", held));
    let proxy = world.candidate(candidate).config("candidate.deadline_ms = 600000").start().await;
    let token = log_in(&proxy).await;
    assert_eq!(proxy.ask(post("/logout", &token)).await.status(), 200);
    assert_eq!(proxy.ask(refresh(&token)).await.status(), 401, "not together");
    proxy.candidate().received_for("/logout").await;
    gate.open();
    let status = proxy.settled().await;
    let decisions = &status["decisions"];
    assert_eq!((&decisions["deny_allow"], &decisions["deny_deny"]), (&json!(0), &json!(1)), "{status:#}");
    let paths: Vec<String> = proxy.candidate().so_far().iter().map(|request| request.start.clone()).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(paths[1].contains("/logout") && paths[2].contains("/refresh"), "{paths:?}");
}

/// Legacy answers the first call once the second one has its answer; which it had done first.
async fn race(proxy: &Proxy, gate: &Gate, first: &str, second: &str) -> (Message, Message) {
    let so_far = proxy.legacy().count();
    let mut wire = proxy.connect().await;
    wire.send(first).await;
    proxy.legacy().received(so_far + 1).await;
    let second = proxy.ask(second).await;
    gate.open();
    (wire.answer().await, second)
}

async fn proxy(candidate: Service) -> (Proxy, Gate) {
    let gate = Gate::new();
    let legacy = Service { holds: Some(gate.clone()), ..Service::default() };
    let world = World::new().legacy(Legacy::scripted(service("legacy", legacy)));
    (world.candidate(Candidate::scripted(service("candidate", candidate))).start().await, gate)
}

/// Sessions with refresh tokens that are good once.
#[derive(Default)]
struct Service {
    /// Its answers to whom it lets in, but for the login.
    holds: Option<Gate>,
    holds_logout: Option<Gate>,
    is_reusable: bool,
    tokens: HashSet<String>,
    made: usize,
}

fn service(side: &'static str, service: Service) -> impl Fn(&Message) -> Reply + Send + Sync + 'static {
    let service = Mutex::new(service);
    move |request| {
        let mut service = service.lock().expect("nothing panics while it holds the tokens");
        let path = request.start.split(' ').nth(1).unwrap_or_default().to_owned();
        let cookie = request.values("cookie").first().copied().unwrap_or_default().to_owned();
        let token = cookie.strip_prefix("refresh=").unwrap_or_default();
        let is_good = match path.as_str() {
            "/login" => true,
            "/logout" => service.tokens.remove(token),
            _ if service.is_reusable => service.tokens.contains(token),
            _ => service.tokens.remove(token),
        };
        let mut headers = String::new();
        if is_good && path != "/logout" {
            service.made += 1;
            let new = format!("{side}-refresh-token-{:04}", service.made);
            headers = format!("Set-Cookie: refresh={new}; HttpOnly\r\n");
            service.tokens.insert(new);
        }
        let status = if is_good { 200 } else { 401 };
        let answer = format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: 0\r\n\r\n");
        let gate = match path.as_str() {
            "/login" => None,
            "/logout" if service.holds_logout.is_some() => service.holds_logout.clone(),
            _ => service.holds.clone().filter(|_| is_good),
        };
        gate.iter().fold(Reply::default(), |reply, gate| reply.wait(gate)).then(answer)
    }
}

async fn log_in(proxy: &Proxy) -> String {
    given(&proxy.ask(post("/login", "")).await)
}

fn given(answer: &Message) -> String {
    let cookie = answer.values("set-cookie")[0].split(';').next().unwrap_or_default();
    cookie.strip_prefix("refresh=").expect("a token").to_owned()
}

fn refresh(token: &str) -> String {
    post("/refresh", token)
}

fn post(path: &str, token: &str) -> String {
    let cookie = if token.is_empty() { String::new() } else { format!("Cookie: refresh={token}\r\n") };
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{cookie}Content-Length: 0\r\n\r\n")
}
