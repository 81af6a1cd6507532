//! `shadow-proxy keys`, and a component that is given what it wrote.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::process::{Ended, Process, finished};
use crate::wire::{Wire, get, within};
use crate::world::{BINARY, COMPILED, Candidate, World, repository};

/// A folder with a key file and a pepper file.
pub(crate) struct KeyFolder(TempDir);

impl KeyFolder {
    /// The files are made by the first command.
    pub(crate) fn new() -> KeyFolder {
        KeyFolder(tempfile::tempdir().expect("a folder"))
    }

    /// The keys of the legacy service.
    pub(crate) async fn legacy() -> KeyFolder {
        let folder = KeyFolder::new();
        let ended = folder.keys(&["import", "--from", list().to_str().expect("text")]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        folder
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.0.path().join("keys.db.json")
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn pepper_file(&self) -> PathBuf {
        self.0.path().join("peppers.json")
    }

    pub(crate) fn config(&self) -> String {
        format!("[auth]\nkeys = {:?}\npeppers = {:?}\n", self.key_file(), self.pepper_file())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("keys").args(arguments).arg("--keys").arg(self.key_file());
        if arguments.first().is_some_and(|verb| !["list", "revoke"].contains(verb)) {
            command.arg("--peppers").arg(self.pepper_file());
        }
        command
    }

    pub(crate) async fn keys(&self, arguments: &[&str]) -> Ended {
        finished(self.command(arguments)).await
    }

    /// The key that a command prints, and nothing else does.
    pub(crate) async fn new_key(&self, arguments: &[&str]) -> String {
        let ended = self.keys(arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let key = ended.stdout.trim_end().to_owned();
        assert!(ended.stdout.lines().count() == 1 && !ended.stderr.contains(&key), "{ended:?}");
        key
    }

    async fn list(&self) -> Vec<Value> {
        let ended = self.keys(&["list", "--json"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str(&ended.stdout).expect("a list")
    }

    async fn state(&self, key: &str) -> String {
        let listed = self.list().await.into_iter().find(|record| record["id"] == id(key));
        listed.expect("it is in the list")["state"].as_str().expect("text").to_owned()
    }
}

fn list() -> PathBuf {
    repository("legacy-stub/keys.json")
}

fn plaintext() -> Vec<String> {
    let list: Vec<Value> = serde_json::from_slice(&fs::read(list()).expect("a file")).expect("a list");
    list.iter().map(|entry| entry["key"].as_str().expect("text").to_owned()).collect()
}

fn id(key: &str) -> &str {
    key.split('_').nth(1).expect("a key has four parts")
}

/// Every file, hidden ones too.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.map(|file| (file.clone(), fs::read(file).expect("a file"))).collect()
}

#[tokio::test]
async fn an_import_leaves_no_plaintext_and_a_second_one_changes_nothing() {
    let folder = KeyFolder::new();
    let mut piped = folder.command(&["import", "--from", "-"]);
    let mut piped =
        piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = piped.stdin.take().expect("it is piped");
    stdin.write_all(&fs::read(list()).expect("a file")).await.expect("it reads");
    drop(stdin);
    let ended = within("the import", piped.wait_with_output()).await.expect("it is our child");
    let said = String::from_utf8([ended.stdout, ended.stderr].concat()).expect("text");
    assert!(ended.status.success() && said.contains(": 10\n") && said.contains("weak: 4; "), "{said}");
    assert!(said.contains("now delete the list"), "{said}");
    let first = fs::read(folder.key_file()).expect("it was made");
    let again = folder.keys(&["import", "--from", list().to_str().expect("text")]).await;
    assert!(again.code == Some(0) && again.stdout.contains("there already: 10\n"), "{again:?}");
    assert!(again.stdout.contains(&format!("now delete {}", list().display())), "{again:?}");
    assert_eq!(fs::read(folder.key_file()).expect("it is there"), first);
    let listed = folder.keys(&["list"]).await;
    let mut sinks = contents(folder.0.path());
    assert!(sinks.len() >= 2, "{sinks:?}");
    for said in [said, again.stdout, again.stderr, listed.stdout, listed.stderr] {
        sinks.push((PathBuf::from("what was said"), said.into_bytes()));
    }
    for (sink, content) in sinks {
        let content = String::from_utf8_lossy(&content).into_owned();
        for key in plaintext() {
            let secret = key.split('_').nth(2).unwrap_or(&key).to_owned();
            assert!(!content.contains(&key) && !content.contains(&secret), "{} has {key}", sink.display());
        }
        let mode = fs::metadata(&sink).map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
        assert_eq!(mode, 0o600, "{}", sink.display());
    }
}

#[tokio::test]
async fn an_entry_that_is_wrong_is_named_by_its_place_and_nothing_is_made() {
    let folder = KeyFolder::new();
    let list = folder.0.path().join("list");
    fs::write(&list, "[{\"key\":\"s3cr3tKey\",\"user_id\":\"u\"},\n{\"s3cr3tKey\":1}]").expect("a file");
    let ended = folder.keys(&["import", "--from", list.to_str().expect("text")]).await;
    assert!(ended.code == Some(1) && ended.stdout.is_empty(), "{ended:?}");
    assert!(ended.stderr.contains("entry 1 has no expires_at") && ended.stderr.contains("entry 2 has"), "{ended:?}");
    assert!(!ended.stderr.contains("s3cr3tKey"), "{ended:?}");
    assert!(!folder.key_file().exists() && !folder.pepper_file().exists());
    let ended = folder.keys(&["import", "--from", "/nowhere/list"]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("--from /nowhere/list"), "{ended:?}");
}

#[tokio::test]
async fn the_life_of_a_key_is_in_the_list() {
    let folder = KeyFolder::new();
    let user =
        ["--user", "bob", "--scope", "read", "--scope", "write", "--aud", "orders", "--email", "bob@example.com"];
    let old = folder.new_key(&[&["add", "--prefix", "acme", "--group", "ops, europe"], &user[..]].concat()).await;
    assert!(old.starts_with("acme_"), "{old}");
    assert_eq!(folder.state(&old).await, "active");
    let new = folder.new_key(&["rotate", id(&old), "--grace", "2099-01-01T00:00:00Z"]).await;
    assert_eq!(folder.state(&old).await, "replaced, good until 2099-01-01T00:00:00Z");
    let records = folder.list().await;
    let [old_record, new_record] = [&old, &new].map(|key| records.iter().find(|record| record["id"] == id(key)));
    let (old_record, new_record) = (old_record.expect("it is there"), new_record.expect("it is there"));
    assert_eq!((&old_record["replaced_by"], &old_record["ends"]), (&json!(id(&new)), &json!("2099-01-01T00:00:00Z")));
    for right in ["user_id", "scopes", "aud", "email", "groups"] {
        assert!(!old_record[right].is_null() && old_record[right] == new_record[right], "{right}");
    }
    for (arguments, said) in [
        (&["rotate", id(&old), "--grace", "1d"][..], "was replaced by"),
        (&["rotate", "nobody", "--grace", "1d"], "no key of this id"),
        (&["rotate", id(&new), "--grace", "soon"], "write 2030-01-01T00:00:00Z"),
        (&["revoke", &new], "no key of this id"),
        (&["add", "--user", "u", "--prefix", "A"], "2 to 16 lower-case letters"),
        (&["add", "--user", "u", "--scope", "a b"], "--scope of its own"),
        (&["add", "--user", "u\n"], "give another"),
        (&["add", "--user", "u", "--expires", "2001-01-01T00:00:00Z"], "let it end later"),
    ] {
        let ended = folder.keys(arguments).await;
        assert!(ended.code == Some(1) && ended.stderr.contains(said) && ended.stdout.is_empty(), "{said}: {ended:?}");
        assert!(!ended.stderr.contains(&new), "{ended:?}");
    }
    for (time, state) in
        [(&["--at", "2098-01-01T00:00:00Z"][..], "active, revoked from 2098-01-01T00:00:00Z"), (&[], "revoked")]
    {
        let ended = folder.keys(&[&["revoke", id(&new)], time].concat()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(folder.state(&new).await, state);
    }
    let past = folder.new_key(&["add", "--user", "u", "--not-before", "2000-01-01T00:00:00Z", "--expires", "9d"]).await;
    assert_eq!(folder.state(&past).await, "active");
    let future = folder.new_key(&["add", "--user", "u", "--not-before", "1d"]).await;
    assert_eq!(folder.state(&future).await, "not yet");
    let table = folder.keys(&["list"]).await.stdout;
    assert!(table.lines().count() == 5 && table.starts_with("ID "), "{table}");
}

#[tokio::test]
async fn the_files_can_be_named_by_the_configuration() {
    let folder = KeyFolder::new();
    let config = folder.0.path().join("config.toml");
    fs::write(&config, folder.config()).expect("a file");
    let command = |verb: &str| {
        let mut command = Command::new(BINARY);
        command.args(["keys", verb, "--config"]).arg(&config);
        command
    };
    let mut add = command("add");
    add.args(["--user", "bob"]);
    let ended = finished(add).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = finished(command("list")).await;
    assert!(ended.code == Some(0) && ended.stdout.contains("bob"), "{ended:?}");
    fs::write(&config, "legacy.url = \"http://127.0.0.1:1\"\n").expect("a file");
    let ended = finished(command("list")).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("error: auth.keys: is missing"), "{ended:?}");
}

#[tokio::test]
async fn a_torn_or_altered_file_is_refused_and_left_alone() {
    let folder = KeyFolder::legacy().await;
    let whole = fs::read_to_string(folder.key_file()).expect("a file");
    for torn in [whole[..whole.len() / 2].to_owned(), whole.replace("user_456", "user_123"), String::new()] {
        fs::write(folder.key_file(), &torn).expect("a file");
        for arguments in [&["list"][..], &["add", "--user", "u"], &["revoke", "x"]] {
            let ended = folder.keys(arguments).await;
            assert!(ended.code == Some(1) && ended.stdout.is_empty(), "{ended:?}");
            assert!(ended.stderr.contains("keys.db.json") && ended.stderr.contains("; "), "{ended:?}");
        }
        let ended = check(&folder).await;
        assert!(ended.code == Some(1) && ended.stderr.contains("keys.db.json"), "{ended:?}");
        assert_eq!(fs::read_to_string(folder.key_file()).expect("it is there"), torn);
    }
    fs::write(folder.key_file(), whole).expect("a file");
    let lost = folder.0.path().join("elsewhere");
    fs::rename(folder.pepper_file(), &lost).expect("it is there");
    let ended = folder.keys(&["add", "--user", "u"]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("restore it"), "{ended:?}");
    assert!(!folder.pepper_file().exists(), "another pepper would lose every key");
    fs::rename(lost, folder.pepper_file()).expect("it is there");
    assert_eq!(folder.keys(&["add", "--user", "u"]).await.code, Some(0));
}

#[tokio::test]
async fn peppers_that_others_can_read_are_refused() {
    let folder = KeyFolder::legacy().await;
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644] {
        fs::set_permissions(folder.pepper_file(), fs::Permissions::from_mode(mode)).expect("it is ours");
        for ended in [folder.keys(&["add", "--user", "u"]).await, check(&folder).await] {
            assert!(ended.code == Some(1) && ended.stderr.contains("run `chmod 600 "), "{mode:o}: {ended:?}");
        }
    }
}

#[tokio::test]
async fn of_many_commands_at_once_each_is_kept() {
    const ADDS: usize = 12;
    let folder = KeyFolder::new();
    let adds = (0..ADDS).map(|number| {
        let mut command = folder.command(&["add"]);
        command.args(["--user", &format!("user_{number}")]);
        tokio::spawn(finished(command))
    });
    let mut keys = Vec::new();
    for add in adds.collect::<Vec<_>>() {
        let ended = add.await.expect("it does not panic");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        keys.push(ended.stdout.trim_end().to_owned());
    }
    let records = folder.list().await;
    assert_eq!(records.len(), ADDS);
    assert!(keys.iter().all(|key| records.iter().any(|record| record["id"] == id(key))));
}

#[tokio::test]
async fn a_command_that_is_killed_at_any_moment_leaves_a_good_file() {
    const ROUNDS: u32 = 60;
    let folder = KeyFolder::legacy().await;
    let start = std::time::Instant::now();
    folder.new_key(&["add", "--user", "u"]).await;
    let mut whole = start.elapsed();
    let (mut shown, mut killed) = (1, 0);
    for round in 0..ROUNDS {
        let mut command = folder.command(&["add", "--user", "u"]);
        let start = std::time::Instant::now();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        // The moment is what is tried out, to a quarter past the end; one that ends first tells how long it takes now.
        if tokio::time::timeout(whole * round * 5 / (ROUNDS * 4), child.wait()).await.is_ok() {
            whole = whole.min(start.elapsed());
        }
        let _ = child.start_kill();
        let output = within("its end", child.wait_with_output()).await.expect("it is our child");
        killed += u32::from(!output.status.success());
        let key = String::from_utf8(output.stdout).expect("text");
        let records = folder.list().await;
        if key.ends_with('\n') {
            shown += 1;
            assert!(records.iter().any(|record| record["id"] == id(&key)), "a key that was shown is lost");
        }
        assert!(records.len() >= 10 + shown, "{} records, {shown} keys were shown", records.len());
    }
    assert!(killed > ROUNDS / 4, "{killed} of {ROUNDS}");
    folder.new_key(&["add", "--user", "u"]).await;
    let left: Vec<PathBuf> = contents(folder.0.path()).into_iter().map(|(file, _)| file).collect();
    assert_eq!(left.len(), 3, "nothing half written is left: {left:?}");
}

#[tokio::test]
async fn a_running_proxy_takes_changed_files_and_keeps_good_keys_when_they_are_not() {
    let folder = KeyFolder::legacy().await;
    let proxy = World::new().candidate(Candidate::hostile()).config(&folder.config()).start().await;
    let status = proxy.status().await;
    assert_eq!((&status["keys"]["records"], &status["keys"]["weak"]), (&json!(10), &json!(4)), "{status:#}");
    assert_eq!(status["keys"]["refused"], Value::Null);
    folder.new_key(&["add", "--user", "u"]).await;
    proxy.until("the new key", |status| status["keys"]["records"] == 11).await;
    assert_eq!(proxy.admin_get("/readyz").await.json(), json!({"status": "ready", "keys": "current"}));

    let whole = fs::read(folder.key_file()).expect("a file");
    fs::write(folder.key_file(), &whole[..whole.len() - 9]).expect("a file");
    let status = proxy.until("the refusal", |status| status["keys"]["refused"].is_string()).await;
    assert_eq!(status["keys"]["records"], 11, "the keys stay in force");
    let reason = status["keys"]["refused"].as_str().expect("text");
    assert!(reason.contains("keys.db.json") && reason.contains("put a backup in its place"), "{reason}");
    let ready = proxy.admin_get("/readyz").await;
    assert_eq!((ready.status(), ready.json()), (200, json!({"status": "ready", "keys": "stale"})));
    let metrics = proxy.admin_get("/metrics").await.text();
    for line in [
        "shadow_proxy_keys 11",
        "shadow_proxy_keys_weak 4",
        "shadow_proxy_keys_stale 1",
        "shadow_proxy_key_sets_loaded_total 1",
    ] {
        assert!(metrics.lines().any(|said| said == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("shadow_proxy_key_sets_refused_total "), "{metrics}");
    let mut command = Command::new(BINARY);
    command.args(["status", "--admin", &proxy.admin.to_string()]);
    let shown = finished(command).await.stdout;
    assert!(shown.contains("11 in force, 4 of them weak") && shown.contains("NEWER ONES ARE REFUSED"), "{shown}");

    for gone in [folder.key_file(), folder.pepper_file()] {
        let kept = fs::read(&gone).expect("a file");
        fs::remove_file(&gone).expect("it is there");
        let named = gone.file_name().expect("a name").to_string_lossy().into_owned();
        let names = |status: &Value| status["keys"]["refused"].as_str().is_some_and(|why| why.contains(&named));
        let status = proxy.until("the refusal", names).await;
        assert_eq!(status["keys"]["records"], 11, "an error never empties the set");
        fs::write(&gone, if named.starts_with("keys") { &whole } else { &kept }).expect("a file");
        fs::set_permissions(&gone, fs::Permissions::from_mode(0o600)).expect("it is ours");
        proxy.until("the files to be good again", |status| status["keys"]["refused"].is_null()).await;
    }
    assert!(proxy.process.said().contains("what was read before stays in force"));
}

#[tokio::test]
async fn keys_for_development_are_warned_of_where_others_can_reach_them() {
    let folder = KeyFolder::legacy().await;
    let config = folder.0.path().join("config.toml");
    fs::write(&config, folder.config()).expect("a file");
    // For documentation alone (RFC 5737), so nobody is let in: the address cannot be listened on.
    let serve = |arguments: Vec<String>| {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "192.0.2.1:0"]).args(arguments);
        command
    };
    let own = vec!["--config".to_owned(), config.display().to_string()];
    let given = vec!["--component".to_owned(), crate::world::hostile_guest().display().to_string()];
    for (arguments, log, warned) in
        [(Vec::new(), "warn", true), (Vec::new(), "off", true), (own, "warn", false), (given, "warn", false)]
    {
        let mut command = serve(arguments);
        command.env("RUST_LOG", log).args(["--compiled", COMPILED]);
        let ended = finished(command).await;
        assert!(ended.code == Some(1), "{ended:?}");
        assert_eq!(ended.stderr.contains("anybody gets in with them; name your own under [auth]"), warned, "{ended:?}");
    }
}

/// `check` of a configuration with these files.
async fn check(folder: &KeyFolder) -> Ended {
    let config = folder.0.path().join("config.toml");
    fs::write(&config, format!("legacy.url = \"http://127.0.0.1:1\"\n{}", folder.config())).expect("a file");
    let mut command = Command::new(BINARY);
    command.args(["check", "--config"]).arg(&config);
    let ended = finished(command).await;
    fs::remove_file(config).expect("it is there");
    ended
}

#[tokio::test]
async fn a_component_sees_the_buckets_of_its_configuration_and_can_write_none() {
    let folder = KeyFolder::legacy().await;
    let alone = serve(&folder, "candidate.instances = \"reuse=1000\"\n", &["--component", hostile()]).await;
    for draft in ["draft", "draft2"] {
        let ask = async |path: &str| asked(&alone, &format!("/bucket/{draft}/{path}")).await;
        let settings: Value = serde_json::from_str(&ask("get/auth-settings/settings").await).expect("JSON");
        assert_eq!((&settings["v"], &settings["tokens"], &settings["parity"]), (&json!(1), &json!([]), &json!([])));
        let peppers: Value = serde_json::from_slice(&fs::read(folder.pepper_file()).expect("a file")).expect("JSON");
        assert_eq!(settings["peppers"], peppers["peppers"]);
        let record: Value = serde_json::from_str(&ask("get/auth-keys/mD8ArZUn4FifhC2a").await).expect("JSON");
        assert_eq!((&record["user_id"], &record["id"]), (&json!("user_rotating"), &json!("mD8ArZUn4FifhC2a")));
        let names = ask("list/auth-keys").await;
        let listed = folder.list().await;
        assert_eq!(
            names.lines().collect::<Vec<_>>(),
            listed.iter().map(|r| r["id"].as_str().expect("text")).collect::<Vec<_>>()
        );
        for (path, said) in [
            ("get/auth-settings/jwks-1", "Ok(None)"),
            ("get/auth-keys/mD8ArZUn4FifhC2", "Ok(None)"),
            ("exists/auth-keys/mD8ArZUn4FifhC2a", "Ok(true)"),
            ("exists/auth-keys/MD8ARZUN4FIFHC2A", "Ok(false)"),
            ("get/default/a", "Error::NoSuchStore"),
            ("get//a", "Error::NoSuchStore"),
            ("set/auth-keys/mD8ArZUn4FifhC2a", "Err(Error::AccessDenied)"),
            ("set/auth-keys/new", "Err(Error::AccessDenied)"),
            ("delete/auth-keys/mD8ArZUn4FifhC2a", "Err(Error::AccessDenied)"),
            ("set/auth-settings/settings", "Err(Error::AccessDenied)"),
        ] {
            assert_eq!(ask(path).await, said, "{draft} {path}");
        }
        let hoarded = ask("hoard/auth-keys").await;
        let number: usize = hoarded.split(' ').next().expect("a number").parse().expect("a number");
        assert!((100..256).contains(&number), "{hoarded}");
    }
}

#[tokio::test]
async fn what_a_component_writes_while_it_is_tried_is_for_that_run_alone() {
    let folder = KeyFolder::legacy().await;
    let files = || [folder.key_file(), folder.pepper_file()].map(|file| fs::read(file).expect("a file"));
    let before = files();
    let record = "auth-keys/mD8ArZUn4FifhC2a";
    for _ in 0..2 {
        let world = World::new().candidate(Candidate::hostile()).config(&folder.config()).weight(1_000_000);
        let proxy = world.start().await;
        let ask = async |path: &str| proxy.ask(get(&format!("/bucket/{path}"))).await.text();
        let of_file = ask(&format!("draft/get/{record}")).await;
        assert!(of_file.contains("user_rotating"), "a run before this one left nothing: {of_file}");
        for (draft, other) in [("draft", "draft2"), ("draft2", "draft")] {
            for (path, said) in [
                ("exists/auth-keys/new", "Ok(false)"),
                ("set/auth-keys/new", "Ok(())"),
                (&format!("set/{record}"), "Ok(())"),
            ] {
                assert_eq!(ask(&format!("{draft}/{path}")).await, said, "{draft} {path}");
            }
            assert_eq!(ask(&format!("{other}/get/auth-keys/new")).await, "mine");
            assert_eq!(ask(&format!("{other}/get/{record}")).await, "mine");
            let names = ask(&format!("{other}/list/auth-keys")).await;
            assert!(names.lines().any(|name| name == "new") && names.contains("mD8ArZUn4FifhC2a"), "{names}");
            for name in ["auth-keys/new", record] {
                assert_eq!(ask(&format!("{draft}/delete/{name}")).await, "Ok(())");
                assert_eq!(ask(&format!("{other}/exists/{name}")).await, "Ok(false)");
            }
        }
        let long = format!("draft/set/auth-keys/{}", "n".repeat(300));
        assert!(ask(&long).await.starts_with("Err(Error::Other(\"names have at most 256 bytes"));
        let metrics = proxy.admin_get("/metrics").await.text();
        assert!(metrics.contains("shadow_proxy_overlay_writes_refused_total 1\n"), "{metrics}");
        proxy.settled().await;
        assert_eq!(files(), before, "byte for byte");
    }
}

#[tokio::test]
async fn without_a_configuration_there_is_no_bucket() {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--component", hostile(), "--compiled", COMPILED]);
    let alone = Process::start(command).await.expect("it starts");
    for draft in ["draft", "draft2"] {
        for bucket in ["auth-keys", "auth-settings", "default", ""] {
            let said = asked(&alone, &format!("/bucket/{draft}/get/{bucket}/settings")).await;
            assert_eq!(said, "Error::NoSuchStore", "{draft} {bucket}");
        }
    }
}

#[tokio::test]
async fn every_call_sees_the_keys_in_force_even_of_an_instance_that_keeps_a_bucket() {
    let folder = KeyFolder::legacy().await;
    let alone =
        serve(&folder, "threads = 1\ncandidate.instances = \"reuse=1000\"\n", &["--component", hostile()]).await;
    for draft in ["draft", "draft2"] {
        assert_eq!(asked(&alone, &format!("/bucket/{draft}/keep/auth-keys")).await, "kept");
        let key = folder.new_key(&["add", "--user", "u"]).await;
        let exists = format!("/bucket/{draft}/exists/auth-keys/{}", id(&key));
        let reached = async {
            while asked(&alone, &exists).await != "Ok(true)" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within("the new key", reached).await;
    }
}

/// A component alone, with the keys of a folder; `more` is TOML before the first table.
pub(crate) async fn serve(folder: &KeyFolder, more: &str, arguments: &[&str]) -> Process {
    let config = folder.0.path().join("config.toml");
    fs::write(&config, format!("{more}{}", folder.config())).expect("a file");
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config).args(arguments);
    command.args(["--compiled", COMPILED]);
    let started = Process::start(command).await;
    started.unwrap_or_else(|ended| panic!("serve does not start: {ended:?}"))
}

pub(crate) fn hostile() -> &'static str {
    static PATH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PATH.get_or_init(|| crate::world::hostile_guest().display().to_string())
}

async fn asked(serve: &Process, path: &str) -> String {
    Wire::connect(serve.address("listen")).await.ask(get(path)).await.text()
}
