//! `shadow-proxy serve`: the component without legacy.

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::contract;
use crate::process::{Process, finished};
use crate::wire::{Wire, chunked, get};
use crate::world::{BINARY, COMPILED, hostile_guest};

/// A running `serve`.
struct Alone {
    process: Process,
}

impl Alone {
    async fn start(arguments: &[&str]) -> Alone {
        let arguments = [arguments, &["--compiled", COMPILED]].concat();
        let cache = tempfile::tempdir().expect("a folder");
        let process = Process::start(serve(&cache, &arguments)).await;
        Alone { process: process.unwrap_or_else(|ended| panic!("serve does not start: {ended:?}")) }
    }

    async fn hostile(arguments: &[&str]) -> Alone {
        let guest = hostile_guest();
        let component = ["--component", guest.to_str().expect("text")];
        Alone::start(&[&component, arguments].concat()).await
    }

    async fn connect(&self) -> Wire {
        Wire::connect(self.process.address("listen")).await
    }
}

#[tokio::test]
async fn every_contract_case_is_answered_as_the_api_demands() {
    meets_the_contract(&Alone::start(&[]).await).await;
}

#[tokio::test]
async fn a_reused_instance_answers_every_contract_case_too() {
    meets_the_contract(&Alone::start(&["--instances", "reuse=1000", "--threads", "1"]).await).await;
}

async fn meets_the_contract(alone: &Alone) {
    let cases = contract::cases();
    let raw = contract::raw_cases();
    assert!(cases.len() >= 500 && raw.len() >= 36, "{} and {}", cases.len(), raw.len());
    let mut unmet = Vec::new();
    for case in cases.iter().chain(&raw) {
        let answer = contract::ask(alone.process.address("listen"), case).await;
        unmet.extend(contract::unmet(case, &answer));
    }
    assert!(unmet.is_empty(), "{}", unmet.join("\n"));
}

#[tokio::test]
async fn without_a_configuration_it_says_that_its_keys_are_public() {
    // Said before it is ready, and the log is read as it comes.
    let mut alone = Alone::start(&[]).await;
    alone.process.signal(Signal::TERM);
    alone.process.ended().await;
    assert!(alone.process.said().contains("the keys for development, which are public"), "{}", alone.process.said());
}

#[tokio::test]
async fn a_fresh_instance_knows_nothing_of_the_request_before() {
    let alone = Alone::hostile(&["--instances", "fresh"]).await;
    let mut wire = alone.connect().await;
    for _ in 0..50 {
        assert_eq!(wire.ask(get("/state")).await.text(), "1");
    }
}

#[tokio::test]
async fn a_reused_instance_serves_as_often_as_it_may() {
    let alone = Alone::hostile(&["--instances", "reuse=3"]).await;
    let mut wire = alone.connect().await;
    let mut seen = Vec::new();
    for _ in 0..60 {
        seen.push(wire.ask(get("/state")).await.text());
    }
    // Which instance is next is the host's business; none serves a fourth time.
    for number in ["1", "2", "3"] {
        assert!(seen.iter().filter(|seen| *seen == number).count() >= 10, "{number}: {seen:?}");
    }
    assert!(seen.iter().all(|number| ["1", "2", "3"].contains(&number.as_str())), "{seen:?}");
}

#[tokio::test]
async fn an_instance_that_failed_is_not_used_again() {
    let alone = Alone::hostile(&["--instances", "reuse=1000"]).await;
    let mut wire = alone.connect().await;
    for (path, status) in [("/trap", 500), ("/silent", 500), ("/abort", 500), ("/grow", 500), ("/loop", 504)] {
        let mut number = 0;
        while number < 5 {
            number = wire.ask(get("/state")).await.text().parse().expect("a number");
        }
        let answer = wire.ask(get(path)).await;
        assert_eq!(answer.status(), status, "{path}: {}", answer.text());
        assert_eq!(answer.values("content-type"), ["application/problem+json"]);
        let number: u32 = wire.ask(get("/state")).await.text().parse().expect("a number");
        assert!(number < 5, "{path}: the instance lives on and counts {number}");
    }
}

#[tokio::test]
async fn a_component_that_computes_or_sleeps_does_not_stop_others() {
    let alone = Alone::hostile(&["--threads", "1"]).await;
    let mut stuck = Vec::new();
    for path in ["/loop", "/slow/200"] {
        let mut wire = alone.connect().await;
        wire.send(get(path)).await;
        stuck.push(wire);
    }
    assert_eq!(alone.connect().await.ask(get("/state")).await.text(), "1");
    for (mut wire, status) in stuck.into_iter().zip([504, 200]) {
        assert_eq!(wire.answer().await.status(), status);
    }
}

#[tokio::test]
async fn the_component_sees_the_request_as_it_was_sent() {
    let alone = Alone::hostile(&[]).await;
    let mut wire = alone.connect().await;
    for (method, target) in [("GET", "/echo"), ("PUT", "/echo/../%2e?q=%zz&a|b"), ("PURGE", "/echo//a%2Fb")] {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: a.example\r\nX-B: 2\r\nx-a: 1\r\nX-A: 0\r\nContent-Length: 5\r\n\r\nhello"
        );
        let answer = wire.ask(request).await;
        let text = answer.text();
        assert!(text.starts_with(&format!("{method} {target}\n")), "{text}");
        assert!(text.contains("x-b: 2\n") && text.contains("x-a: 1\nx-a: 0\n"), "{text}");
        assert!(text.ends_with("\nhello"), "{text}");
    }
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "x".repeat(1_000_000);
    let answer = wire.ask([head.as_bytes(), &chunked(body.as_bytes(), 70_000)].concat()).await;
    assert!(answer.complete && answer.text().ends_with(&format!("\n\n{body}")), "{} bytes", answer.body.len());
}

#[tokio::test]
async fn an_odd_host_is_no_reason_to_fail() {
    let alone = Alone::start(&[]).await;
    for host in ["Host: \r\n", "Host: not a host!\r\n", "Host: caf\u{e9}\r\n", "Host: a\r\nHost: b\r\n", ""] {
        for version in ["1.0", "1.1"] {
            let request = format!("GET /healthz HTTP/{version}\r\n{host}\r\n");
            let answer = alone.connect().await.ask(crate::wire::latin1(&request)).await;
            assert_eq!(answer.status(), 200, "{host:?} {}", answer.text());
        }
    }
    for target in ["http://a.example/healthz", "http://a.example:80/healthz?x"] {
        let answer = alone.connect().await.ask(get(target)).await;
        assert_eq!(answer.status(), 200, "{target} {}", answer.text());
    }
    assert_eq!(alone.connect().await.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").await.status(), 404);
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let alone = Alone::hostile(&[]).await;
    let large = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n{}", "x".repeat(3_000_000));
    let mut wire = alone.connect().await;
    let _ = wire.try_send(large.as_bytes()).await;
    if let Some(answer) = wire.try_answer().await {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(alone.connect().await.ask(get("/set-then-write")).await.status(), 500);
    assert_eq!(alone.connect().await.ask(get("/big/2000000")).await.body.len(), 2_000_000);
}

#[tokio::test]
async fn a_signal_lets_requests_in_progress_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut alone = Alone::hostile(&[]).await;
        let address = alone.process.address("listen");
        let mut busy = alone.connect().await;
        busy.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
        // It waits for the body now.
        assert_eq!(busy.answer().await.status(), 100);
        alone.process.signal(signal);
        assert!(busy.ask("hello").await.text().ends_with("\n\nhello"));
        assert_eq!(alone.process.ended().await.code(), Some(0));
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn what_cannot_start_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("text").to_owned()
    };
    let no_component = path("text.wasm", b"no component");
    let core_module = path("core.wasm", b"\0asm\x01\0\0\0");
    // An empty component: the header alone.
    let empty = path("empty.wasm", b"\0asm\x0d\0\x01\0");
    for (arguments, code, said) in [
        (["--component", "/nowhere/a.wasm"], 1, "check the path"),
        (["--component", &no_component], 1, "wasi:http/proxy"),
        (["--component", &core_module], 1, "wasi:http/proxy"),
        (["--component", &empty], 1, "wasi:http/incoming-handler"),
        (["--instances", "reuse=0"], 2, "reuse=1000"),
        (["--threads", "0"], 2, "threads"),
    ] {
        let ended = finished(serve(&folder, &arguments)).await;
        assert!(ended.code == Some(code) && ended.stderr.contains(said), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn a_compiled_component_is_kept_and_a_damaged_one_is_made_again() {
    let cache = tempfile::tempdir().expect("a folder");
    let kept = || {
        let files = std::fs::read_dir(cache.path().join("shadow-proxy")).expect("a cache");
        files.map(|file| file.expect("a file").path()).collect::<Vec<_>>()
    };
    for damage in [None, Some(0), Some(100), None] {
        if let Some(at) = damage {
            let file = kept().pop().expect("the compiled component");
            let mut code = std::fs::read(&file).expect("a file");
            code[at] ^= 1;
            std::fs::write(&file, code).expect("a file");
        }
        let started = Process::start(serve(&cache, &[])).await;
        let process = started.unwrap_or_else(|ended| panic!("{ended:?}"));
        let answer = Wire::connect(process.address("listen")).await.ask(get("/healthz")).await;
        assert_eq!(answer.json(), json!({"status": "ok"}));
        assert_eq!(kept().len(), 1);
    }
}

#[tokio::test]
async fn what_was_compiled_before_is_taken_and_a_first_start_takes_no_more_memory_than_others() {
    let cache = tempfile::tempdir().expect("a folder");
    let folder = |name: &str| cache.path().join(name).to_str().expect("text").to_owned();
    let compile = |component: Vec<String>, out: String| {
        let mut command = Command::new(BINARY);
        command.arg("compile").args(component).args(["--out", &out]);
        finished(command)
    };
    let start = async |compiled: &str| {
        let started = Process::start(serve(&cache, &["--compiled", compiled])).await;
        let mut process = started.unwrap_or_else(|ended| panic!("{ended:?}"));
        let answer = Wire::connect(process.address("listen")).await.ask(get("/healthz")).await;
        assert_eq!(answer.json(), json!({"status": "ok"}));
        let bytes = process.resident_bytes();
        process.signal(Signal::TERM);
        process.ended().await;
        (bytes, process.said().contains("compiling the component"))
    };
    let kept = |name: &str| std::fs::read_dir(folder(name)).expect("a folder").count();

    let ended = compile(Vec::new(), folder("before")).await;
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 3), "one for each kind of keys: {ended:?}");
    assert!(ended.stdout.lines().all(|file| std::path::Path::new(file).is_file()), "{ended:?}");
    let (usual, is_compiled) = start(&folder("before")).await;
    assert!(!is_compiled);
    assert_eq!(kept("before"), 3);
    let (first, is_compiled) = start(&folder("first")).await;
    assert!(is_compiled);
    assert!(first < usual * 3 / 2, "{first} bytes at the first start, {usual} at others");
    assert_eq!((start(&folder("first")).await.1, kept("first")), (false, 1));

    let guest = ["--component".to_owned(), hostile_guest().to_str().expect("text").to_owned()];
    assert_eq!(compile(guest.to_vec(), folder("guest")).await.stdout.lines().count(), 1);
    for (component, said) in [("/no/such.wasm", "check the path"), ("/dev/null", "is not WebAssembly")] {
        let ended = compile(vec!["--component".to_owned(), component.to_owned()], folder("none")).await;
        assert!(ended.code == Some(1) && ended.stderr.contains(said), "{ended:?}");
    }
    let ended = compile(Vec::new(), "/proc/no".to_owned()).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("name another directory"), "{ended:?}");
}

fn serve(cache: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).env("XDG_CACHE_HOME", cache.path());
    command
}

#[tokio::test]
async fn host_measures_instances_and_components_for_load() {
    for (arguments, lines) in [(["--instances", "3"], 3), (["--components", "2"], 4)] {
        let cache = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(BINARY);
        command.arg("host").args(arguments).env("XDG_CACHE_HOME", cache.path());
        let output = command.output().await.expect("it starts");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
        assert_eq!(found.len(), lines, "{text}");
        match arguments[0] {
            "--instances" => {
                assert!(found.iter().all(|line| line["answered_us"].as_f64() > line["instantiated_us"].as_f64()))
            }
            _ => {
                let rss = |at: usize| found[at]["memory"]["VmRSS"].as_u64().expect("bytes");
                assert!(found[2]["components"] == 2 && rss(2) > rss(0), "{text}");
                assert!(found[3]["first_load_seconds"].as_f64() > Some(0.0), "{text}");
            }
        }
    }
}
