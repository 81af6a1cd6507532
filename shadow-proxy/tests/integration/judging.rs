//! Is a flipped decision called what it is? Two services that are alike meet unreadable bodies, clients that race, tokens
//! that end while they are asked about, and sessions that were begun before a shift or a rollback: nobody is to be
//! blamed. The same candidate with a seldom breach is to be found within its first twenty.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::scripted::Reply;
use crate::wire::{Message, Wire};
use crate::world::{Candidate, Legacy, Proxy, World};

/// `cargo ci judge`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; `cargo ci judge` runs it"]
async fn judge_flips() {
    judged(2_000, 50).await;
}

/// `cargo ci judge --full`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes some minutes; `cargo ci judge --full` runs it"]
async fn judge_flips_full() {
    judged(100_000, 1_000).await;
}

/// Breaches that the bad candidate is given.
const PLANTED: u64 = 20;

/// So many calls each with a candidate like legacy, then with one that lets in one of `every` whom it should refuse.
async fn judged(calls: u64, every: u64) {
    println!(
        "\nHow flipped decisions are judged: with a candidate like legacy, then with one that makes {PLANTED} breaches,"
    );
    println!("one of {every} refusals");
    println!(
        "  {:<40}{:>9}{:>10}{:>10}{:>14}{:>18}",
        "", "calls", "breaches", "lockouts", "undetermined", "of 20 breaches"
    );
    let mut missed = Vec::new();
    for case in CASES {
        let good = Trial::new(&case, None).await.run(calls, |_| false).await;
        let (breaches, lockouts) = (count(&good, "deny_allow"), count(&good, "allow_deny"));
        let plan = Arc::new(Plan { every, refusals: AtomicU64::new(0) });
        let bad = Trial::new(&case, Some(plan.clone())).await.run(u64::MAX, |_| plan.is_done()).await;
        let found = count(&bad, "deny_allow");
        println!(
            "  {:<40}{calls:>9}{breaches:>10}{lockouts:>10}{:>14}{found:>18}",
            case.name,
            crate::world::count(&good["decisions"]["undetermined"])
        );
        if breaches + lockouts > 0 {
            missed.push(format!("{}: {breaches} false breaches, {lockouts} false lockouts", case.name));
        }
        if found == 0 {
            missed.push(format!("{}: none of {PLANTED} breaches is found: {:#}", case.name, bad["decisions"]));
        }
    }
    assert_eq!(missed, Vec::<String>::new(), "aims that are missed");
}

fn count(status: &Value, cell: &str) -> u64 {
    status["decisions"][cell].as_u64().expect("a count")
}

struct Case {
    name: &'static str,
    /// Both sides label their bodies with an encoding that they do not have.
    is_mislabelled: bool,
    /// Weights that follow each other while sessions go on, in ppm.
    weights: &'static [u32],
    act: Act,
}

#[derive(Clone, Copy)]
enum Act {
    /// Strangers and people with a session ask.
    Ask,
    /// Two tabs refresh with the same token.
    Race,
    /// A token is asked about just before and after its end.
    End,
}

const CASES: [Case; 4] = [
    Case { name: "bodies that cannot be read", is_mislabelled: true, weights: &[0], act: Act::Ask },
    Case { name: "racing clients", is_mislabelled: false, weights: &[0], act: Act::Race },
    Case { name: "tokens that end between the legs", is_mislabelled: false, weights: &[0], act: Act::End },
    Case {
        name: "sessions across shift and rollback",
        is_mislabelled: false,
        weights: &[0, 500_000, 0],
        act: Act::Ask,
    },
];

/// When the bad candidate lets somebody in.
struct Plan {
    every: u64,
    refusals: AtomicU64,
}

impl Plan {
    fn is_breach(&self) -> bool {
        let refusal = self.refusals.fetch_add(1, Ordering::Relaxed) + 1;
        refusal.is_multiple_of(self.every) && refusal / self.every <= PLANTED
    }

    fn is_done(&self) -> bool {
        self.refusals.load(Ordering::Relaxed) / self.every >= PLANTED
    }
}

struct Trial<'a> {
    case: &'a Case,
    proxy: Proxy,
    clients: Vec<Client>,
}

/// Clients at the same time, and what each does before all wait for the mirror.
const CLIENTS: usize = 24;
const STEPS: usize = 20;

impl Trial<'_> {
    async fn new(case: &Case, plan: Option<Arc<Plan>>) -> Trial<'_> {
        let legacy = Legacy::scripted(service(case.is_mislabelled, None));
        let candidate = Candidate::scripted(service(case.is_mislabelled, plan));
        let config = "[[routes]]\npath = \"/verify\"\nclass = \"safe\"\n\
                      [shift]\nsticky = [\"credential\", \"cookie:sid\", \"header:x-client\"]";
        let proxy = World::new().legacy(legacy).candidate(candidate).config(config).start().await;
        let mut clients = Vec::new();
        for index in 0..CLIENTS {
            clients.push(Client::new(&proxy, index).await);
        }
        Trial { case, proxy, clients }
    }

    /// The status after so many calls, or once it is over.
    async fn run(mut self, calls: u64, is_over: impl Fn(&Value) -> bool) -> Value {
        let mut status = self.proxy.settled().await;
        let mut round = 0;
        while crate::world::count(&status["requests"]["received"]) < calls && !is_over(&status) {
            self.move_to(self.case.weights[round % self.case.weights.len()], &status).await;
            let act = self.case.act;
            let acting = std::mem::take(&mut self.clients).into_iter().map(|mut client| async move {
                for step in 0..STEPS {
                    client.act(act, round, step).await;
                }
                client
            });
            for client in acting.map(tokio::spawn).collect::<Vec<_>>() {
                self.clients.push(client.await.expect("a client does not fail"));
            }
            status = self.proxy.settled().await;
            round += 1;
        }
        status
    }

    async fn move_to(&self, ppm: u32, status: &Value) {
        if status["weight_ppm"] == ppm || self.case.weights.len() == 1 {
            return;
        }
        let by = json!({"who": "a test", "why": "sessions go on"});
        let answer = match ppm {
            0 => self.proxy.admin_post("/api/rollback", &by).await,
            _ => self.proxy.set_weight(ppm).await,
        };
        // A breach has pulled the brake: from now on legacy serves.
        if answer.status() == 409 && count(status, "deny_allow") > 0 {
            return;
        }
        assert_eq!(answer.status(), 200, "{}", answer.text());
        self.proxy.until("the weight", |status| status["weight_ppm"] == ppm).await;
    }
}

/// Two connections, as a browser with two tabs has them.
struct Client {
    tabs: [Wire; 2],
    index: usize,
    sid: String,
    refresh: String,
}

impl Client {
    async fn new(proxy: &Proxy, index: usize) -> Client {
        let mut client = Client {
            tabs: [proxy.connect().await, proxy.connect().await],
            index,
            sid: String::new(),
            refresh: String::new(),
        };
        client.log_in().await;
        client
    }

    async fn log_in(&mut self) {
        let client = self.index;
        let answer = self.tabs[0].ask(post("/login", &format!("X-Client: {client}\r\n"), "{}")).await;
        self.take(&answer);
    }

    async fn act(&mut self, act: Act, round: usize, step: usize) {
        match act {
            Act::Ask => {
                let sid = if step.is_multiple_of(2) { self.sid.clone() } else { made_up(self.index, round, step) };
                let answer = self.tabs[0].ask(get("/me", &sid)).await;
                // After a rollback a session of the candidate is over.
                if step.is_multiple_of(2) && answer.status() == 401 {
                    self.log_in().await;
                }
            }
            Act::Race => {
                let refresh = post("/refresh", &format!("Cookie: rt={}\r\n", self.refresh), "{}");
                let [one, other] = &mut self.tabs;
                let answers: [Message; 2] = tokio::join!(one.ask(&refresh), other.ask(&refresh)).into();
                let won: Vec<&Message> = answers.iter().filter(|answer| answer.status() == 200).collect();
                assert_eq!(won.len(), 1, "the service itself lets one of two win");
                self.take(won[0]);
            }
            Act::End => {
                let ends_ms = now_ms() + 40;
                let body = json!({"token": token(ends_ms)}).to_string();
                while now_ms() < ends_ms + 20 {
                    self.tabs[0].ask(post("/verify", "Content-Type: application/json\r\n", &body)).await;
                }
                // A token that ended long ago is none that ends between the legs.
                let body = json!({"token": token(ends_ms - 60_000 - step as u64)}).to_string();
                self.tabs[0].ask(post("/verify", "Content-Type: application/json\r\n", &body)).await;
            }
        }
    }

    fn take(&mut self, answer: &Message) {
        for cookie in answer.values("set-cookie") {
            match cookie.split_once('=').expect("a pair") {
                ("sid", value) => self.sid = value.to_owned(),
                (_, value) => self.refresh = value.to_owned(),
            }
        }
    }
}

fn made_up(client: usize, round: usize, step: usize) -> String {
    format!("made-up-session-{client:03}-{round:05}-{step:03}")
}

fn get(path: &str, sid: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nCookie: sid={sid}\r\n\r\n")
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A signed token whose signature nobody looks at; it ends with its millisecond.
fn token(ends_ms: u64) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let part = |json: Value| Base64UrlUnpadded::encode_string(json.to_string().as_bytes());
    let claims = json!({"sub": "somebody", "exp": ends_ms as f64 / 1_000.0, "jti": ends_ms});
    format!("{}.{}.c2lnbmF0dXJl", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims))
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

#[derive(Default)]
struct Held {
    made: u64,
    sessions: HashSet<String>,
    /// Each is good once.
    refresh: HashSet<String>,
}

/// A service with sessions of its own, whose answers leave it in another order than it decides.
fn service(is_mislabelled: bool, plan: Option<Arc<Plan>>) -> impl Fn(&Message) -> Reply + Send + Sync + 'static {
    static SERVICES: AtomicU64 = AtomicU64::new(0);
    let name = SERVICES.fetch_add(1, Ordering::Relaxed);
    let held: Mutex<Held> = Mutex::default();
    move |request| {
        let mut held = held.lock().expect("nothing panics while it holds the sessions");
        held.made += 1;
        let unique = format!("service-{name:04}-{:09}", held.made);
        let may = held.may(request) || plan.as_ref().is_some_and(|plan| plan.is_breach());
        let is_issuing = may && request.start.starts_with("POST /login");
        let is_refreshing = may && request.start.starts_with("POST /refresh");
        let mut headers = String::new();
        if is_issuing {
            headers += &format!("Set-Cookie: sid=sid-{unique}\r\n");
            held.sessions.insert(format!("sid-{unique}"));
        }
        if is_issuing || is_refreshing {
            headers += &format!("Set-Cookie: rt=rt-{unique}\r\n");
            held.refresh.insert(format!("rt-{unique}"));
        }
        if is_mislabelled {
            headers += "Content-Encoding: gzip\r\n";
        }
        let status = if may { "200 OK" } else { "401 Unauthorized" };
        let body = if may { r#"{"is":"good"}"# } else { r#"{"is":"none"}"# };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let late = Duration::from_micros(held.made.wrapping_mul(2_654_435_761) % 3_000);
        Reply::bytes(answer).after(late)
    }
}

impl Held {
    fn may(&mut self, request: &Message) -> bool {
        let cookie = |name: &str| {
            let cookies = request.values("cookie").first().copied().unwrap_or_default().to_owned();
            cookies.strip_prefix(name).map(str::to_owned).unwrap_or_default()
        };
        match request.start.split(' ').nth(1).unwrap_or_default() {
            "/login" => true,
            "/refresh" => self.refresh.remove(&cookie("rt=")),
            "/verify" => ends_ms(&request.json()["token"]) > now_ms(),
            _ => self.sessions.contains(&cookie("sid=")),
        }
    }
}

fn ends_ms(token: &Value) -> u64 {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let claims = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a token");
    let claims = Base64UrlUnpadded::decode_vec(claims).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["jti"].as_u64().expect("a number")
}
