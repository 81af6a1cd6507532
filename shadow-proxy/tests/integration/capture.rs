//! Traffic that was captured, replayed against both sides: the same verdicts, without a secret, or sealed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::keys::KeyFolder;
use crate::process::{Ended, Process, finished};
use crate::wire::get;
use crate::world::{BINARY, Candidate, Legacy, Proxy, World, repository};

/// Express and all of its ways.
const PARITY: &str = r#"parity = ["json-body-first", "ignore-path-case", "loose-slash", "options-lists-methods", "not-found-for-wrong-method", "html-errors", "plain-refusals", "plain-identity", "jwt-exp-optional", "js-numbers", "bare-head", "no-challenge", "no-cache-control", "no-sunset", "json-charset", "etag", "powered-by"]
"#;

#[tokio::test]
async fn what_was_captured_has_the_same_verdicts_in_a_replay() {
    let keys = KeyFolder::legacy().await;
    let config = format!("{}{PARITY}{}", keys.config(), issuers(&repository("legacy-stub/contract/keys/jwks.json")));
    let mut proxy = captured(World::new().legacy(Legacy::node()), "", &config).await;
    for request in requests() {
        proxy.ask(request).await;
    }
    let live = proxy.settled().await;
    let decisions = live["decisions"].clone();
    assert!(decisions["allow_allow"].as_u64() >= Some(5) && decisions["deny_deny"].as_u64() >= Some(3), "{decisions}");
    let folder = ended(&mut proxy).await;
    let captured = fs::read_to_string(&files(&folder)[0]).expect("a capture");
    assert_eq!(captured.lines().count(), 1 + requests().len(), "{captured}");
    assert!(!captured.contains("\"verdict\":\"mismatch\""), "{captured}");

    // Both sides are given the stand-ins and nothing else.
    let (list, jwks) = (folder.join("keys.json"), folder.join("jwks.json"));
    let seeded = KeyFolder::new();
    let imported = seeded.keys(&["import", "--from", list.to_str().expect("text")]).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let node = node_with(&list, &jwks).await;
    let config = format!("{}{PARITY}{}", seeded.config(), issuers(&jwks));
    let legacy = format!("http://{}", node.address("listen"));
    let ended = replay(&folder, &["--legacy", &legacy, "--json"], &config).await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!((ended.code, &report["decisions"]), (Some(0), &decisions), "{report:#}");
    assert_eq!(report["verdicts"]["mismatch"], 0);

    // Legacy is gone, what it answered stands for it; it computed an ETag that nobody can compute again.
    let rule = "[[compare.rules]]\nname = \"etag\"\npath = \"header.etag\"\nexpires = \"2999-01-01\"\nreason = \"of another body\"\n";
    let ended = replay(&folder, &["--legacy", "recorded", "--json"], &format!("{config}{rule}")).await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!((ended.code, &report["decisions"]), (Some(0), &decisions), "{report:#}");
}

#[tokio::test]
async fn a_sealed_capture_has_no_plaintext_and_opens_with_its_passphrase_alone() {
    let secrets = tempfile::tempdir().expect("a folder");
    let passphrase = secret_file(secrets.path(), "right", "correct horse battery staple");
    let config = format!("capture.secrets = true\ncapture.passphrase_file = {passphrase:?}\n");
    let mut proxy = captured(World::new(), &config, "").await;
    for _ in 0..3 {
        proxy
            .ask(
                "POST /auth/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key_123\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
    }
    proxy.settled().await;
    let legacy = proxy.legacy().url();
    let folder = ended(&mut proxy).await;
    for file in fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file").path()) {
        let content = fs::read(&file).expect("a file");
        let has = |part: &[u8]| content.windows(part.len()).any(|window| window == part);
        assert!(!has(b"key_123") && !has(b"Bearer") && !has(b"capture\""), "{}", file.display());
    }
    let before = proxy.legacy().count();
    let open = async |file: &Path| {
        replay(&folder, &["--legacy", &legacy, "--passphrase-file", file.to_str().expect("text")], "").await
    };
    let opened = open(&passphrase).await;
    assert!(opened.stdout.starts_with("replayed 3 calls"), "{opened:?}");
    let received = proxy.legacy().so_far();
    assert_eq!(received[before].values("authorization"), ["Bearer key_123"]);
    let wrong = open(&secret_file(secrets.path(), "wrong", "another horse battery staple")).await;
    assert!(wrong.code == Some(64) && wrong.stderr.contains("passphrase does not open it"), "{wrong:?}");
    let none = replay(&folder, &["--legacy", &legacy], "").await;
    assert!(none.code == Some(64) && none.stderr.contains("--passphrase-file"), "{none:?}");
    let short = open(&secret_file(secrets.path(), "short", "short")).await;
    assert!(short.code == Some(64) && short.stderr.contains("make a longer one"), "{short:?}");

    let mut command = Command::new(BINARY);
    command.args(["run", "--legacy", "http://127.0.0.1:9", "--capture", "x", "--capture-secrets"]);
    let refused = finished(command).await;
    assert!(refused.code == Some(2) && refused.stderr.contains("--passphrase-file"), "{refused:?}");
}

#[tokio::test]
async fn a_capture_keeps_to_its_size_and_counts_what_it_keeps() {
    let mut proxy = captured(World::new(), "capture.bytes_max = 65536\ncapture.files_max = 3\n", "").await;
    let long = "x".repeat(20_000);
    let mut wire = proxy.connect().await;
    for _ in 0..40 {
        wire.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: a={long}\r\n\r\n")).await;
    }
    proxy.settled().await;
    assert_eq!(counted(&proxy, 40).await, (40, 0));
    let folder = ended(&mut proxy).await;
    let files = files(&folder);
    assert_eq!(files.len(), 3);
    for file in &files {
        let bytes = fs::metadata(file).expect("a file").len();
        assert!(bytes < 65_536 + 30_000, "{bytes}");
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o077, 0);
    }
    let legacy = proxy.legacy().url();
    let ended = replay(&folder, &["--legacy", &legacy], "").await;
    assert!(ended.stdout.starts_with("replayed ") && !ended.stdout.contains("damaged"), "{ended:?}");
}

#[tokio::test]
async fn a_full_disk_costs_what_is_captured_then_and_no_answer() {
    let mut proxy = captured(World::new().confinable(), "capture.files_max = 3\n", "").await;
    let ask = async |calls: usize| {
        let mut wire = proxy.connect().await;
        for _ in 0..calls {
            assert_eq!(wire.ask(get("/")).await.status(), 200);
        }
        proxy.settled().await;
    };
    ask(20).await;
    assert_eq!(counted(&proxy, 20).await, (20, 0));
    proxy.file_bytes_max(Some(0));
    ask(20).await;
    assert_eq!(counted(&proxy, 40).await, (20, 20));
    proxy.file_bytes_max(None);
    // It tries again from time to time.
    let begun = Instant::now();
    while counted(&proxy, 0).await.0 == 20 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it captures again");
        ask(1).await;
    }
    let kept = counted(&proxy, 0).await.0;
    let folder = ended(&mut proxy).await;
    assert!(proxy.process.said().contains("traffic is not captured"), "{}", proxy.process.said());
    assert_eq!(files(&folder).len(), 2, "an empty file takes no place");
    let replayed = replay(&folder, &["--legacy", "recorded", "--candidate-url", &proxy.legacy().url()], "").await;
    assert!(replayed.stdout.starts_with(&format!("replayed {kept} calls")), "{kept}: {replayed:?}");
}

/// Exchanges that were captured and lost, as soon as there are so many.
async fn counted(proxy: &Proxy, at_least: u64) -> (u64, u64) {
    loop {
        let text = proxy.admin_get("/metrics").await.text();
        let metric = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("shadow_proxy_{name}_total ")));
            line.expect("the metric").parse::<u64>().expect("a number")
        };
        let (captured, lost) = (metric("captured"), metric("capture_lost"));
        if captured + lost >= at_least {
            return (captured, lost);
        }
        tokio::task::yield_now().await;
    }
}

/// A proxy that captures. `table` are keys of `capture`, `config` is the rest.
async fn captured(world: World, table: &str, config: &str) -> Proxy {
    let folder = world.data_folder().with_file_name("captured");
    world.config(&format!("capture.dir = {folder:?}\n{table}{config}")).start().await
}

/// Ends it and gives the folder of its capture.
async fn ended(proxy: &mut Proxy) -> PathBuf {
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    proxy.data_folder().with_file_name("captured")
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.to_str().is_some_and(|name| name.contains("/capture-")));
    files.sort();
    files
}

pub(crate) async fn replay(file: &Path, flags: &[&str], config: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let config_file = folder.path().join("config.toml");
    // A few requests are evidence of little.
    let gate = "gate.mismatch_ppm_max = 500000\ngate.endpoint_pairs_min = 0\n";
    fs::write(&config_file, format!("{gate}{config}")).expect("a file");
    let mut command = Command::new(BINARY);
    command
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .arg("replay")
        .arg(file)
        .args(flags)
        .arg("--config")
        .arg(config_file)
        .arg("--data")
        .arg(folder.path().join("data"));
    finished(command).await
}

async fn node_with(keys: &Path, jwks: &Path) -> Process {
    let mut command = Command::new("node");
    command.arg("src/server.js").current_dir(repository("legacy-stub")).env("PORT", "0");
    command.env("KEYS_FILE", keys).env("JWKS_FILE", jwks);
    let started = Process::start(command).await;
    started.unwrap_or_else(|ended| panic!("the Node service does not start: {ended:?}"))
}

fn issuers(jwks: &Path) -> String {
    format!(
        "[[auth.issuers]]\njwks = {jwks:?}\nissuer = \"https://issuer.example\"\naudiences = [\"https://api.example\"]\n\
         algorithms = [\"ES256\", \"RS256\"]\nlifetime_s_max = 253402300799\n"
    )
}

fn secret_file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    path
}

/// Good, bad and malformed credentials of each kind.
fn requests() -> Vec<String> {
    const KEY: &str = "dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ";
    let tokens = fs::read(repository("legacy-stub/contract/keys/tokens.json")).expect("a file");
    let tokens: Value = serde_json::from_slice(&tokens).expect("tokens");
    let token = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let mistyped = format!("{}R", &KEY[..KEY.len() - 1]);
    let forged = token("jwt-es256").replacen("eyJ", "eyI", 1);
    let credentials = [
        "key_123", "key_456", KEY, &mistyped, "key_expired", "nobody", &token("jwt-es256"), &token("jwt-rs256"), &forged,
        "a b", "",
    ]
    .map(|credential| format!("POST /auth/validate?from=x%40y HTTP/1.1\r\nHost: auth.example\r\nAuthorization: Bearer {credential}\r\nContent-Length: 0\r\n\r\n"));
    let others = [
        get("/healthz"),
        get("/no/such/path"),
        format!("POST /AUTH/Validate/ HTTP/1.1\r\nHost: a\r\nAuthorization: bearer  {KEY}\r\nContent-Length: 0\r\n\r\n"),
        "POST /auth/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key_123\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\": 1}".to_owned(),
    ];
    credentials.into_iter().chain(others).collect()
}

/// A candidate of its own is replayed too.
#[tokio::test]
async fn a_candidate_elsewhere_is_replayed_against() {
    let mut proxy = captured(World::new(), "", "").await;
    proxy.ask(get("/")).await;
    proxy.settled().await;
    let legacy = proxy.legacy().url();
    let folder = ended(&mut proxy).await;
    let ended = replay(&folder, &["--legacy", &legacy, "--candidate-url", &legacy], "").await;
    assert!(ended.code == Some(2) && ended.stdout.contains("verdicts  match 1"), "{ended:?}");
    let Candidate::Absent(absent) = Candidate::absent() else { unreachable!("that is what it is") };
    let absent = format!("http://{}", crate::world::address(&absent));
    let ended = replay(&folder, &["--legacy", &absent, "--candidate-url", &legacy], "").await;
    assert!(ended.code == Some(2) && ended.stdout.contains("legacy_connect 1"), "{ended:?}");
}
