//! Nothing secret leaves the process (invariant 4): every position a secret can be in, every sink there is.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;
use tokio::process::Command;

use crate::contract::encoded;
use crate::keys::KeyFolder;
use crate::process::finished;
use crate::scripted::Reply;
use crate::wire::{get, latin1, within};
use crate::world::{BINARY, Candidate, Legacy, Proxy, World, count};

const TRACE: &str = "trace";

#[tokio::test]
async fn no_secret_of_a_client_or_of_either_side_reaches_any_sink() {
    let mut canaries = Canaries::default();
    let (legacy, candidate) = (answers(&mut canaries, "legacy"), answers(&mut canaries, "candidate"));
    let world = World::new().legacy(Legacy::scripted(legacy)).candidate(Candidate::scripted(candidate));
    // In the folder that is searched.
    let capture = world.data_folder().join("captured");
    let config = format!("capture.dir = {capture:?}\nrecord.keep_match_every = 1");
    let proxy = world.log(TRACE).config(&config).start().await;
    let requests = requests(&mut canaries);
    for request in &requests {
        let _ = proxy.connect().await.ask(request).await;
    }
    misbehave(&proxy, &mut canaries).await;
    let compared = count(&proxy.settled().await["requests"]["compared"]);
    assert!(compared >= requests.len() as u64, "{compared} of {}", requests.len());
    let captured = async {
        let lines = || std::fs::read_to_string(&crate::capture::files(&capture)[0]).expect("a capture").lines().count();
        while (lines() as u64) <= compared {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    within("the capture to be written", captured).await;
    let replayed = tempfile::tempdir().expect("a folder");
    let (legacy, candidate) = (proxy.legacy().url(), proxy.candidate().url());
    let data = replayed.path().to_str().expect("text");
    let replay = async |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.arg("replay").args(arguments).args([
            "--legacy",
            &legacy,
            "--candidate-url",
            &candidate,
            "--data",
            data,
        ]);
        let ended = finished(command).await;
        assert!(matches!(ended.code, Some(0..=2)), "{arguments:?} {ended:?}");
        canaries.assert_absent(&format!("replay {arguments:?}"), (ended.stdout + &ended.stderr).as_bytes());
        canaries.assert_absent_in(replayed.path());
    };
    replay(&[capture.to_str().expect("text")]).await;
    let mut list = Command::new(BINARY);
    list.args(["diffs", "list", "--json", "--data", data]);
    let findings: serde_json::Value = serde_json::from_str(&finished(list).await.stdout).expect("JSON");
    let sendable = |finding: &&serde_json::Value| !finding["endpoint"].as_str().expect("text").starts_with("OTHER");
    for finding in findings.as_array().expect("a list").iter().filter(sendable).take(5) {
        replay(&["--id", &finding["id"].to_string()]).await;
    }
    search(proxy, &canaries).await;
}

#[tokio::test]
async fn no_secret_reaches_any_sink_by_way_of_a_component() {
    for weight in [0, 1_000_000] {
        let mut canaries = Canaries::default();
        let legacy = answers(&mut canaries, "legacy");
        let world = World::new().legacy(Legacy::scripted(legacy)).candidate(Candidate::hostile()).weight(weight);
        let config = format!("record.keep_match_every = 1\n{ALL_SAFE}");
        let proxy = world.log(TRACE).config(&config).start().await;
        for verb in ["/echo", "/trap", "/silent", "/abort", "/grow", "/else"] {
            let (value, name, other) = (canaries.plant("header"), canaries.plant("query"), canaries.plant("body"));
            let request = format!(
                "POST {verb}?{name}={name} HTTP/1.1\r\nHost: {value}.example\r\nAuthorization: Bearer {value}\r\n\
                 X-{value}: {value}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{{\"{other}\":\"{other}\"}}",
                2 * other.len() + 7
            );
            proxy.ask(request).await;
        }
        proxy.settled().await;
        search(proxy, &canaries).await;
    }
}

/// Mirrored and compared, whoever serves.
const ALL_SAFE: &str = "[[routes]]\npath = \"/*\"\nclass = \"safe\"\n";

/// What stands in the files of keys, and the keys themselves: also while a file is refused.
#[tokio::test]
async fn no_secret_of_the_key_store_reaches_any_sink() {
    let folder = KeyFolder::new();
    let good = folder.new_key(&["add", "--user", "u", "--scope", "read"]).await;
    let revoked = folder.new_key(&["add", "--user", "u"]).await;
    let id = revoked.split('_').nth(1).expect("a key has four parts");
    assert_eq!(folder.keys(&["revoke", id]).await.code, Some(0));
    let mut canaries = Canaries::default();
    for key in [&good, &revoked] {
        canaries.know("a key", key);
        canaries.know("the secret of a key", key.split('_').nth(2).expect("a key has four parts"));
    }
    let peppers: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.pepper_file()).expect("a file")).expect("JSON");
    canaries.know("a pepper", peppers["peppers"][0]["secret"].as_str().expect("text"));
    let whole = std::fs::read_to_string(folder.key_file()).expect("a file");
    for line in whole.lines().skip(1) {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        canaries.know("a hash", record["hash"].as_str().expect("text"));
    }
    let legacy = answers(&mut canaries, "legacy");
    let world = World::new().legacy(Legacy::scripted(legacy)).candidate(Candidate::hostile()).weight(500_000);
    let config = format!("record.keep_match_every = 1\n{}\n{ALL_SAFE}", folder.config());
    let proxy = world.log(TRACE).config(&config).start().await;
    let ask = async |proxy: &Proxy| {
        for (key, path) in [(&good, "/echo"), (&revoked, "/echo"), (&good, "/else"), (&revoked, "/trap")] {
            let request =
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Length: 0\r\n\r\n");
            proxy.ask(request).await;
        }
    };
    ask(&proxy).await;
    let is_refused = |status: &serde_json::Value| status["keys"]["refused"].is_string();
    for (file, bad) in [
        (folder.key_file(), whole.replace("\"v\":1", "\"v\":2")),
        (folder.key_file(), whole.replacen("\"sha256\"", "\"sha1\"", 1)),
        (folder.pepper_file(), peppers.to_string().replace("\"name\"", "\"nam\"")),
    ] {
        let kept = std::fs::read(&file).expect("a file");
        std::fs::write(&file, bad).expect("a file");
        proxy.until("the refusal", is_refused).await;
        ask(&proxy).await;
        std::fs::write(&file, kept).expect("a file");
        proxy.until("the files to be good again", |status| !is_refused(status)).await;
    }
    search(proxy, &canaries).await;
}

#[test]
fn the_search_finds_every_form() {
    let mut canaries = Canaries::default();
    let secret = canaries.plant("a test");
    for form in forms(&secret) {
        let content = format!("before {form} after").into_bytes();
        assert!(std::panic::catch_unwind(|| canaries.assert_absent("a test", &content)).is_err(), "{form}");
    }
    for before in ["", "u", "user:", "a:longer:one:"] {
        let basic = encoded(format!("{before}{secret}x").as_bytes());
        assert!(forms(&secret).iter().any(|form| basic.contains(form)), "{before}");
    }
    canaries.assert_absent("a test", b"nothing");
}

/// A signed token: a claim of each side's own in a part that everybody can read.
fn token(name: &str, value: &str) -> String {
    let part = |text: &str| encoded(text.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_");
    let claims = format!("{{\"iat\":1,\"sub\":\"{value}\",\"{name}\":[\"{value}\"]}}");
    format!("{}.{}.{}", part("{\"alg\":\"HS256\"}"), part(&claims), part(value))
}

/// One request for each position.
fn requests(canaries: &mut Canaries) -> Vec<Vec<u8>> {
    let head =
        |headers: &str| format!("POST /auth/validate HTTP/1.1\r\nHost: a\r\n{headers}\r\nContent-Length: 0\r\n\r\n");
    let with_body = |content_type: &str, body: &str| {
        let length = body.len();
        format!(
            "POST /auth/validate HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let mut new = |what: &str| canaries.plant(what);
    let basic = |secret: &str| format!("Authorization: Basic {}", encoded(format!("user:{secret}").as_bytes()));
    let requests = [
        head(&format!("Authorization: Bearer {}", new("bearer"))),
        head(&format!("authorization: {}", new("credential without a scheme"))),
        head(&format!("Authorization: Bearer {}", token(&new("claim's name"), &new("claim")))),
        head(&format!("Authorization: {} x", new("scheme"))),
        head(&format!("Authorization: Digest username=\"u\", response=\"{}\"", new("digest"))),
        head(&basic(&new("basic"))),
        head(&format!("Cookie: sid={}; {}=1; theme=dark", new("cookie"), new("cookie name"))),
        head(&format!("X-Api-Key: {}", new("api key"))),
        head(&format!("X-{}: {}", new("header name"), new("header value"))),
        head(&format!("Accept: text/{}\r\nUser-Agent: {}", new("accept"), new("user agent"))),
        head(&format!("Referer: https://a.example/{}", new("referer"))),
        head(&format!("If-None-Match: \"{}\"", new("condition"))),
        head(&format!("X-Forwarded-For: {}", new("forwarded"))),
        get(&format!("/auth/validate?{}={}", new("query name"), new("query value"))),
        get(&format!("/auth/validate?token={}&{}", new("query token"), new("query flag"))),
        get(&format!("/users/{}/keys", new("path segment"))),
        get(&format!("/auth/validate/..;{}", new("path parameter"))),
        get(&format!("http://{}:{}@a.example/", new("user of a target"), new("password of a target"))),
        format!("GET / HTTP/1.1\r\nHost: {}.example\r\n\r\n", new("host")),
        format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", new("method")),
        with_body(
            "application/x-www-form-urlencoded",
            &format!("{}={}&password={}", new("field name"), new("field"), new("password field")),
        ),
        with_body(
            "application/json",
            &format!("{{\"{}\":\"{}\",\"token\":[\"{}\"]}}", new("JSON key"), new("JSON value"), new("JSON token")),
        ),
        with_body("application/json", &format!("{{\"broken\":\"{}", new("broken JSON"))),
        with_body("text/plain", &format!("the password is {}", new("text"))),
        with_body(
            &format!("multipart/form-data; boundary={}", new("boundary")),
            &format!("--b\r\n\r\n{}\r\n--b--\r\n", new("part")),
        ),
        with_body("application/octet-stream", &format!("\u{0}\u{1}{}", new("bytes"))),
        with_body("text/plain", &encoded(format!("{}:x", new("encoded text")).as_bytes())),
    ];
    requests.iter().map(|request| latin1(request)).collect()
}

/// A service whose answers are full of secrets of its own.
fn answers(canaries: &mut Canaries, side: &str) -> impl Fn(&crate::wire::Message) -> Reply + Send + Sync + 'static {
    let mut new = |what: &str| canaries.plant(&format!("{what} of {side}"));
    let headers = format!(
        "Set-Cookie: session={}; Path=/{}\r\nSet-Cookie: {}=1\r\nLocation: https://a.example/{}?next={}\r\nETag: W/\"{}\"\r\n\
         WWW-Authenticate: Bearer realm=\"{}\"\r\nX-{}: {}\r\nServer: {}\r\nDate: {}\r\nX-Request-Id: {}\r\n",
        new("cookie"),
        new("cookie path"),
        new("cookie name"),
        new("location"),
        new("location query"),
        new("etag"),
        new("realm"),
        new("header name"),
        new("header value"),
        new("server"),
        new("date"),
        new("request id"),
    );
    let json = format!(
        "{{\"valid\":true,\"user_id\":\"{}\",\"{}\":{{\"access_token\":\"{}\"}},\"id_token\":\"{}\",\"expires_at\":null}}",
        new("JSON value"),
        new("JSON key"),
        new("JSON token"),
        token(&new("claim's name"), &new("claim")),
    );
    let html = format!("<!DOCTYPE html>\n<title>Error</title><pre>Cannot GET /{}</pre>\n", new("HTML"));
    let (reason, text) = (new("reason phrase"), new("text"));
    move |request| {
        let (status, content_type, body) = match request.start.len() % 4 {
            0 => ("200", "text/html", html.as_str()),
            1 => ("401", "text/plain", text.as_str()),
            _ => ("200", "application/json", json.as_str()),
        };
        let length = body.len();
        Reply::bytes(format!(
            "HTTP/1.1 {status} {reason}\r\n{headers}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

/// What ends in an error somewhere, which somebody might log.
async fn misbehave(proxy: &Proxy, canaries: &mut Canaries) {
    let secret = canaries.plant("a request that is refused");
    for request in [
        format!("GET /<{secret}> HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX {secret}: 1\r\n\r\n"),
        format!("GET / HTTP/9.9{secret}\r\n\r\n"),
        format!("CONNECT {secret}.example:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let mut wire = proxy.connect().await;
        let _ = wire.try_send(request.as_bytes()).await;
        wire.try_answer().await;
    }
    let secret = canaries.plant("a request that is broken off");
    let mut wire = proxy.connect().await;
    wire.send(format!("POST /{secret} HTTP/1.1\r\nHost: {secret}\r\nContent-Length: 100\r\n\r\n{secret}")).await;
    proxy.until("the request", |status| status["requests"]["serving"] == 1).await;
    drop(wire);
    proxy.settled().await;
    let secret = canaries.plant("a command");
    for (path, body) in [
        ("/api/weight", format!("{{\"ppm\":\"{secret}\"}}")),
        (&format!("/api/diffs/{secret}"), "{}".to_owned()),
        (&format!("/{secret}"), "{}".to_owned()),
    ] {
        let headers = format!("Authorization: Bearer {secret}\r\n");
        let request = proxy.admin_request(path, &headers, &body);
        crate::wire::Wire::connect(proxy.admin).await.ask(request).await;
    }
}

/// Looks through everything that the proxy shows, keeps and says, while it runs and after it ended.
async fn search(mut proxy: Proxy, canaries: &Canaries) {
    let compared = count(&proxy.settled().await["requests"]["compared"]);
    let written = async {
        while proxy.stored("SELECT coalesce(sum(pairs), 0) FROM endpoints") < compared {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    within("the records to be written", written).await;
    for path in PAGES {
        canaries.assert_absent(path, &proxy.admin_get(path).await.raw);
    }
    let findings = proxy.admin_get("/api/diffs").await.json();
    let findings = findings.as_array().expect("a list");
    assert!(!findings.is_empty());
    for finding in findings {
        let path = format!("/api/diffs/{}", finding["id"]);
        let answer = proxy.admin_get(&path).await;
        assert_eq!(answer.status(), 200);
        canaries.assert_absent(&path, &answer.raw);
    }
    for arguments in COMMANDS {
        let ended = proxy.command(arguments).await;
        assert!(matches!(ended.code, Some(0..=2)), "{arguments:?} {ended:?}");
        canaries.assert_absent(&format!("{arguments:?}"), (ended.stdout + &ended.stderr).as_bytes());
    }
    for finding in findings {
        let id = finding["id"].to_string();
        let ended = proxy.command(&["diffs", "accept", &id, "--who", "ops", "--why", "a test"]).await;
        canaries.assert_absent("diffs accept", (ended.stdout + &ended.stderr).as_bytes());
    }
    canaries.assert_absent_in(&proxy.data_folder());
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    canaries.assert_absent_in(&proxy.data_folder());
    let stored = stored(&proxy.data_folder());
    assert!(stored.len() > 1_000, "nothing was stored: {stored}");
    canaries.assert_absent("the store", stored.as_bytes());
    let merged = tempfile::tempdir().expect("a folder");
    let ended = proxy
        .command_on_data(&[
            "diffs",
            "merge",
            proxy.data_folder().to_str().expect("text"),
            "--out",
            merged.path().to_str().expect("text"),
        ])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    canaries.assert_absent("diffs merge", (ended.stdout + &ended.stderr).as_bytes());
    canaries.assert_absent_in(merged.path());
    let said = proxy.process.said();
    canaries.assert_absent("stderr", said.as_bytes());
}

const PAGES: [&str; 8] = [
    "/",
    "/metrics",
    "/api/status",
    "/api/diffs",
    "/api/diffs?samples=all",
    "/api/endpoints",
    "/api/gate",
    "/api/rules",
];

/// All that show something of findings.
const COMMANDS: [&[&str]; 13] = [
    &["status"],
    &["status", "--json"],
    &["gate"],
    &["gate", "--json"],
    &["diffs"],
    &["diffs", "list", "--all"],
    &["diffs", "rules"],
    &["diffs", "show", "1"],
    &["diffs", "curl", "1"],
    &["diffs", "export", "--format", "json"],
    &["diffs", "export", "--format", "junit"],
    &["diffs", "export", "--format", "sarif"],
    &["diffs", "export", "--format", "har"],
];

/// Every value of every table.
fn stored(data: &Path) -> String {
    let store = Connection::open_with_flags(data.join("shadow.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a store");
    let mut names = store.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("SQL");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).expect("SQL").collect::<Result<_, _>>().expect("names");
    let mut text = String::new();
    for name in names {
        let mut table = store.prepare(&format!("SELECT * FROM {name}")).expect("SQL");
        let columns = table.column_count();
        let mut rows = table.query([]).expect("SQL");
        while let Some(row) = rows.next().expect("a row") {
            for column in 0..columns {
                if let ValueRef::Text(value) = row.get_ref(column).expect("a column") {
                    text.push_str(&String::from_utf8_lossy(value));
                    text.push('\n');
                }
            }
        }
    }
    text
}

/// What all planted secrets begin with, so that a sink without it needs no further search.
const BEGINNING: &str = "Zq7Xk";

/// Secrets with where they are put.
#[derive(Default)]
struct Canaries(Vec<(String, String)>);

impl Canaries {
    /// Letters of both cases and digits, like a real one, and like no other.
    fn plant(&mut self, place: &str) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut random = [0; 20];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).expect("randomness");
        let random = random.iter().map(|&byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        let secret: String = BEGINNING.chars().chain(random).collect();
        self.know(place, &secret);
        secret
    }

    /// A secret that was made elsewhere.
    fn know(&mut self, place: &str, secret: &str) {
        self.0.push((place.to_owned(), secret.to_owned()));
    }

    /// All files of a folder.
    fn assert_absent_in(&self, folder: &Path) {
        let files: Vec<_> =
            std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
        assert!(!files.is_empty());
        for file in files {
            if file.is_dir() {
                self.assert_absent_in(&file);
            } else if let Ok(content) = std::fs::read(&file) {
                self.assert_absent(&file.display().to_string(), &content);
            }
        }
    }

    /// In whatever case: header names lose theirs, and base64 has no two texts that differ only in it by chance.
    fn assert_absent(&self, sink: &str, content: &[u8]) {
        let content = String::from_utf8_lossy(content).to_ascii_lowercase();
        let begin_alike = self.0.iter().all(|(_, secret)| secret.starts_with(BEGINNING));
        if begin_alike && forms(BEGINNING).iter().all(|form| !content.contains(&form.to_ascii_lowercase())) {
            return;
        }
        for (place, secret) in &self.0 {
            for form in forms(secret) {
                if let Some(at) = content.find(&form.to_ascii_lowercase()) {
                    let around: String =
                        content[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
                    panic!("{place}: {sink} has it as {form}, after {around}");
                }
            }
        }
    }
}

/// Plain, percent-encoded, in hex, and in base64 at each of the three positions it can begin at.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let in_base64 = |before: usize| {
        // What shares a digit with its neighbours is left out.
        let whole = encoded(&[vec![b'x'; before], secret.as_bytes().to_vec()].concat());
        let end = whole.trim_end_matches('=').len() - 1;
        whole[(before * 8).div_ceil(6)..end].to_owned()
    };
    vec![secret.to_owned(), percent, hex, in_base64(0), in_base64(1), in_base64(2)]
}
