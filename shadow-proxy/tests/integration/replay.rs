//! `replay` of what others recorded, at the pace of the recording, and of files that are damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::Command;

use crate::capture::replay;
use crate::process::finished;
use crate::scripted::{Gate, Reply, Scripted, allow, ok};
use crate::wire::Message;
use crate::world::{BINARY, Candidate, Legacy, World, hostile_guest};

#[tokio::test]
async fn a_har_is_sent_in_the_order_of_its_time() {
    let legacy = Scripted::start(|_| allow());
    let ended =
        replay(&fixture("browser.har"), &["--legacy", &legacy.url(), "--candidate-url", &legacy.url()], "").await;
    assert!(
        ended.code == Some(2) && ended.stdout.contains("replayed 2 calls") && ended.stdout.contains("(HAR)"),
        "{ended:?}"
    );
    let mut received = legacy.received(4).await;
    received.sort_by_key(|request| request.start.clone());
    let (first, second) = (&received[0], &received[2]);
    assert_eq!((first.start.as_str(), second.start.as_str()), ("GET / HTTP/1.1", "POST /login?from=%2Fhome HTTP/1.1"));
    assert_eq!((first.values("host"), second.values("host")), (vec!["auth.example"], vec!["auth.example"]));
    assert_eq!((second.text().as_str(), second.values("content-length")), ("user=ann&password=x", vec!["19"]));
    // One of its entries has an answer.
    let ended = replay(&fixture("browser.har"), &["--legacy", "recorded", "--candidate-url", &legacy.url()], "").await;
    assert!(ended.stdout.contains("replayed 1 calls") && ended.stdout.contains("left out  1 calls"), "{ended:?}");
    assert!(ended.stdout.contains("allow_allow 1"), "{ended:?}");
}

#[tokio::test]
async fn a_gor_file_is_sent_as_it_was_on_the_wire() {
    let legacy = Scripted::start(|_| allow());
    let flags =
        ["--legacy", &legacy.url(), "--candidate-url", &legacy.url(), "--speed", "recorded", "--concurrency", "1"];
    let begun = Instant::now();
    let ended = replay(&fixture("requests.gor"), &flags, "").await;
    assert!(
        ended.code == Some(2) && ended.stdout.contains("replayed 3 calls") && ended.stdout.contains("(GoReplay)"),
        "{ended:?}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(200), "it was recorded in that time");
    let received = legacy.received(6).await;
    let of = |index: usize| (received[2 * index].start.as_str(), received[2 * index].text());
    assert_eq!(of(0), ("POST /auth/validate HTTP/1.1", "{\"a\":1}".to_owned()));
    assert_eq!(of(1), ("POST /chunked HTTP/1.1", "abcde".to_owned()));
    assert_eq!(of(2), ("GET /healthz HTTP/1.1", String::new()));
}

#[tokio::test]
async fn calls_of_a_session_wait_for_each_other_and_for_nobody_else() {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = move |request: &Message| {
        let is_first = request.start.contains("/a/1");
        if is_first {
            Reply::default().wait(&held).then(ok("text/plain", "a"))
        } else {
            Reply::bytes(ok("text/plain", "a"))
        }
    };
    let (legacy, candidate) = (Scripted::start(slow), Scripted::start(|_| Reply::bytes(ok("text/plain", "a"))));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sessions.gor");
    let payload = |session: &str, number: usize| {
        format!(
            "1 a1b2c3d4e5f6071{number} 1738317600000000000\nGET /{session}/{number} HTTP/1.1\r\nHost: a\r\nCookie: sid={session}\r\n\r\n\n🐵🙈🙉\n"
        )
    };
    let payloads: String = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("a", 3)]
        .iter()
        .map(|(session, number)| payload(session, *number))
        .collect();
    fs::write(&file, payloads).expect("a file");
    let ended = tokio::spawn({
        let flags = [legacy.url(), candidate.url()];
        async move { replay(&file, &["--legacy", &flags[0], "--candidate-url", &flags[1]], "").await }
    });
    // The other session is through while the first call of this one still waits.
    legacy.received_for("/b/2").await;
    let paths = || {
        legacy
            .so_far()
            .iter()
            .map(|request| request.start.split(' ').nth(1).expect("a path").to_owned())
            .collect::<Vec<_>>()
    };
    assert!(!paths().iter().any(|path| path == "/a/2"), "{:?}", paths());
    gate.open();
    let ended = ended.await.expect("it does not panic");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let of_a: Vec<String> = paths().into_iter().filter(|path| path.starts_with("/a")).collect();
    assert_eq!(of_a, ["/a/1", "/a/2", "/a/3"]);
}

#[tokio::test]
async fn damaged_files_are_told_and_read_up_to_the_damage() {
    let legacy = Scripted::start(|_| allow());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.jsonl");
    let header = r#"{"format":"shadow-proxy capture","v":1,"build":"0.1.0","started":"2025-01-31T10:00:00.000Z","secrets":"stand-ins"}"#;
    let line = r#"{"at_us":1,"session":"1","call":{"method":"GET","target":"/","headers":[["host","a"]]},"legacy":{"status":200,"latency_us":5,"headers":[],"body":"x"},"verdict":"match"}"#;
    let run = async |content: &str| {
        fs::write(&file, content).expect("a file");
        replay(&file, &["--legacy", &legacy.url(), "--candidate-url", &legacy.url()], "").await
    };
    for (content, code, calls, told) in [
        (format!("{header}\n{line}\n{line}\n"), 2, 2, "compared  2"),
        (
            format!("{header}\n{line}\n{}", &line[..50]),
            2,
            1,
            "line 3 is cut short, as after a crash; what is before it was replayed",
        ),
        (format!("{header}\n{line}\n{{\"at_us\":2}}\n{line}\n"), 64, 1, "line 3: no record of a capture"),
        (
            format!("{header}\n{}\n", line.replace("GET", "G T")),
            64,
            0,
            "line 2: `method` is no method of HTTP; take the line out",
        ),
        (fs::read_to_string(fixture("requests.gor")).expect("a file")[..300].to_owned(), 2, 1, ""),
        ("1 a1b2c3d4e5f607182 17\nno HTTP\n🐵🙈🙉\n".to_owned(), 64, 0, "line 1: the request is not HTTP/1"),
    ] {
        let ended = run(&content).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(
            ended.stdout.starts_with(&format!("replayed {calls} calls")) && ended.stdout.contains(told),
            "{ended:?}"
        );
        assert_eq!(ended.stdout.contains("no verdict"), code == 64, "{ended:?}");
    }
    for (content, told) in [
        ("nothing of ours", "no capture of `run --capture`, no HAR and no .gor file"),
        ("{\"log\":{\"entries\":[", "cut short at line 1; export it again"),
        ("{\"log\":{}}", "no HAR 1.2: line 1"),
        (
            "{\"log\":{\"entries\":[{\"startedDateTime\":\"\",\"request\":{\"method\":\"G T\",\"url\":\"http://a/\"}}]}}",
            "log.entries[0] cannot be sent",
        ),
        (&header.replace("\"v\":1", "\"v\":2"), "another version than 1"),
    ] {
        let ended = run(content).await;
        assert!(ended.code == Some(64) && ended.stdout.is_empty() && ended.stderr.contains(told), "{ended:?}");
    }
    let mut command = Command::new(BINARY);
    command.args(["replay", "--nonsense"]);
    assert_eq!(finished(command).await.code, Some(64));
}

#[tokio::test]
async fn time_and_chance_are_the_same_in_every_replay() {
    let legacy = Scripted::start(|_| allow());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("moment.gor");
    let payload =
        |nanos: &str| format!("1 a1b2c3d4e5f607182 {nanos}\nGET /moment HTTP/1.1\r\nHost: a\r\n\r\n\n🐵🙈🙉\n");
    fs::write(&file, payload("1738317600000001000")).expect("a file");
    let status = async |flags: &[&str]| {
        let data = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(BINARY);
        command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
        command.arg("replay").arg(&file).args(["--legacy", &legacy.url(), "--component"]).arg(hostile_guest());
        command.arg("--data").arg(data.path().join("data")).args(flags);
        let ended = finished(command).await;
        assert!(ended.stdout.contains("compared  1"), "{ended:?}");
        let store = rusqlite::Connection::open(data.path().join("data/shadow.db")).expect("a store");
        let shown: String = store.query_row("SELECT shown FROM exchanges", [], |row| row.get(0)).expect("an exchange");
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        let headers = shown["candidate"]["headers"].to_string();
        (shown["candidate"]["status"].as_u64().expect("a status"), headers)
    };
    let (first, headers) = status(&[]).await;
    for _ in 0..3 {
        assert_eq!(status(&[]).await.0, first);
    }
    assert!(headers.contains("content-type"), "{headers}");
    let mut others = Vec::new();
    for flags in
        [["--seed", "2"], ["--seed", "3"], ["--clock", "2030-01-01T00:00:00Z"], ["--clock", "2031-01-01T00:00:00Z"]]
    {
        others.push(status(&flags).await.0);
    }
    // One of four hundred is the same by chance.
    assert!(others.iter().filter(|other| **other != first).count() >= 3, "{first} {others:?}");
}

#[tokio::test]
async fn one_exchange_of_a_finding_is_repeated() {
    let legacy = Legacy::scripted(|_| allow());
    let mut proxy = World::new().legacy(legacy).candidate(Candidate::hostile()).start().await;
    let request = "POST /auth/validate?token=t0p HTTP/1.1\r\nHost: auth.example\r\nAuthorization: Bearer hunter2\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"password\":\"s3cr3t\"}";
    proxy.ask(&request.replace("Length: 20", "Length: 21")).await;
    proxy.settled().await;
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    let (legacy, data) = (proxy.legacy().url(), proxy.data_folder());
    let guest = hostile_guest();
    let once = async |flags: &[&str]| {
        let mut command = Command::new(BINARY);
        command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
        command.args(["replay", "--id", "1", "--legacy", &legacy, "--component"]).arg(&guest);
        command.arg("--data").arg(&data).args(flags);
        finished(command).await
    };
    let first = once(&[]).await;
    assert!(first.code == Some(1) && first.stdout.contains("it reproduces\n"), "{first:?}");
    assert!(first.stdout.contains("decision (value): legacy allow, the candidate deny"), "{first:?}");
    assert!(first.stdout.contains("redacted values were made up"), "{first:?}");
    assert_eq!(once(&[]).await.stdout, first.stdout);
    let received = proxy.legacy().received(3).await;
    assert_eq!(received[1].raw, received[2].raw, "the same values were made up twice");
    assert_eq!(received[1].values("authorization")[0].len(), "Bearer hunter2".len());
    assert!(!received[1].text().contains("s3cr3t"));

    let store = rusqlite::Connection::open(data.join("shadow.db")).expect("a store");
    let shown: String = store.query_row("SELECT shown FROM exchanges", [], |row| row.get(0)).expect("an exchange");
    let (_, stand_in) = shown.split_once("Bearer ‹").expect("it is redacted");
    let hash = stand_in.split('›').next().and_then(|inside| inside.rsplit(' ').next()).expect("a stand-in has a hash");
    let ended = once(&["--secret", &format!("{hash}=hunter2")]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let received = proxy.legacy().received(4).await;
    assert_eq!(received[3].values("authorization"), ["Bearer hunter2"]);
    let file = data.join("secrets");
    fs::write(&file, format!("{hash}=hunter3\n")).expect("a file");
    once(&["--secrets-file", file.to_str().expect("text")]).await;
    assert_eq!(proxy.legacy().received(5).await[4].values("authorization"), ["Bearer hunter3"]);
    let wrong = once(&["--secret", "hunter2"]).await;
    assert!(wrong.code == Some(64) && !wrong.stderr.contains("hunter2"), "{wrong:?}");
    let mut command = Command::new(BINARY);
    command.args(["replay", "--id", "999", "--legacy", &legacy, "--data"]).arg(&data);
    let none = finished(command).await;
    assert!(none.code == Some(64) && none.stderr.contains("there is no finding 999"), "{none:?}");
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/replay").join(name)
}
