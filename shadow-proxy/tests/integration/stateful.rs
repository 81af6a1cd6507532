//! Traffic that changes something: what may be asked a second time, of whom, and with whose tokens.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::json;

use crate::scripted::{Gate, Reply, allow};
use crate::wire::{Message, get};
use crate::world::{Candidate, Legacy, Proxy, World, count};

const ROUTES: &str = r#"
[[routes]]
path = "/sessions/*"
methods = ["POST", "DELETE"]
class = "never"

[[routes]]
path = "/search"
class = "safe"

[[routes]]
path = "/reports"
methods = ["GET"]
class = "isolated"
"#;

#[tokio::test]
async fn what_changes_something_is_mirrored_to_the_candidate_alone() {
    let proxy = World::new().candidate(Candidate::scripted(|_| allow())).config(ROUTES).start().await;
    let mirrored = ["POST /search", "POST /keys", "GET /reports", "POST /auth/validate", "GET /sessions/1"];
    let not_mirrored = ["POST /sessions/1", "DELETE /sessions/1"];
    for call in mirrored.iter().chain(&not_mirrored) {
        assert_eq!(ask(&proxy, call).await, 200, "{call}: the client is served like any other");
    }
    let requests = proxy.settled().await["requests"].clone();
    assert_eq!((&requests["mirrored"], &requests["skipped"]["route"]), (&json!(5), &json!(2)), "{requests:#}");
    assert_eq!(asked(proxy.candidate().so_far()), sorted(&mirrored));
    assert_eq!(proxy.legacy().count(), 7, "each once");

    // The candidate has done it: legacy would do it once more.
    proxy.set_weight(1_000_000).await;
    for call in mirrored.iter().chain(&not_mirrored) {
        assert_eq!(ask(&proxy, call).await, 200, "{call}: the client is served like any other");
    }
    let requests = proxy.settled().await["requests"].clone();
    let skipped = &requests["skipped"];
    assert_eq!((&skipped["route"], &skipped["unsafe"]), (&json!(4), &json!(2)), "{requests:#}");
    let safe = ["POST /search", "POST /auth/validate", "GET /sessions/1"];
    assert_eq!(asked(proxy.legacy().so_far().split_off(7)), sorted(&safe));
    assert_eq!(proxy.candidate().count(), 12);
}

#[tokio::test]
async fn a_route_that_is_safe_can_be_rescued_and_one_that_is_not_cannot() {
    let candidate = Candidate::scripted(|_| crate::scripted::Reply::default().close());
    let proxy = World::new().candidate(candidate).config(ROUTES).weight(1_000_000).start().await;
    for (call, status) in [("POST /search", 200), ("GET /reports", 502), ("POST /sessions/1", 502)] {
        assert_eq!(ask(&proxy, call).await, status, "{call}");
    }
    assert_eq!(proxy.settled().await["requests"]["rescued"], 1);
    assert_eq!(asked(proxy.legacy().so_far()), ["POST /search"]);
    assert_eq!(proxy.ask(get("/sessions/1")).await.status(), 200);
}

async fn ask(proxy: &Proxy, call: &str) -> u16 {
    proxy.ask(format!("{call} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).await.status()
}

/// Methods and paths, in alphabetical order: the mirror keeps none.
fn asked(requests: Vec<crate::wire::Message>) -> Vec<String> {
    let mut asked: Vec<String> =
        requests.iter().map(|request| request.start.trim_end_matches(" HTTP/1.1").to_owned()).collect();
    asked.sort_unstable();
    asked
}

fn sorted(calls: &[&'static str]) -> Vec<&'static str> {
    let mut sorted = calls.to_vec();
    sorted.sort_unstable();
    sorted
}

#[tokio::test]
async fn a_session_of_legacy_is_mapped_to_the_one_that_the_candidate_began() {
    for (config, is_mapped) in [("", true), ("sessions.enabled = false", false)] {
        let proxy = proxy_of_two_services(config, None).await;
        let mut session = Session::log_in(&proxy).await;
        for _ in 0..3 {
            assert_eq!(session.me(&proxy).await, 200);
            assert_eq!(session.transfer(&proxy).await, 200);
            assert_eq!(session.refresh(&proxy).await, 200, "each refresh token is good once");
        }
        assert_eq!(session.me(&proxy).await, 200);
        let status = proxy.settled().await;
        let decisions = &status["decisions"];
        let expected = if is_mapped { (json!(11), json!(0)) } else { (json!(1), json!(10)) };
        assert_eq!((&decisions["allow_allow"], &decisions["allow_deny"]), (&expected.0, &expected.1), "{status:#}");
        let mapped = metric(&proxy, "shadow_proxy_session_values_mapped_total").await;
        // A bearer token ×4, cookies and header ×3, a refresh token ×3.
        assert_eq!(mapped, if is_mapped { 4 + 3 * 3 + 3 } else { 0 });
    }
}

#[tokio::test]
async fn where_the_candidate_serves_its_tokens_are_mapped_to_those_of_legacy() {
    let config = "[[routes]]\npath = \"/login\"\nclass = \"safe\"\n[[routes]]\npath = \"/transfer\"\nclass = \"safe\"";
    let proxy = proxy_of_two_services(config, None).await;
    proxy.set_weight(1_000_000).await;
    let session = Session::log_in(&proxy).await;
    assert!(session.access_token.contains("candidate"));
    assert_eq!((session.me(&proxy).await, session.transfer(&proxy).await), (200, 200));
    let status = proxy.settled().await;
    assert_eq!(status["decisions"]["allow_allow"], 3, "{status:#}");
}

#[tokio::test]
async fn a_session_that_the_other_side_was_not_asked_to_begin_is_not_compared() {
    for (config, weight_ppm) in [("[[routes]]\npath = \"/login\"\nclass = \"never\"", 0), ("", 1_000_000)] {
        let proxy = proxy_of_two_services(config, None).await;
        proxy.set_weight(weight_ppm).await;
        let session = Session::log_in(&proxy).await;
        assert_eq!(session.me(&proxy).await, 200);
        let status = proxy.settled().await;
        assert_eq!(status["requests"]["not_comparable"], json!({"session_unknown": 1}), "{status:#}");
        assert_eq!(count(&status["decisions"]), 0, "neither a lockout nor a breach");
    }
}

#[tokio::test]
async fn a_call_that_comes_before_the_candidate_has_begun_its_session_waits_for_it() {
    for concurrency in [1, 2, 64] {
        let gate = Gate::new();
        let config = format!("mirror.concurrency = {concurrency}\ncandidate.deadline_ms = 600000");
        let proxy = proxy_of_two_services(&config, Some(gate.clone())).await;
        // Sessions and calls of them, more than there are slots for any concurrency but the last.
        for _ in 0..4 {
            let session = Session::log_in(&proxy).await;
            for _ in 0..2 {
                assert_eq!((session.me(&proxy).await, session.transfer(&proxy).await), (200, 200), "at once");
            }
        }
        if concurrency > 1 {
            while metric(&proxy, "shadow_proxy_session_calls_waited_total").await == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
        gate.open();
        let status = proxy.settled().await;
        assert_eq!(status["decisions"]["allow_allow"], 20, "{concurrency}: {status:#}");
    }
}

#[tokio::test]
async fn tokens_that_both_sides_issued_are_explained_and_in_no_sink() {
    let world = World::new().legacy(Legacy::scripted(service("legacy", None))).log("trace");
    let world = world.candidate(Candidate::scripted(service("candidate", None)));
    let mut proxy = world.config("record.keep_match_every = 1").start().await;
    let session = Session::log_in(&proxy).await;
    assert_eq!(session.me(&proxy).await, 200);
    let form = "grant_type=client_credentials";
    let answer = proxy.ask(post("/token", "Content-Type: application/x-www-form-urlencoded\r\n", form)).await;
    assert_eq!(answer.status(), 200);
    let status = proxy.settled().await;
    let explained = count(&status["verdicts"]["explained"]);
    assert!(explained > 0, "{status:#}");
    let shown = [proxy.admin_get("/metrics").await.text(), proxy.admin_get("/api/diffs").await.text()];
    proxy.process.signal(rustix::process::Signal::TERM);
    proxy.process.ended().await;
    let written = std::fs::read_dir(proxy.data_folder()).expect("a folder").map(|file| file.expect("a file").path());
    let written = written.filter(|file| file.is_file()).map(|file| std::fs::read(file).expect("a file"));
    let sinks: Vec<Vec<u8>> = shown.map(String::into_bytes).into_iter().chain(written).collect();
    assert!(sinks.len() > 3 && sinks.iter().map(Vec::len).sum::<usize>() > 1_000);
    for sink in sinks.into_iter().chain([proxy.process.said().into_bytes()]) {
        let sink = String::from_utf8_lossy(&sink).into_owned();
        assert!(!sink.contains(SECRET), "{sink}");
    }
}

/// What every token and cookie of the services begins with.
const SECRET: &str = "Zq8Wv";

async fn proxy_of_two_services(config: &str, gate: Option<Gate>) -> Proxy {
    let world = World::new().legacy(Legacy::scripted(service("legacy", None)));
    world.candidate(Candidate::scripted(service("candidate", gate))).config(config).start().await
}

/// What one client was given.
struct Session {
    cookies: String,
    csrf: String,
    access_token: String,
    refresh_token: String,
}

impl Session {
    async fn log_in(proxy: &Proxy) -> Session {
        let answer = proxy.ask(post("/login", "", "")).await;
        let cookies: Vec<&str> =
            answer.values("set-cookie").iter().map(|cookie| cookie.split(';').next().unwrap_or_default()).collect();
        let mut session = Session {
            cookies: cookies.join("; "),
            csrf: cookies[1].split_once('=').expect("a pair").1.to_owned(),
            access_token: String::new(),
            refresh_token: String::new(),
        };
        session.take(&answer);
        session
    }

    fn take(&mut self, answer: &Message) {
        let text = |name: &str| answer.json()[name].as_str().expect("a token").to_owned();
        (self.access_token, self.refresh_token) = (text("access_token"), text("refresh_token"));
    }

    async fn me(&self, proxy: &Proxy) -> u16 {
        let bearer = format!("Authorization: Bearer {}", self.access_token);
        proxy.ask(format!("GET /me HTTP/1.1\r\nHost: a\r\n{bearer}\r\n\r\n")).await.status()
    }

    /// With the token in a cookie and in a header, which have to be the same (double submit).
    async fn transfer(&self, proxy: &Proxy) -> u16 {
        let headers = format!("Cookie: theme=dark; {}\r\nX-CSRF-Token: {}\r\n", self.cookies, self.csrf);
        proxy.ask(post("/transfer", &headers, "{}")).await.status()
    }

    async fn refresh(&mut self, proxy: &Proxy) -> u16 {
        let form = format!("grant_type=refresh_token&refresh_token={}", self.refresh_token);
        let answer = proxy.ask(post("/refresh", "Content-Type: application/x-www-form-urlencoded\r\n", &form)).await;
        if answer.status() == 200 {
            self.take(&answer);
        }
        answer.status()
    }
}

/// A service with sessions of its own. It holds back the answers to logins until the gate is open.
fn service(side: &'static str, gate: Option<Gate>) -> impl Fn(&Message) -> Reply + Send + Sync + 'static {
    let held: Mutex<Held> = Mutex::default();
    move |request| {
        let mut held = held.lock().expect("nothing panics while it holds the sessions");
        let (status, headers, body) = held.answer(side, request);
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} Said\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        match &gate {
            Some(gate) if request.start.starts_with("POST /login") => Reply::default().wait(gate).then(answer),
            _ => Reply::bytes(answer),
        }
    }
}

#[derive(Default)]
struct Held {
    made: usize,
    access: Vec<String>,
    /// Each is good once.
    refresh: Vec<String>,
    /// CSRF tokens by the session's cookie.
    csrf: HashMap<String, String>,
}

impl Held {
    fn answer(&mut self, side: &str, request: &Message) -> (u16, String, String) {
        let header = |name: &str| request.values(name).first().copied().unwrap_or_default().to_owned();
        let cookie = |name: &str| {
            let cookies = header("cookie");
            let pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
            pairs.filter(|(of, _)| *of == name).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
        };
        match request.start.split(' ').nth(1).unwrap_or_default() {
            "/login" => {
                // Short, so that it is known by its name alone.
                let sid = format!("{SECRET}{}{}", &side[..1], self.made);
                let csrf = self.new_token(side, "csrf");
                let headers = format!("Set-Cookie: sid={sid}; HttpOnly\r\nSet-Cookie: csrf={csrf}; Path=/\r\n");
                self.csrf.insert(sid, csrf);
                (200, headers, self.tokens(side))
            }
            "/token" => (200, String::new(), self.tokens(side)),
            "/refresh" => {
                let form = request.text();
                let sent = form.rsplit('=').next().unwrap_or_default();
                match self.refresh.iter().position(|token| token == sent) {
                    Some(at) => {
                        self.refresh.remove(at);
                        (200, String::new(), self.tokens(side))
                    }
                    None => (401, String::new(), "{}".to_owned()),
                }
            }
            "/transfer" => {
                let csrf = header("x-csrf-token");
                let is_good = csrf == cookie("csrf") && self.csrf.get(&cookie("sid")) == Some(&csrf);
                (if is_good { 200 } else { 403 }, String::new(), "{}".to_owned())
            }
            _ => {
                let bearer = header("authorization");
                let is_good = self.access.iter().any(|token| bearer == format!("Bearer {token}"));
                (if is_good { 200 } else { 401 }, String::new(), "{}".to_owned())
            }
        }
    }

    fn tokens(&mut self, side: &str) -> String {
        let (access, refresh) = (self.new_token(side, "access"), self.new_token(side, "refresh"));
        let body = json!({"access_token": access, "refresh_token": refresh, "expires_in": 60});
        self.access.push(access);
        self.refresh.push(refresh);
        body.to_string()
    }

    fn new_token(&mut self, side: &str, kind: &str) -> String {
        self.made += 1;
        format!("{SECRET}-{side}-{kind}-{}", self.made)
    }
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

async fn metric(proxy: &Proxy, name: &str) -> u64 {
    let text = proxy.admin_get("/metrics").await.text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
    value.trim().parse().expect("a number")
}
