//! The component answers alike, whatever runs it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::contract;
use crate::process::Process;
use crate::wire::{Message, Wire, within};
use crate::world::BINARY;

/// What a host sets itself.
const OF_THE_HOST: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

#[tokio::test]
async fn the_same_code_natively_answers_every_contract_case_alike() {
    let native = Path::new(BINARY).with_file_name("examples").join("native");
    assert!(native.exists(), "{} is missing; run `cargo build --workspace --examples`", native.display());
    let native = Process::start(Command::new(native)).await.unwrap_or_else(|ended| panic!("{ended:?}"));
    answers_like_serve(native.address("listen")).await;
}

#[tokio::test]
#[ignore = "wants wasmtime on PATH: cargo ci hosts"]
async fn wasmtime_serve_answers_every_contract_case_alike() {
    let wasmtime = Wasmtime::serve("error").await;
    answers_like_serve(wasmtime.address).await;
}

#[tokio::test]
#[ignore = "wants wasmtime on PATH: cargo ci hosts"]
async fn a_key_is_answered_with_twelve_calls_to_the_host() {
    let mut wasmtime = Wasmtime::serve("wasmtime_wasi=trace,wasmtime_wasi_http=trace,wasmtime_wasi_io=trace").await;
    let request =
        "POST /auth/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key_123\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(Wire::connect(wasmtime.address).await.ask(request).await.status(), 200);
    let mut calls = Vec::new();
    while !calls.last().is_some_and(|line: &String| line.contains("response-outparam.set")) {
        let line = within("the trace of a call", wasmtime.stderr.next_line()).await.expect("it prints text");
        calls.extend(line.filter(|line| line.contains(": call")));
    }
    assert_eq!(calls.len(), 12, "{}", calls.join("\n"));
}

async fn answers_like_serve(other: SocketAddr) {
    let cache = tempfile::tempdir().expect("a folder");
    let mut serve = Command::new(BINARY);
    serve.args(["serve", "--listen", "127.0.0.1:0"]).env("XDG_CACHE_HOME", cache.path());
    let serve = Process::start(serve).await.unwrap_or_else(|ended| panic!("serve does not start: {ended:?}"));
    let cases = contract::cases();
    assert!(cases.len() >= 500, "{}", cases.len());
    let mut differing = Vec::new();
    for case in &cases {
        let (ours, theirs) = (contract::ask(serve.address("listen"), case).await, contract::ask(other, case).await);
        if component_said(&ours) != component_said(&theirs) {
            differing.push(format!("{}: {} and {}", case.name, ours.text(), theirs.text()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Status, headers and body.
fn component_said(answer: &Message) -> (u16, Vec<(String, &str)>, &[u8]) {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()));
    let mut headers: Vec<_> = headers.filter(|(name, _)| !OF_THE_HOST.contains(&name.as_str())).collect();
    headers.sort();
    (answer.status(), headers, &answer.body)
}

/// The artifact for any host, in wasmtime's own.
struct Wasmtime {
    _child: Child,
    address: SocketAddr,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Wasmtime {
    async fn serve(log: &str) -> Wasmtime {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("tmp lies in the target folder");
        let mut command = Command::new("wasmtime");
        command.args(["serve", "--addr", "127.0.0.1:0"]).arg(target.join("component/auth-component.wasm"));
        command.env("WASMTIME_LOG", log).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child =
            command.spawn().expect("wasmtime is on PATH: cargo install wasmtime-cli --version 48.0.8 --locked");
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let line = within("the address of wasmtime", stderr.next_line()).await.expect("it prints text");
        let line = line.expect("it says where it serves");
        let address = line.trim_end_matches('/').rsplit('/').next().and_then(|address| address.parse().ok());
        Wasmtime { _child: child, address: address.unwrap_or_else(|| panic!("no address in {line:?}")), stderr }
    }
}
