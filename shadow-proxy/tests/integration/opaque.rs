//! Opaque tokens: the component asks the issuer that is configured, keeps what it says, and reaches nobody else.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::process::Command;

use crate::keys::{self, KeyFolder};
use crate::process::{Ended, Process, finished};
use crate::scripted::{Reply, Scripted, ok};
use crate::wire::{Message, Wire, get, within};
use crate::world::{self, BINARY, COMPILED, Candidate, Legacy, World, closed_port, node};

/// Longer than any test waits: what has an answer then was not given up by the caller.
const PATIENT: &str = "candidate.deadline_ms = 600000\ncandidate.cpu_ms = 600000\n";
/// Long enough for whoever does not mean to exceed it, on a machine that is busy with other tests.
const LONG: &str = "deadline_ms = 10000\n";
const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";
const ACTIVE: &str = r#"{"active":true,"sub":"user_7","scope":"read"}"#;
const SECRET: &str = "5ec2et+";

/// Keys of one user, and an issuer.
struct Issuer {
    folder: KeyFolder,
    key: String,
    toml: String,
}

impl Issuer {
    async fn at(address: SocketAddr, more: &str) -> Issuer {
        Issuer::of(address, "gateway", SECRET, more).await
    }

    async fn of(address: SocketAddr, client_id: &str, secret: &str, more: &str) -> Issuer {
        let folder = KeyFolder::new();
        let key = folder.new_key(&["add", "--user", "user_1"]).await;
        let toml = format!(
            "[auth.introspection]\nurl = \"http://{address}/oauth2/introspect\"\nclient_id = \"{client_id}\"\n\
             client_secret_file = {:?}\nissuer = \"https://issuer.example\"\n{more}",
            folder.path().join("secret")
        );
        let issuer = Issuer { folder, key, toml };
        issuer.write_secret(secret.as_bytes(), 0o600);
        issuer
    }

    fn write_secret(&self, content: &[u8], mode: u32) {
        let unfinished = self.folder.path().join("secret.new");
        fs::write(&unfinished, content).expect("a file");
        fs::set_permissions(&unfinished, Permissions::from_mode(mode)).expect("it is ours");
        fs::rename(unfinished, self.folder.path().join("secret")).expect("a file");
    }

    /// `more` is TOML before the first table.
    fn config(&self, more: &str) -> String {
        format!("{more}{}{}", self.folder.config(), self.toml)
    }

    async fn serve(&self, more: &str, arguments: &[&str]) -> Process {
        let config = self.folder.path().join("config.toml");
        fs::write(&config, self.config(more)).expect("a file");
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config).args(arguments);
        command.args(["--compiled", COMPILED]);
        let started = Process::start(command).await;
        started.unwrap_or_else(|ended| panic!("serve does not start: {ended:?}"))
    }

    async fn check(&self) -> Ended {
        let config = self.folder.path().join("config.toml");
        fs::write(&config, self.config("legacy.url = \"http://127.0.0.1:1\"\n")).expect("a file");
        let mut command = Command::new(BINARY);
        command.args(["check", "--config"]).arg(config);
        finished(command).await
    }
}

fn validate(credential: &str) -> String {
    format!(
        "POST /auth/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {credential}\r\nX-Private: mine\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

async fn ask(serve: &Process, credential: &str) -> Message {
    Wire::connect(serve.address("listen")).await.ask(validate(credential)).await
}

async fn status(serve: &Process, credential: &str) -> u16 {
    ask(serve, credential).await.status()
}

fn saying(body: &'static str) -> Scripted {
    Scripted::start(move |_| Reply::bytes(ok("application/json", body)))
}

/// About `token0` the first is said, and so on.
fn by_token(replies: Vec<Reply>) -> Scripted {
    Scripted::start(move |request| {
        let text = request.text();
        let number = text.strip_prefix("token=token").and_then(|rest| rest.split('&').next()?.parse::<usize>().ok());
        replies[number.expect("a token of the test")].clone()
    })
}

#[tokio::test]
async fn the_legacy_service_is_asked_about_what_only_it_knows() {
    let service = node().await;
    let address = service.address("listen");
    let issuer = Issuer::of(address, "user_789", "key_789", LONG).await;
    let world = World::new().legacy(Legacy::At(address)).config(&issuer.config(PATIENT)).weight(1_000_000);
    let proxy = world.start().await;
    for (credential, status) in [
        ("key_123", 200),
        ("key_123", 200),
        ("key_456", 200),
        ("key_expired", 401),
        ("key_nobody", 401),
        ("key_nobody", 401),
        (&issuer.key, 200),
    ] {
        assert_eq!(proxy.ask(validate(credential)).await.status(), status, "{credential}");
    }
    let answer = proxy.ask(validate("key_123")).await;
    let expected = json!({"valid": true, "user_id": "user_123", "expires_at": "2099-12-31T23:59:59.000Z"});
    assert_eq!(answer.json(), expected, "as the service itself would say");
    for (key, scope, status) in [("key_456", "read", 200), ("key_456", "write", 403), ("key_123", "write", 200)] {
        let request = format!(
            "GET /auth/nginx?scope={scope} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nX-Original-Method: GET\r\n\r\n"
        );
        assert_eq!(proxy.ask(request).await.status(), status, "{key} {scope}");
    }
    let metrics = proxy.admin_get("/metrics").await.text();
    for line in ["introspections_total 4", "introspections_failed_total 0", "outbound_refused_total 0"] {
        assert!(metrics.contains(&format!("shadow_proxy_{line}\n")), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn a_client_that_the_service_does_not_know_is_told_nothing() {
    let service = node().await;
    for (client_id, secret) in [("user_789", "key_788"), ("user_788", "key_789"), ("user_123", "key_123")] {
        let issuer = Issuer::of(service.address("listen"), client_id, secret, LONG).await;
        let alone = issuer.serve(PATIENT, &[]).await;
        assert_eq!((status(&alone, "key_123").await, status(&alone, &issuer.key).await), (503, 200), "{client_id}");
        let said = alone.said();
        assert!(said.contains("check auth.introspection") && !said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn a_token_is_asked_about_once_and_nothing_but_it_is_told() {
    let scripted = saying(ACTIVE);
    let issuer = Issuer::at(scripted.address, LONG).await;
    let alone = issuer.serve(PATIENT, &["--threads", "2"]).await;
    for _ in 0..20 {
        assert_eq!(ask(&alone, TOKEN).await.json()["user_id"], "user_7");
    }
    let asked = scripted.received(1).await;
    assert_eq!(asked.len(), 1);
    let asked = &asked[0];
    assert_eq!(asked.start, "POST /oauth2/introspect HTTP/1.1");
    assert_eq!(asked.text(), format!("token={TOKEN}&token_type_hint=access_token"));
    let mut names: Vec<String> = asked.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "authorization", "content-length", "content-type", "host"]);
    // gateway:5ec2et%2B
    assert_eq!(asked.values("authorization"), ["Basic Z2F0ZXdheTo1ZWMyZXQlMkI="]);
    assert_eq!(asked.values("host"), [scripted.address.to_string()]);
    assert_eq!(status(&alone, "another").await, 200);
    assert_eq!(scripted.count(), 2);
}

#[tokio::test]
async fn what_is_kept_ends_with_the_token() {
    let exp = OnceLock::new();
    let scripted = Scripted::start(move |_| {
        let exp = exp.get_or_init(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
            (now + Duration::from_secs(2)).as_secs()
        });
        Reply::bytes(ok("application/json", &format!("{{\"active\":true,\"sub\":\"u\",\"exp\":{exp}}}")))
    });
    let issuer = Issuer::at(scripted.address, "deadline_ms = 10000\ncache_s_max = 300\n").await;
    let alone = issuer.serve(PATIENT, &[]).await;
    assert_eq!(status(&alone, TOKEN).await, 200);
    let over = async {
        while status(&alone, TOKEN).await == 200 {
            assert_eq!(scripted.count(), 1);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("the end of the token", over).await;
    assert_eq!((status(&alone, TOKEN).await, scripted.count()), (401, 2), "the issuer still calls it active");
}

#[tokio::test]
async fn a_bad_answer_is_neither_a_yes_nor_a_no() {
    let elsewhere = saying(ACTIVE);
    let moved = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{}/oauth2/introspect\r\nContent-Length: 0\r\n\r\n",
        elsewhere.address
    );
    let long = |bytes: usize| format!("{{\"active\":true,\"sub\":\"u\",\"x\":\"{}\"}}", "x".repeat(bytes));
    let with = |status: &str| ok("application/json", ACTIVE).replace("200 OK", status);
    let replies = [
        ("resets", Reply::default().reset()),
        ("closes", Reply::default().close()),
        (
            "closes within",
            Reply::bytes(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"active\":true",
            )
            .close(),
        ),
        ("babbles", Reply::bytes("220 smtp.example ready\r\n\r\n").close()),
        ("redirects", Reply::bytes(moved)),
        ("created", Reply::bytes(with("201 Created"))),
        ("refuses", Reply::bytes(with("401 Unauthorized"))),
        ("fails", Reply::bytes(with("500 Internal Server Error"))),
        ("is a page", Reply::bytes(ok("text/html", ACTIVE))),
        ("is garbage", Reply::bytes(ok("application/json", "{\"active\":true,"))),
        ("is a list", Reply::bytes(ok("application/json", "[true]"))),
        ("says it twice", Reply::bytes(ok("application/json", r#"{"active":false,"active":true,"sub":"u"}"#))),
        ("is longer than the component reads", Reply::bytes(ok("application/json", &long(9_000)))),
        ("is longer than the proxy reads", Reply::bytes(ok("application/json", &long(100_000)))),
        ("is compressed", Reply::bytes(ok("application/json\r\nContent-Encoding: gzip", "\x1f\u{8b}\x08"))),
    ];
    let (names, replies): (Vec<_>, Vec<_>) = replies.into_iter().unzip();
    let scripted = by_token(replies);
    let issuer = Issuer::at(scripted.address, LONG).await;
    let alone = issuer.serve(PATIENT, &[]).await;
    for (number, what) in names.iter().enumerate() {
        let before = scripted.count();
        for _ in 0..2 {
            let answer = ask(&alone, &format!("token{number}")).await;
            assert_eq!((answer.status(), answer.values("retry-after")), (503, vec!["1"]), "{what}: {}", answer.text());
            assert_eq!(answer.json(), json!({"error": "temporarily_unavailable"}), "{what}");
        }
        assert!(scripted.count() >= before + 2, "{what}: nothing is kept of it");
        assert_eq!(status(&alone, &issuer.key).await, 200, "{what}: who needs no issuer");
    }
    assert_eq!(elsewhere.count(), 0, "nothing is followed");
}

#[tokio::test]
async fn an_issuer_that_is_away_or_never_ends_costs_a_deadline_and_lets_nobody_in() {
    let socket = closed_port();
    let issuer = Issuer::at(world::address(&socket), LONG).await;
    let alone = issuer.serve(PATIENT, &[]).await;
    assert_eq!((status(&alone, TOKEN).await, status(&alone, &issuer.key).await), (503, 200));
    assert!(alone.said().contains("the introspection endpoint did not answer"), "{}", alone.said());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"active\":true";
    let replies = vec![Reply::default().hang(), Reply::bytes(&head[..20]).hang(), Reply::bytes(head).hang()];
    let scripted = by_token(replies.clone());
    let issuer = Issuer::at(scripted.address, "deadline_ms = 100\n").await;
    // Nothing but its own deadline ends a question within the patience of a test.
    let alone = issuer.serve(PATIENT, &[]).await;
    for number in 0..replies.len() {
        assert_eq!(status(&alone, &format!("token{number}")).await, 503);
        assert_eq!(status(&alone, &issuer.key).await, 200);
    }
}

#[tokio::test]
async fn an_issuer_that_hangs_leaves_places_for_those_who_do_not_need_it() {
    let scripted = Scripted::start(|_| Reply::default().hang());
    let issuer = Issuer::at(scripted.address, LONG).await;
    let more = format!("candidate.calls_max = 4\n{PATIENT}");
    let alone = issuer.serve(&more, &[]).await;
    let mut waiting = Vec::new();
    for number in 1..=2 {
        let mut wire = Wire::connect(alone.address("listen")).await;
        wire.send(validate(&format!("token{number}"))).await;
        scripted.received(number).await;
        waiting.push(wire);
    }
    assert_eq!(status(&alone, "token3").await, 503);
    assert_eq!(status(&alone, &issuer.key).await, 200);
    assert_eq!(scripted.count(), 2, "the third was not asked about, so that it waited for nothing");
    drop(waiting);
}

#[tokio::test]
async fn a_component_reaches_the_one_address_and_no_other() {
    let (configured, other) = (saying(ACTIVE), saying(ACTIVE));
    let issuer = Issuer::at(configured.address, LONG).await;
    let world = World::new().candidate(Candidate::hostile()).config(&issuer.config(PATIENT)).weight(1_000_000);
    let proxy = world.start().await;
    let own = format!("/outbound/http/{}/oauth2/introspect", configured.address);
    assert_eq!(proxy.ask(get(&own)).await.text(), "200");
    let paths = ["oauth2/introspect?x=1", "oauth2/introspect/", "oauth2/token", "oauth2/../oauth2/introspect", ""];
    let mut refused = paths.map(|path| format!("/outbound/http/{}/{path}", configured.address)).to_vec();
    refused.push(format!("/outbound/https/{}/oauth2/introspect", configured.address));
    refused.push(format!("/outbound/http/localhost:{}/oauth2/introspect", configured.address.port()));
    refused.push(format!("/outbound/http/{}/oauth2/introspect", other.address));
    refused.push(format!("/outbound/http/{}/oauth2/introspect", proxy.admin));
    for path in &refused {
        assert_eq!(proxy.ask(get(path)).await.text(), "ErrorCode::HttpRequestDenied", "{path}");
    }
    let metrics = proxy.admin_get("/metrics").await.text();
    let counted = [format!("outbound_refused_total {}", refused.len()), "introspections_total 1".to_owned()];
    for line in counted {
        assert!(metrics.contains(&format!("shadow_proxy_{line}\n")), "{line}\n{metrics}");
    }
    assert_eq!((configured.count(), other.count()), (1, 0));
    for draft in ["draft", "draft2"] {
        let bucket = async |verb: &str| proxy.ask(get(&format!("/bucket/{draft}/{verb}/auth-cache/a"))).await.text();
        assert_eq!((bucket("set").await, bucket("get").await), ("Ok(())".to_owned(), "mine".to_owned()));
        assert_eq!((bucket("delete").await, bucket("get").await), ("Ok(())".to_owned(), "Ok(None)".to_owned()));
        assert!(bucket("list").await.contains("AccessDenied"));
    }
    // With keys and no issuer there is neither.
    let alone = keys::serve(&issuer.folder, "", &["--component", keys::hostile()]).await;
    let mut wire = Wire::connect(alone.address("listen")).await;
    assert_eq!(wire.ask(get(&own)).await.text(), "ErrorCode::HttpRequestDenied");
    assert_eq!(wire.ask(get("/bucket/draft/get/auth-cache/a")).await.text(), "Error::NoSuchStore");
    assert_eq!(configured.count(), 1);
}

#[tokio::test]
async fn a_secret_is_checked_at_the_start_and_a_new_one_is_in_force_within_a_moment() {
    let scripted = saying(r#"{"active":false}"#);
    let issuer = Issuer::at(scripted.address, "deadline_ms = 500\nnegative_s = 0\n").await;
    assert_eq!(issuer.check().await.code, Some(0));
    for (content, mode, said) in [
        (SECRET, 0o644, "chmod 600"),
        (SECRET, 0o660, "chmod 600"),
        ("", 0o600, "is no client secret"),
        ("5ec2et\n5ec2et\n", 0o600, "is no client secret"),
    ] {
        issuer.write_secret(content.as_bytes(), mode);
        let ended = issuer.check().await;
        assert!(ended.code != Some(0) && ended.stderr.contains(said), "{content:?} {mode:o}: {ended:?}");
        assert!(ended.stderr.contains("/secret") && !ended.stderr.contains("5ec2et"), "{ended:?}");
    }
    issuer.write_secret(b"first\n", 0o600);
    let alone = issuer.serve(PATIENT, &[]).await;
    let asked_as = |number: usize| scripted.so_far()[number].values("authorization")[0].to_owned();
    status(&alone, TOKEN).await;
    scripted.received(1).await;
    // gateway:first
    assert_eq!(asked_as(0), "Basic Z2F0ZXdheTpmaXJzdA==");
    issuer.write_secret(b"second\n", 0o600);
    let changed = async {
        // gateway:second
        while asked_as(scripted.count() - 1) != "Basic Z2F0ZXdheTpzZWNvbmQ=" {
            status(&alone, TOKEN).await;
        }
    };
    within("the new secret", changed).await;
}
