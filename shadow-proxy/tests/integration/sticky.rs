//! Who is served by which side: sessions that stay together, and testers who choose.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::finished;
use crate::scripted::{Reply, ok};
use crate::wire::{Message, Wire, get};
use crate::world::{BINARY, Candidate, Legacy, Proxy, World};

const TOKEN: &str = "a-token-of-testers-0123456789";

/// A service that issues another token and another cookie with each answer.
fn issuer(side: &'static str) -> impl Fn(&Message) -> Reply + Send + Sync + 'static {
    let made = AtomicUsize::new(0);
    move |_| {
        let number = made.fetch_add(1, Ordering::Relaxed);
        let token = |kind: &str| format!("{kind}-of-{side}-{number:08}");
        let body =
            json!({"access_token": token("access"), "refresh_token": token("refresh"), "side": side}).to_string();
        Reply::bytes(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: sid=s%3A{}; Path=/; HttpOnly\r\n\
             Content-Length: {}\r\n\r\n{body}",
            token("sid"),
            body.len()
        ))
    }
}

async fn two_issuers(weight_ppm: u32, config: &str) -> Proxy {
    let world =
        World::new().legacy(Legacy::scripted(issuer("legacy"))).candidate(Candidate::scripted(issuer("candidate")));
    world.weight(weight_ppm).config(config).start().await
}

/// A client that goes on with what it was issued last.
struct User<'a> {
    wire: &'a mut Wire,
    sides: Vec<String>,
    answer: Value,
    cookie: String,
}

impl User<'_> {
    async fn ask(&mut self, method_and_path: &str, headers: &str, body: &str) {
        let length = body.len();
        let request =
            format!("{method_and_path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        let answer = self.wire.ask(request).await;
        assert_eq!(answer.status(), 200, "{method_and_path}");
        self.cookie = answer.values("set-cookie")[0].split(';').next().unwrap_or_default().to_owned();
        self.answer = answer.json();
        self.sides.push(self.issued("side"));
    }

    fn issued(&self, name: &str) -> String {
        self.answer[name].as_str().expect("a text").to_owned()
    }

    /// Login by a password, then with tokens alone.
    async fn tokens(&mut self, number: usize) {
        let login = format!("Authorization: Basic user{number}\r\nContent-Type: application/json\r\n");
        self.ask("POST /login", &login, "{}").await;
        for turn in 0..4 {
            let bearer = format!("Authorization: Bearer {}\r\n", self.issued("access_token"));
            let refresh = self.issued("refresh_token");
            self.ask("GET /me", &bearer, "").await;
            // A GET issues cookies alone, so that the tokens are still those of before.
            let (headers, body) = if turn % 2 == 0 {
                ("Content-Type: application/x-www-form-urlencoded\r\n", format!("a=b&refresh_token={refresh}"))
            } else {
                ("Content-Type: application/json\r\n", json!({"refresh_token": refresh}).to_string())
            };
            self.ask("POST /token", headers, &body).await;
        }
        let logout = json!({"token": self.issued("refresh_token")}).to_string();
        self.ask("POST /logout", "Content-Type: application/json\r\n", &logout).await;
    }

    /// Login with the cookie of a device, then with a session's that changes with each answer.
    async fn cookies(&mut self, number: usize) {
        self.ask("POST /login", &format!("Cookie: device={number}\r\n"), "").await;
        for turn in 0..8 {
            let cookie = format!("Cookie: _ga={turn}; {}\r\n", self.cookie);
            self.ask(["GET /me", "POST /transfer", "DELETE /session"][turn % 3], &cookie, "").await;
        }
    }
}

#[tokio::test]
async fn a_session_lands_on_one_side_from_login_to_logout() {
    const USERS: usize = 100;
    let proxy = two_issuers(500_000, "mirror.enabled = false").await;
    let mut wire = proxy.connect().await;
    let mut of_candidate = 0;
    for number in 0..USERS {
        let mut user = User { wire: &mut wire, sides: Vec::new(), answer: Value::Null, cookie: String::new() };
        if number % 2 == 0 {
            user.tokens(number).await
        } else {
            user.cookies(number).await
        }
        let first = &user.sides[0];
        assert!(user.sides.iter().all(|side| side == first), "user {number}: {:?}", user.sides);
        of_candidate += usize::from(first == "candidate");
    }
    assert!((30..=70).contains(&of_candidate), "{of_candidate} of {USERS}");
    assert!(metric(&proxy, "shadow_proxy_sticky_values").await > USERS as u64);
    assert_eq!(metric(&proxy, "shadow_proxy_sticky_values_evicted_total").await, 0);
}

#[tokio::test]
async fn what_is_known_of_sessions_is_bounded_and_can_be_switched_off() {
    for (values_max, evicts) in [(4, true), (0, false)] {
        let config = format!("mirror.enabled = false\nshift.sticky_values_max = {values_max}");
        let proxy = two_issuers(500_000, &config).await;
        let mut wire = proxy.connect().await;
        let mut sides = Vec::new();
        for number in 0..20 {
            let mut user = User { wire: &mut wire, sides: Vec::new(), answer: Value::Null, cookie: String::new() };
            user.tokens(number).await;
            sides.push(user.sides);
        }
        assert_eq!(metric(&proxy, "shadow_proxy_sticky_values").await, values_max);
        assert_eq!(metric(&proxy, "shadow_proxy_sticky_values_evicted_total").await > 0, evicts);
        let is_torn = |sides: &Vec<String>| sides.iter().any(|side| *side != sides[0]);
        // Room for one session is enough for one after the other.
        assert_eq!(sides.iter().any(is_torn), values_max == 0, "{sides:?}");
    }
}

#[tokio::test]
async fn nothing_is_kept_where_sessions_have_no_side() {
    let proxy = two_issuers(0, "mirror.enabled = false").await;
    let mut wire = proxy.connect().await;
    for weight_ppm in [0, 1_000_000] {
        proxy.set_weight(weight_ppm).await;
        let mut user = User { wire: &mut wire, sides: Vec::new(), answer: Value::Null, cookie: String::new() };
        user.tokens(1).await;
    }
    assert_eq!(metric(&proxy, "shadow_proxy_sticky_values").await, 0);
}

#[tokio::test]
async fn a_stable_id_needs_no_memory_a_restart_keeps_the_sides() {
    let sticky = "sticky = [\"cookie:device\", \"header:X-Tenant\", \"credential\"]";
    let config = format!("mirror.enabled = false\n[shift]\n{sticky}");
    let mut proxy = two_issuers(500_000, &config).await;
    let mut before = Vec::new();
    for start in 0..2 {
        let mut wire = proxy.connect().await;
        let mut sides = Vec::new();
        for number in 0..60 {
            // What changes with the start is no part of the id.
            let headers = match number % 3 {
                0 => format!("Cookie: other={start}; device={number}\r\nAuthorization: Bearer {start}\r\n"),
                1 => format!("X-Tenant: {number}\r\nAuthorization: Bearer {start}\r\n"),
                _ => format!("Authorization: Bearer ak_{number:016}_{}_abc123\r\n", start.to_string().repeat(43)),
            };
            let answer = wire.ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")).await;
            sides.push(answer.json()["side"].clone());
        }
        if start == 0 {
            before = sides;
            proxy = proxy.killed_and_restarted().await;
        } else {
            assert_eq!(sides, before);
            let of_candidate = sides.iter().filter(|side| **side == "candidate").count();
            assert!((15..=45).contains(&of_candidate), "{of_candidate} of 60");
        }
    }
    // Without any of them: where there is nothing to know somebody by again.
    for _ in 0..3 {
        assert_eq!(proxy.ask(get("/")).await.json()["side"], "legacy");
    }
}

/// The configuration, and the folder that goes with it.
fn with_testers(token: &str, mode: u32) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = token_file(folder.path(), token, mode);
    (format!("[shift.testers]\nheader = \"x-shadow-side\"\ntoken_file = \"{}\"\n", file.display()), folder)
}

fn token_file(folder: &Path, token: &str, mode: u32) -> PathBuf {
    let file = folder.join("token");
    std::fs::write(&file, token).expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    file
}

#[tokio::test]
async fn a_tester_is_served_by_the_side_asked_for_and_nobody_sees_the_header() {
    let (config, _folder) = with_testers(TOKEN, 0o600);
    let config = format!("record.keep_match_every = 1\nlimits.body_bytes_max = 500\n{config}");
    let proxy = two_issuers(0, &config).await;
    let mut wire = proxy.connect().await;
    for weight_ppm in [0, 500_000, 1_000_000] {
        proxy.set_weight(weight_ppm).await;
        let mut side = async |value: &str| {
            let name = ["x-shadow-side", "X-Shadow-Side"][value.len() % 2];
            let header = if value.is_empty() { String::new() } else { format!("{name}: {value}\r\n") };
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer b\r\n{header}\r\n");
            wire.ask(request).await.json()["side"].clone()
        };
        let usual = side("").await;
        assert_eq!(side(&format!("candidate {TOKEN}")).await, "candidate", "{weight_ppm}");
        assert_eq!(side(&format!("legacy {TOKEN}")).await, "legacy", "{weight_ppm}");
        for other in ["candidate", "legacy", "candidate wrong", "legacy wrong", "legacy a-token-of-testers-012345678"] {
            assert_eq!(side(other).await, usual, "{weight_ppm} {other}");
        }
        assert_eq!(side(&format!("candidate {TOKEN}\r\nx-shadow-side: legacy {TOKEN}")).await, usual);
    }
    // Too large to be kept: it goes through to legacy.
    let body = "x".repeat(1_000);
    let large =
        format!("POST / HTTP/1.1\r\nHost: a\r\nx-shadow-side: candidate {TOKEN}\r\nContent-Length: 1000\r\n\r\n{body}");
    assert_eq!(wire.ask(large).await.json()["side"], "legacy");
    proxy.settled().await;
    let seen = [proxy.legacy().so_far(), proxy.candidate().so_far()].concat();
    assert!(seen.len() > 40 && seen.iter().all(|request| request.values("x-shadow-side").is_empty()));
    let mut proxy = proxy;
    proxy.ended().await;
    for file in std::fs::read_dir(proxy.data_folder()).expect("a folder").flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()));
        assert!(!has(TOKEN) && !has("x-shadow-side"), "{:?}", file.path());
    }
    assert!(!proxy.process.said().contains(TOKEN));
}

#[tokio::test]
async fn without_testers_the_header_is_like_any_other() {
    let proxy = two_issuers(0, "").await;
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nx-shadow-side: candidate {TOKEN}\r\n\r\n");
    assert_eq!(proxy.ask(request).await.json()["side"], "legacy");
    assert_eq!(proxy.legacy().so_far()[0].values("x-shadow-side"), [format!("candidate {TOKEN}")]);
}

#[tokio::test]
async fn a_token_of_testers_that_others_can_read_or_guess_is_refused() {
    for (token, mode, said) in [(TOKEN, 0o644, "chmod 600"), ("short", 0o600, "shorter than 16 characters")] {
        let (config, folder) = with_testers(token, mode);
        let file = folder.path().join("config.toml");
        std::fs::write(&file, format!("legacy.url = \"http://127.0.0.1:1\"\n{config}")).expect("a file");
        let mut command = Command::new(BINARY);
        command.args(["check", "--config"]).arg(&file);
        let ended = finished(command).await;
        assert!(ended.code == Some(1) && ended.stderr.contains(said), "{ended:?}");
        let refused = World::new().config(&config).try_start().await.err().expect("it does not start");
        assert!(refused.code == Some(1) && refused.stderr.contains(said), "{refused:?}");
    }
}

#[tokio::test]
async fn garbage_in_what_a_side_is_chosen_by_changes_nothing() {
    let (config, _folder) = with_testers(TOKEN, 0o600);
    let config = format!("mirror.enabled = false\n{config}");
    let world = World::new().legacy(Legacy::answering(ok("text/plain", "legacy")));
    let candidate = Candidate::scripted(|_| Reply::bytes(ok("text/plain", "candidate")));
    let proxy = world.candidate(candidate).weight(500_000).config(&config).start().await;
    let mut wire = proxy.connect().await;
    let garbage: [&[u8]; 9] = [
        b"",
        b"\xff\xfe\x80",
        b"Bearer ..",
        b"Bearer e30.e30.e30",
        b"Bearer eyJhIjox.\xc3\x28.x",
        b"a_b_c_d",
        b";;=;=;a=;\xff=\xff",
        b"candidate \xff",
        b"\t \t",
    ];
    for name in ["authorization", "x-api-key", "cookie", "x-shadow-side", "content-type"] {
        for value in garbage {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n{name}: ");
            let request = [head.as_bytes(), value, b"\r\n\r\n{\"token\":[[{\"a\":\"\xff\xff\""].concat();
            assert_eq!(wire.ask(&request).await.status(), 200, "{name}: {}", value.escape_ascii());
        }
    }
    assert_eq!(proxy.settled().await["requests"]["unanswered"], 0);
}

async fn metric(proxy: &Proxy, name: &str) -> u64 {
    let text = proxy.admin_get("/metrics").await.text();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).expect("it is there");
    value.trim().parse().expect("a number")
}
