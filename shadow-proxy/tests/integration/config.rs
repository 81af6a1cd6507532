//! A wrong configuration: all that is wrong is said at once, and nothing has been started.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;

use serde::Deserialize;
use tokio::process::Command;

use crate::process::{Ended, finished};
use crate::world::{BINARY, COMPILED, World, repository};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bad {
    key: String,
    toml: String,
    /// As the message quotes it; empty: what is wrong is more than the value.
    value: String,
    reason: String,
    example: String,
    /// It stands in the way of others of its section.
    #[serde(default)]
    alone: bool,
}

/// Every key there is, each with at least one bad value.
fn bad() -> Vec<Bad> {
    serde_json::from_str(include_str!("bad-config.json")).expect("the table is well-formed")
}

#[tokio::test]
async fn everything_wrong_is_said_at_once_with_key_value_reason_and_example() {
    for file in files() {
        let toml: String = file.iter().map(|bad| bad.toml.clone() + "\n").collect();
        let ended = check(&toml).await;
        assert_eq!(ended.code, Some(2), "{toml}\n{ended:?}");
        assert_eq!(ended.stdout, "");
        for bad in &file {
            let sign = if bad.value.is_empty() { ":" } else { " = " };
            let start = format!("error: {}{sign}{}", bad.key, bad.value);
            let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with(&start)).collect();
            assert_eq!(lines.len(), 1, "{start}\n{}", ended.stderr);
            assert!(lines[0].contains(&bad.reason) && lines[0].contains(&bad.example), "{}\n{}", bad.key, lines[0]);
        }
        let errors = ended.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, file.len(), "{toml}\n{}", ended.stderr);
    }
}

/// As few files as hold every entry, no key twice in one; the first without what a complete one needs.
fn files() -> Vec<Vec<Bad>> {
    let mut files: Vec<Vec<Bad>> = Vec::new();
    for bad in bad() {
        let base = |bad: &Bad| bad.key.split('[').next().unwrap_or_default().to_owned();
        let has_room =
            |file: &&mut Vec<Bad>| !bad.alone && file.iter().all(|other| !other.alone && base(other) != base(&bad));
        match files.iter_mut().find(has_room) {
            Some(file) => file.push(bad),
            None => files.push(vec![bad]),
        }
    }
    // Whatever else is wrong: without a legacy service that would be wrong too.
    let url = || Bad {
        key: "legacy.url".to_owned(),
        toml: "legacy.url = 1".to_owned(),
        value: "1".to_owned(),
        reason: "is not a text".to_owned(),
        example: "url = ".to_owned(),
        alone: false,
    };
    for file in &mut files {
        if file.iter().all(|bad| bad.key != "legacy.url") {
            file.push(url());
        }
    }
    files
}

#[test]
fn every_key_is_in_the_table() {
    let source = |file: &str| {
        std::fs::read_to_string(repository("shadow-proxy/src/config").join(file)).expect("the source is there")
    };
    let files = ["mod.rs", "auth.rs", "capture.rs", "choice.rs", "hooks.rs", "shift.rs", "stateful.rs"];
    let keys: Vec<String> = files.iter().flat_map(|file| keys(&source(file))).collect();
    assert!(keys.len() > 40, "{keys:?}");
    let bad = bad();
    let is_missing = |key: &&String| bad.iter().all(|bad| bad.key != **key);
    let missing: Vec<&String> = keys.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "give these a bad value in tests/integration/bad-config.json: {missing:?}");
}

/// The keys that are read: `let mut limits = root.section("limits")` names a variable, `limits.millis("idle_ms", …)` a
/// key of it.
fn keys(source: &str) -> Vec<String> {
    let mut sections = BTreeMap::from([
        ("root", String::new()),
        ("issuer", "auth.issuers[0].".to_owned()),
        ("route", "routes[0].".to_owned()),
        ("step", "shift.steps[0].".to_owned()),
        ("hook", "shift.hooks[0].".to_owned()),
        ("introspection", "auth.introspection.".to_owned()),
        ("shift", "shift.".to_owned()),
        ("testers", "shift.testers.".to_owned()),
    ]);
    let mut keys = Vec::new();
    for line in source.lines() {
        if let Some((before, name)) = line.split_once(" = root.section(\"") {
            let variable = before.trim().trim_start_matches("let mut ");
            sections.insert(variable, format!("{}.", name.split('"').next().unwrap_or_default()));
            continue;
        }
        for (at, _) in line.match_indices("(\"") {
            let call =
                line[..at].rsplit(|c: char| !(c.is_alphanumeric() || "_.:<>".contains(c))).next().unwrap_or_default();
            let key = line[at + 2..].split('"').next().unwrap_or_default();
            if let Some((variable, method)) = call.split_once('.')
                && let Some(section) = sections.get(variable)
                && !method.starts_with("wrong")
            {
                keys.push(format!("{section}{key}"));
            }
        }
    }
    keys
}

#[tokio::test]
async fn with_a_wrong_configuration_nothing_is_bound_or_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // Whoever tried to bind these would say so.
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [listen, admin] = taken.each_ref().map(|socket| socket.local_addr().expect("it is bound"));
    let toml = format!(
        "listen = \"{listen}\"\nadmin = \"{admin}\"\ndata = \"{}\"\nlegacy.url = \"http://127.0.0.1:1\"\nthreads = 0\n",
        data.display()
    );
    let file = folder.path().join("config.toml");
    std::fs::write(&file, toml).expect("a file");
    let ended = run(&file, &[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 2, "{ended:?}");
    assert!(ended.stderr.contains("error: threads = 0: ") && ended.stderr.contains("nothing was started"), "{ended:?}");
    assert!(!data.exists());
}

#[tokio::test]
async fn flags_stand_before_the_file_and_are_as_strict() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "listen = \"nowhere\"\nlegacy.url = 5\n").expect("a file");
    let flags = ["--legacy", "127.0.0.1", "--admin", "x", "--candidate-url", "file:///", "--listen", "127.0.0.1:0"];
    let ended = run(&file, &flags).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for said in ["legacy.url = \"127.0.0.1\"", "admin = \"x\"", "candidate.url = \"file:///\"", "3 errors"] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
}

#[tokio::test]
async fn what_is_no_toml_is_shown_with_its_line() {
    let ended = check("listen = \"127.0.0.1:0\"\nlegacy url\n").await;
    assert!(ended.code == Some(2) && ended.stderr.contains("line 2"), "{ended:?}");
    let ended = run(Path::new("/nowhere/config.toml"), &[]).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("--config /nowhere/config.toml"), "{ended:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(folder.path(), &[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[tokio::test]
async fn a_good_configuration_is_called_good() {
    let ended = check("legacy.url = \"http://127.0.0.1:1\"\n[limits]\nidle_ms = 5\n").await;
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "the configuration is good\n", "")
    );
}

#[tokio::test]
async fn a_second_proxy_is_told_what_it_lacks() {
    let proxy = World::new().start().await;
    let data = proxy.data_folder();
    let start = |listen: String, data: &Path| {
        let mut command = Command::new(BINARY);
        command.args(["run", "--listen", &listen, "--admin", "127.0.0.1:0", "--legacy", "http://127.0.0.1:1"]);
        command.args(["--compiled", COMPILED, "--data"]).arg(data);
        finished(command)
    };
    let ended = start("127.0.0.1:0".to_owned(), &data).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("another shadow-proxy uses"), "{ended:?}");
    assert!(ended.stderr.contains("--data") && ended.stderr.lines().count() == 1, "{ended:?}");
    let other = tempfile::tempdir().expect("a folder");
    let ended = start(proxy.listen.to_string(), other.path()).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("choose another address, or port 0"), "{ended:?}");
    assert!(ended.stderr.lines().count() == 1, "{ended:?}");
    let file = other.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let ended = start("127.0.0.1:0".to_owned(), &file).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("--data"), "{ended:?}");
    let store = other.path().join("store");
    std::fs::create_dir(&store).expect("a folder");
    std::fs::write(store.join("shadow.db"), "this is no database, but long enough to be read as one\n".repeat(20))
        .expect("a file");
    let ended = start("127.0.0.1:0".to_owned(), &store).await;
    assert!(
        ended.code == Some(1) && ended.stderr.contains("shadow.db") && ended.stderr.contains("--data"),
        "{ended:?}"
    );
    assert_eq!(proxy.ask(crate::wire::get("/")).await.status(), 200);
}

async fn check(toml: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, toml).expect("a file");
    let mut command = Command::new(BINARY);
    command.args(["check", "--config"]).arg(file);
    finished(command).await
}

async fn run(file: &Path, flags: &[&str]) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(["run", "--config"]).arg(file).args(flags);
    finished(command).await
}
