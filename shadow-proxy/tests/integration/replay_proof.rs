//! What a replay proves: answers of legacy held against the recorded ones, credentials that nobody installed, bodies that
//! nobody recorded, hosts that nobody asked for, and files that are no recording.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::capture::{files, replay};
use crate::process::Ended;
use crate::scripted::{Reply, Scripted, allow, ok};
use crate::wire::Message;
use crate::world::{Candidate, Legacy, World};

#[tokio::test]
async fn calls_that_legacy_decides_otherwise_than_recorded_are_void() {
    let (good, bad) = (["/a", "/a/2", "/b"], ["/c", "/c/2", "/c/3"]);
    let lines = good.map(|path| (path, "key-1", 200)).into_iter().chain(bad.map(|path| (path, "key-2", 401)));
    let recorded = Recording::capture("stand-ins", &lines.collect::<Vec<_>>());
    let (none, all) = (Scripted::start(|_| deny()), Scripted::start(|_| allow()));
    let refuses = recorded.replayed(&none.url(), &none.url()).await;
    assert_eq!((refuses.code, &refuses.json["verdict"]), (Some(2), &"not enough evidence".into()), "{refuses:?}");
    assert_eq!(refuses.json["void"], json!({"void_refused_now": 3}));
    assert_eq!(
        refuses.json["judgement"]["reasons"][0],
        "3 calls that legacy let in are refused now: install the seeds, or capture with secrets"
    );
    assert_eq!((&refuses.json["compared"], &refuses.json["decisions"]["deny_deny"]), (&3.into(), &3.into()));
    let lets_in = recorded.replayed(&all.url(), &all.url()).await;
    assert_eq!((lets_in.code, &lets_in.json["void"]), (Some(2), &json!({"void_let_in_now": 3})), "{lets_in:?}");
    let lost = Scripted::start(|_| Reply::bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    let lost = recorded.replayed(&lost.url(), &all.url()).await;
    assert_eq!((lost.code, &lost.json["void"]), (Some(2), &json!({"void_otherwise_now": 6})), "{lost:?}");
    // A void call is no breach, and hides none.
    let but_c = |request: &Message| if request.start.contains("/c") { deny() } else { allow() };
    let (same, breach) = (Scripted::start(but_c), Scripted::start(|_| allow()));
    let found = recorded.replayed(&same.url(), &breach.url()).await;
    assert_eq!((found.code, &found.json["decisions"]["deny_allow"]), (Some(1), &3.into()), "{found:?}");
    let good = recorded.replayed(&same.url(), &same.url()).await;
    assert_eq!((good.code, &good.json["void"]), (Some(0), &json!({})), "{good:?}");
}

#[tokio::test]
async fn a_stand_in_that_the_candidate_does_not_know_is_no_lockout() {
    let lines =
        [("/a", "key-1", 200), ("/b", "key-1", 200), ("/b", "key-2", 200), ("/a", "key-3", 401), ("/c", "key-2", 200)];
    let recorded = Recording::capture("stand-ins", &lines);
    let none = Scripted::start(|_| deny());
    let unknown = recorded.replayed("recorded", &none.url()).await;
    assert_eq!((unknown.code, &unknown.json["void"]), (Some(2), &json!({"void_unknown_credential": 4})), "{unknown:?}");
    assert_eq!(unknown.json["decisions"]["allow_deny"], 0);
    let reason = unknown.json["judgement"]["reasons"][0].as_str().expect("a reason");
    assert!(
        reason.starts_with("4 calls that the recorded legacy answered otherwise are refused by the candidate"),
        "{reason}"
    );
    // One that it lets in where it refuses others is known to it; where it lets in everybody, nobody knows.
    let knows = |request: &Message| {
        let is_good = request.start.contains("/a") && request.values("x-api-key") == ["key-1"];
        if is_good || request.start.contains("/c") { allow() } else { deny() }
    };
    let locked_out = Scripted::start(knows);
    let locked_out = recorded.replayed("recorded", &locked_out.url()).await;
    assert_eq!((locked_out.code, &locked_out.json["decisions"]["allow_deny"]), (Some(1), &1.into()), "{locked_out:?}");
    assert_eq!(locked_out.json["void"], json!({"void_unknown_credential": 1}));
    // Real ones are real lockouts.
    let kept = Recording::capture("kept", &lines).replayed("recorded", &none.url()).await;
    assert_eq!((kept.code, &kept.json["decisions"]["allow_deny"]), (Some(1), &4.into()), "{kept:?}");
}

#[tokio::test]
async fn a_session_that_the_candidate_never_began_is_no_lockout() {
    let recorded = Recording::har(vec![entry("/a", json!({"headers": header("cookie", "sid=1")}), json!({}))]);
    let (legacy, none) = (Scripted::start(|_| allow()), Scripted::start(|_| deny()));
    for legacy in [legacy.url(), "recorded".to_owned()] {
        let ended = recorded.replayed(&legacy, &none.url()).await;
        assert_eq!(ended.json["decisions"]["undetermined"]["other_sides_session"], 1, "{ended:?}");
        assert_eq!((ended.code, &ended.json["decisions"]["allow_deny"]), (Some(2), &0.into()), "{ended:?}");
    }
}

#[tokio::test]
async fn two_services_that_let_nobody_in_prove_nothing_without_a_recorded_answer() {
    let none = Scripted::start(|_| deny());
    let recorded = Recording::har((0..8).map(|n| entry(&format!("/{n}"), json!({}), json!({"status": 0}))).collect());
    let ended = recorded.replayed(&none.url(), &none.url()).await;
    assert_eq!((ended.code, &ended.json["unrecorded"]), (Some(2), &8.into()), "{ended:?}");
    let reason = ended.json["judgement"]["reasons"][0].as_str().expect("a reason");
    assert!(reason.starts_with("nobody was let in, and 8 calls have no recorded answer"), "{reason}");
}

#[tokio::test]
async fn nothing_is_concluded_from_a_body_that_was_not_recorded() {
    let unrecorded = |status: u16| {
        Recording::har(
            (0..8).map(|_| entry("/a", json!({}), json!({"status": status, "content": {"size": 15}}))).collect(),
        )
    };
    let (yes, no, refuses) = (
        Scripted::start(|_| Reply::bytes(ok("application/json", r#"{"valid":true}"#))),
        Scripted::start(|_| Reply::bytes(ok("application/json", r#"{"valid":false}"#))),
        Scripted::start(|_| deny()),
    );
    for candidate in [&yes, &no] {
        let ended = unrecorded(200).replayed("recorded", &candidate.url()).await;
        assert_eq!((ended.code, &ended.json["compared"]), (Some(2), &0.into()), "{ended:?}");
        assert_eq!(ended.json["not_comparable"], json!({"legacy_not_recorded": 8}));
    }
    // The status decides alone where it does.
    let breach = unrecorded(401).replayed("recorded", &yes.url()).await;
    assert_eq!((breach.code, &breach.json["decisions"]["deny_allow"]), (Some(1), &8.into()), "{breach:?}");
    let equal = unrecorded(401).replayed("recorded", &refuses.url()).await;
    assert_eq!(
        (&equal.json["decisions"]["deny_deny"], &equal.json["verdicts"]["match"]),
        (&8.into(), &8.into()),
        "{equal:?}"
    );
    let void = unrecorded(200).replayed(&refuses.url(), &refuses.url()).await;
    assert_eq!((void.code, &void.json["void"]), (Some(2), &json!({"void_refused_now": 8})), "{void:?}");
}

#[tokio::test]
async fn entries_of_other_hosts_go_nowhere_unless_asked_for() {
    let both = Scripted::start(|_| allow());
    let other =
        json!({"url": "https://stats.other.test/collect", "headers": header("authorization", "Bearer third-party")});
    let recorded = Recording::har(vec![
        entry("/a", json!({}), json!({})),
        entry("/", other, json!({})),
        entry("/b", json!({}), json!({})),
    ]);
    let ended = recorded.replayed(&both.url(), &both.url()).await;
    assert_eq!((&ended.json["calls"], &ended.json["left_out"]), (&2.into(), &json!({"other_host": 1})), "{ended:?}");
    assert!(both.so_far().iter().all(|request| request.values("host") == ["svc.test"]));
    let asked =
        recorded.replay(&["--legacy", &both.url(), "--candidate-url", &both.url(), "--host", "stats.other.test"]).await;
    assert!(
        asked.stdout.contains("left out  2 entries of other hosts, which --host would add; the first: svc.test"),
        "{asked:?}"
    );
    assert_eq!(both.received(6).await[4].values("host"), ["stats.other.test"]);
}

#[tokio::test]
async fn what_a_browser_does_not_record_is_no_difference() {
    let cookies = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: sid=1\r\nSet-Cookie: csrf=2\r\nContent-Length: 14\r\n\r\n{\"valid\":true}";
    let candidate = Scripted::start(move |_| Reply::bytes(cookies));
    let response = |set_cookie: &str| {
        let mut headers = header("content-type", "application/json");
        headers.as_array_mut().expect("headers").extend(
            header("set-cookie", set_cookie).as_array().cloned().filter(|_| !set_cookie.is_empty()).unwrap_or_default(),
        );
        json!({"headers": headers, "content": {"size": 14, "text": "{\"valid\":true}"}})
    };
    for (set_cookie, mismatches) in [("", 0), ("sid=1\ncsrf=2", 0), ("sid=1", 1)] {
        let recorded = Recording::har(vec![entry("/a", json!({}), response(set_cookie))]);
        let ended = recorded.replayed("recorded", &candidate.url()).await;
        assert_eq!(ended.json["verdicts"]["mismatch"], mismatches, "{set_cookie}: {ended:?}");
    }
}

#[tokio::test]
async fn an_answer_to_head_stays_empty_in_a_capture() {
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 76\r\n\r\n";
    let (legacy, candidate) = (Scripted::start(|_| Reply::bytes(HEAD)), Scripted::start(|_| Reply::bytes(HEAD)));
    let candidate_url = candidate.url();
    let world = World::new().legacy(Legacy::Scripted(legacy)).candidate(Candidate::Scripted(candidate));
    let folder = world.data_folder().with_file_name("captured");
    let mut proxy = world.config(&format!("capture.dir = {folder:?}\n")).start().await;
    proxy.ask("HEAD /auth/validate HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    proxy.settled().await;
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    let kept = fs::read_to_string(&files(&folder)[0]).expect("a capture");
    assert!(kept.contains(r#"["content-length","76"]"#) && !kept.contains("decoded"), "{kept}");
    let ended = replay(&folder, &["--legacy", "recorded", "--candidate-url", &candidate_url, "--json"], "").await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!(report["verdicts"]["match"], 1, "{report:#}");
    // One of an earlier version, which says that its nothing was decoded.
    let earlier = kept.replace(r#"["content-length","76"]]"#, r#"["content-length","76"]],"decoded":true"#);
    let file = folder.join("earlier.jsonl");
    fs::write(&file, earlier).expect("a file");
    let ended = replay(&file, &["--legacy", "recorded", "--candidate-url", &candidate_url, "--json"], "").await;
    assert!(ended.stdout.contains("\"match\": 1"), "{ended:?}");
}

#[tokio::test]
async fn files_that_are_no_recording_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let har = json!({"log": {"entries": [entry("/a", json!({}), json!({}))]}}).to_string();
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zipped.write_all(har.as_bytes()).expect("memory");
    let zipped = zipped.finish().expect("memory");
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(har.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let both = Scripted::start(|_| allow());
    for (number, (content, told)) in [
        (Vec::new(), "it is empty"),
        (b"PK\x03\x04rest".to_vec(), "unpack it"),
        (utf16, "it is UTF-16; save it as UTF-8"),
        (format!("[{har}]").into_bytes(), "it is a JSON array"),
        (format!("{har}\n{har}\n").into_bytes(), "more than one JSON document is in it"),
        (zipped[..zipped.len() / 2].to_vec(), "compression is damaged"),
        (b"\x1f\x8bnonsense".to_vec(), "compression is damaged"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "unknown format"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = folder.path().join(number.to_string());
        fs::write(&file, content).expect("a file");
        let ended = replay(&file, &["--legacy", &both.url(), "--candidate-url", &both.url()], "").await;
        assert!(ended.code == Some(64) && ended.stdout.is_empty() && ended.stderr.contains(told), "{told}: {ended:?}");
        assert!(!ended.stderr.contains("svc.test"), "{ended:?}");
    }
    for content in [zipped, format!("\u{feff}{har}").into_bytes(), format!("cb({har});").into_bytes()] {
        let file = folder.path().join("good");
        fs::write(&file, content).expect("a file");
        let ended = replay(&file, &["--legacy", &both.url(), "--candidate-url", &both.url()], "").await;
        assert!(ended.stdout.starts_with("replayed 1 calls"), "{ended:?}");
    }
}

/// A file to replay.
struct Recording {
    _folder: TempDir,
    file: PathBuf,
}

#[derive(Debug)]
struct Replayed {
    code: Option<i32>,
    json: Value,
}

impl Recording {
    /// Of lines with a path, a key and legacy's status.
    fn capture(secrets: &str, lines: &[(&str, &str, u16)]) -> Recording {
        let header = json!({"format": "shadow-proxy capture", "v": 1, "build": "0", "started": "2025-01-31T10:00:00.000Z", "secrets": secrets});
        let mut text = format!("{header}\n");
        for (number, (path, key, status)) in lines.iter().enumerate() {
            let call = json!({"method": "GET", "target": path, "headers": [["host", "a"], ["x-api-key", key]]});
            // As the scripted services answer.
            let answered = if *status == 200 {
                json!({"status": 200, "latency_us": 5, "headers": [["content-type", "application/json"], ["content-length", BODY.len().to_string()]],
                    "body": BODY})
            } else {
                json!({"status": status, "latency_us": 5, "headers": [["content-length", "0"]]})
            };
            text += &format!(
                "{}\n",
                json!({"at_us": number, "session": null, "call": call, "legacy": answered, "verdict": "match"})
            );
        }
        Recording::of("capture.jsonl", &text)
    }

    fn har(entries: Vec<Value>) -> Recording {
        Recording::of("a.har", &json!({"log": {"version": "1.2", "entries": entries}}).to_string())
    }

    fn of(name: &str, text: &str) -> Recording {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        fs::write(&file, text).expect("a file");
        Recording { _folder: folder, file }
    }

    async fn replay(&self, flags: &[&str]) -> Ended {
        replay(&self.file, flags, "").await
    }

    async fn replayed(&self, legacy: &str, candidate: &str) -> Replayed {
        let ended = self.replay(&["--legacy", legacy, "--candidate-url", candidate, "--json"]).await;
        let json = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        Replayed { code: ended.code, json }
    }
}

/// As `allow` answers.
const BODY: &str = r#"{"valid":true,"user_id":"user_123","expires_at":null}"#;

/// One of a HAR, with other members in place of its own.
fn entry(path: &str, request: Value, response: Value) -> Value {
    let mut entry = json!({
        "startedDateTime": "2025-03-01T10:00:00.000Z", "time": 4,
        "request": {"method": "GET", "url": format!("https://svc.test{path}"), "headers": []},
        "response": {"status": 200, "headers": [], "content": {"size": 14, "text": "{\"valid\":true}"}},
    });
    for (member, changes) in [("request", request), ("response", response)] {
        for (name, value) in changes.as_object().into_iter().flatten() {
            entry[member][name] = value.clone();
        }
    }
    entry
}

fn header(name: &str, value: &str) -> Value {
    json!([{"name": name, "value": value}])
}

fn deny() -> Reply {
    Reply::bytes("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
}
