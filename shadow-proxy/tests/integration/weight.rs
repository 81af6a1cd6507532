//! Who serves: the candidate's share, who may change it, and what happens when the candidate fails on a client.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::{Ended, finished};
use crate::scripted::{Reply, allow, ok};
use crate::wire::{Wire, get};
use crate::world::{BINARY, Candidate, Legacy, Proxy, World};

const TOKEN: &str = "a-token-of-the-test-0123456789";

#[tokio::test]
async fn at_full_weight_the_candidate_serves_and_legacy_is_mirrored() {
    let proxy = World::new().candidate(Candidate::built()).start().await;
    let ended = command(&proxy, &["weight", "1000000", "--who", "ada", "--why", "the evidence is good"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("1000000 ppm"), "{ended:?}");
    let request =
        "POST /auth/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key_000\r\nContent-Length: 0\r\n\r\n";
    let answer = proxy.ask(request).await;
    assert_eq!((answer.status(), &answer.json()["valid"]), (401, &json!(false)), "legacy would say 200");
    let status = proxy.settled().await;
    assert_eq!(status["weight_ppm"], 1_000_000);
    assert_eq!(status["phase"], "held");
    assert_eq!(status["requests"]["served"], json!({"legacy": 0, "candidate": 1}));
    assert_eq!(status["decisions"]["allow_deny"], 1, "{status:#}");
    assert_eq!(proxy.legacy().count(), 1);
    assert_eq!(proxy.legacy().so_far()[0].values("authorization"), ["Bearer key_000"]);

    let ended = command(&proxy, &["rollback", "--who", "ada", "--why", "users are locked out"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(proxy.ask(request).await.status(), 200);
    assert_eq!(proxy.settled().await["phase"], "rolled-back");
    let journal = std::fs::read_to_string(proxy.data_folder().join("journal.jsonl")).expect("a journal");
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let said: Vec<_> = lines.iter().map(|line| (&line["state"]["weight_ppm"], &line["who"], &line["why"])).collect();
    let (up, down) = (json!("the evidence is good"), json!("users are locked out"));
    assert_eq!(said, [(&json!(1_000_000), &json!("ada"), &up), (&json!(0), &json!("ada"), &down)]);
}

#[tokio::test]
async fn a_client_stays_on_its_side() {
    let candidate = Candidate::scripted(|_| Reply::bytes(ok("text/plain", "candidate")));
    let proxy = World::new()
        .legacy(Legacy::answering(ok("text/plain", "legacy")))
        .candidate(candidate)
        .weight(500_000)
        .start()
        .await;
    let mut sides = Vec::new();
    for credential in 0..30 {
        let identity = if credential % 2 == 0 { "Authorization: Bearer" } else { "Cookie: sid=" };
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{identity} {credential}\r\n\r\n");
        let side = proxy.ask(&request).await.text();
        for _ in 0..20 {
            assert_eq!(proxy.ask(&request).await.text(), side, "{identity} {credential}");
        }
        sides.push(side);
    }
    let candidates = sides.iter().filter(|side| *side == "candidate").count();
    assert!((5..=25).contains(&candidates), "{candidates} of 30 at one half");
    proxy.settled().await;
}

#[tokio::test]
async fn a_restart_keeps_the_weight_and_opens_its_data() {
    let proxy = World::new().weight(1_000_000).config("record.keep_match_every = 1").start().await;
    assert_eq!(proxy.ask(get("/auth/validate")).await.status(), 405);
    proxy.settled().await;
    let proxy = proxy.killed_and_restarted().await;
    assert_eq!(proxy.status().await["weight_ppm"], 1_000_000);
    assert_eq!(proxy.ask(get("/auth/validate")).await.status(), 405);
    proxy.settled().await;
    let proxy = proxy.killed_and_restarted().await;
    assert_eq!(proxy.admin_get("/api/diffs").await.status(), 200);
    let ended = command(&proxy, &["status"]).await;
    assert!(ended.code == Some(0) && ended.stdout.contains("100 %"), "{ended:?}");
}

#[tokio::test]
async fn another_candidate_does_not_get_the_weight_that_one_was_given() {
    let proxy = World::new().start().await;
    assert_eq!(proxy.set_weight(500_000).await.status(), 200);
    let proxy = proxy.killed_and_restarted().await;
    assert_eq!(proxy.status().await["weight_ppm"], 500_000);
    let proxy = proxy.restarted_with(Candidate::hostile()).await;
    assert_eq!(proxy.status().await["weight_ppm"], 0);
    let ended = command(&proxy, &["shift", "explain"]).await;
    assert!(ended.stdout.contains("the weight was given to another candidate"), "{ended:?}");
    assert!(proxy.process.said().contains("go on with `shadow-proxy advance`"), "{}", proxy.process.said());
}

#[tokio::test]
async fn legacy_comes_to_the_rescue_of_a_client_whom_the_candidate_fails() {
    let config = "candidate.deadline_ms = 1000\ncandidate.cpu_ms = 500";
    // Five failures would be the brake.
    for (paths, failed) in [
        (["/trap", "/loop", "/slow/5000"], json!({"candidate_trap": 1, "candidate_deadline": 2})),
        (["/silent", "/abort", "/set-then-write"], json!({"candidate_no_answer": 2, "candidate_too_large": 1})),
    ] {
        let proxy = World::new().candidate(Candidate::hostile()).weight(1_000_000).config(config).start().await;
        let mut wire = proxy.connect().await;
        for path in paths {
            let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
            let answer = wire.ask(&request).await;
            assert_eq!((answer.status(), &answer.json()["valid"]), (200, &json!(true)), "{path}");
        }
        let status = proxy.settled().await;
        let requests = &status["requests"];
        assert_eq!(requests["rescued"], paths.len(), "{requests:#}");
        assert_eq!(requests["served"], json!({"legacy": paths.len(), "candidate": 0}));
        assert_eq!(requests["not_comparable"], failed);
        assert_eq!(proxy.legacy().count(), paths.len(), "the rescue is legacy's leg, it is not asked again");
        assert!(proxy.legacy().so_far().iter().all(|request| request.body == b"hi"));
    }
}

#[tokio::test]
async fn a_component_that_computes_lets_the_other_clients_of_its_thread_in() {
    // 400 turns for the one that computes; each of the others' answers may cost it a few.
    let config = "threads = 1\ncandidate.cpu_ms = 2000\ncandidate.deadline_ms = 600000";
    let proxy = World::new().candidate(Candidate::hostile()).weight(1_000_000).config(config).start().await;
    let mut computing = proxy.connect().await;
    computing.send(get("/loop")).await;
    proxy.until("the request", |status| status["requests"]["serving"] == 1).await;
    let mut wire = proxy.connect().await;
    for _ in 0..20 {
        assert_eq!(wire.ask(get("/state")).await.text(), "1");
    }
    assert_eq!(proxy.status().await["requests"]["rescued"], 0, "the one that computes was given up before");
    assert_eq!(computing.answer().await.status(), 200);
    assert_eq!(proxy.settled().await["requests"]["rescued"], 1);
}

#[tokio::test]
async fn what_a_candidate_elsewhere_may_have_done_is_not_done_again() {
    let candidate = Candidate::scripted(|_| Reply::default().close());
    let proxy = World::new().candidate(candidate).weight(1_000_000).start().await;
    let post = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    for (request, status) in [
        (post("/keys"), 502),
        (post("/auth/validate"), 200),
        (get("/keys"), 200),
        ("DELETE /keys/1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 502),
    ] {
        assert_eq!(proxy.ask(&request).await.status(), status, "{request}");
    }
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["rescued"], 2, "{status:#}");
    assert_eq!(status["requests"]["unanswered"], 2, "{status:#}");
    assert_eq!(status["requests"]["skipped"]["served_failed"], 2, "{status:#}");
    assert_eq!(proxy.legacy().count(), 2);
}

#[tokio::test]
async fn with_legacy_down_the_candidate_serves_its_share() {
    let proxy = World::new().legacy(Legacy::absent()).weight(1_000_000).start().await;
    assert_eq!(proxy.ask(get("/healthz")).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["not_comparable"], json!({"legacy_connect": 1}));
    assert_eq!(status["requests"]["unanswered"], 0);
}

#[tokio::test]
async fn a_bad_command_is_refused_with_its_reason_and_changes_nothing() {
    let proxy = World::new().start().await;
    let good = json!({"ppm": 10, "who": "ada", "why": "a test"});
    for (member, value, said) in [
        ("ppm", json!(1_000_001), "1000000"),
        ("ppm", json!(-1), "ppm"),
        ("ppm", json!("10 %"), "ppm"),
        ("ppm", Value::Null, "ppm"),
        ("who", json!(" "), "who"),
        ("why", json!(""), "why"),
        ("who", json!(7), "who"),
        ("percent", json!(7), "percent"),
    ] {
        let mut command = good.clone();
        command[member] = value.clone();
        let answer = proxy.admin_post("/api/weight", &command).await;
        assert!((400..500).contains(&answer.status()), "{member} {value}: {}", answer.start);
        assert_eq!(answer.values("content-type"), ["application/problem+json"], "{member} {value}");
        let detail = answer.json()["detail"].as_str().expect("a reason").to_owned();
        assert!(detail.contains(said), "{member} {value}: {detail}");
    }
    for missing in ["ppm", "who", "why"] {
        let mut command = good.clone();
        command.as_object_mut().expect("an object").remove(missing);
        let answer = proxy.admin_post("/api/weight", &command).await;
        let detail = answer.json()["detail"].to_string();
        assert!(answer.status() == 422 && detail.contains(missing), "{missing}: {} {detail}", answer.start);
    }
    for command in [json!({"who": "ada"}), json!({"who": "ada", "why": "a test", "ppm": 0})] {
        assert_eq!(proxy.admin_post("/api/rollback", &command).await.status(), 422, "{command}");
    }
    let text = format!("POST /api/weight HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\n{{}}", proxy.admin);
    assert_eq!(Wire::connect(proxy.admin).await.ask(text).await.status(), 415);
    assert_eq!(proxy.admin_get("/api/weight").await.status(), 405);
    assert_eq!(proxy.status().await["weight_ppm"], 0);
    assert_eq!(std::fs::read(proxy.data_folder().join("journal.jsonl")).expect("a journal"), b"");
    for arguments in [["weight", "1000001", "--who", "a", "--why", "b"], ["weight", "10", "--who", "a", "--why", ""]] {
        let ended = command(&proxy, &arguments).await;
        assert!(ended.code > Some(0) && ended.stderr.starts_with("error: "), "{ended:?}");
    }
}

#[tokio::test]
async fn a_web_page_of_somebody_else_cannot_use_the_admin_port() {
    let proxy = World::new().start().await;
    for path in ["/", "/metrics", "/api/status", "/api/diffs"] {
        for host in ["rebound.example", "rebound.example:80", "127.0.0.1.example", "localhost.example", ""] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let answer = Wire::connect(proxy.admin).await.ask(request).await;
            assert_eq!(answer.status(), 403, "{path} {host}");
            assert!(!answer.json()["detail"].as_str().unwrap_or_default().is_empty());
        }
        for host in ["localhost:9090", "127.0.0.1", "[::1]:9090"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(Wire::connect(proxy.admin).await.ask(request).await.status(), 200, "{path} {host}");
        }
    }
    let command = json!({"ppm": 10, "who": "a", "why": "b"}).to_string();
    let request = proxy.admin_request("/api/weight", "", &command);
    let request = request.replace(&format!("Host: {}", proxy.admin), "Host: rebound.example");
    assert_eq!(Wire::connect(proxy.admin).await.ask(request).await.status(), 403);
    assert_eq!(proxy.status().await["weight_ppm"], 0);
}

#[tokio::test]
async fn an_admin_port_with_a_token_answers_nobody_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    let file = file.to_str().expect("text").to_owned();
    let proxy = World::new().config(&format!("admin_token_file = \"{file}\"")).start().await;
    let command_json = json!({"ppm": 10, "who": "ada", "why": "a test"}).to_string();
    for (header, status) in [
        (String::new(), 401),
        ("Authorization: Bearer wrong\r\n".to_owned(), 401),
        (format!("Authorization: Basic {TOKEN}\r\n"), 401),
        (format!("Authorization: Bearer {TOKEN}x\r\n"), 401),
        (format!("Authorization: Bearer {TOKEN}\r\n"), 200),
    ] {
        for path in ["/", "/metrics", "/api/status", "/api/diffs"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n{header}\r\n");
            assert_eq!(Wire::connect(proxy.admin).await.ask(request).await.status(), status, "{path} {header}");
        }
        let request = proxy.admin_request("/api/weight", &header, &command_json);
        assert_eq!(Wire::connect(proxy.admin).await.ask(request).await.status(), status, "{header}");
    }
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(proxy.admin_get(probe).await.status(), 200, "{probe}");
    }
    let ended = command(&proxy, &["weight", "0", "--who", "ada", "--why", "a test"]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("--token-file"), "{ended:?}");
    let ended = command(&proxy, &["weight", "0", "--who", "ada", "--why", "a test", "--token-file", &file]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!proxy.process.said().contains(TOKEN));
}

#[tokio::test]
async fn a_command_that_finds_no_proxy_says_what_to_do() {
    let Legacy::Absent(socket) = Legacy::absent() else { unreachable!("it is absent") };
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound").to_string();
    let mut status = Command::new(BINARY);
    status.args(["status", "--admin", &address]);
    let ended = finished(status).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("--admin"), "{ended:?}");
    // The proxy's other port is no admin port.
    let proxy = World::new().legacy(Legacy::scripted(|_| allow())).start().await;
    let mut status = Command::new(BINARY);
    status.args(["diffs", "--admin", &proxy.listen.to_string()]);
    let ended = finished(status).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("ready"), "{ended:?}");
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    let proxy = World::new().legacy(Legacy::scripted(|_| allow())).start().await;
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut status = Command::new(BINARY);
    status.args(["status", "--admin", &proxy.admin.to_string()]).stdout(writer).stderr(std::process::Stdio::piped());
    let ended = status.spawn().expect("it starts").wait_with_output().await.expect("it ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

async fn command(proxy: &Proxy, arguments: &[&str]) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--admin", &proxy.admin.to_string()]);
    finished(command).await
}
