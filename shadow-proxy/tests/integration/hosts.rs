//! The component answers alike, whatever runs it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::contract;
use crate::process::Process;
use crate::wire::{Message, within};
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
    let (_wasmtime, address) = wasmtime_serve().await;
    answers_like_serve(address).await;
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
async fn wasmtime_serve() -> (Child, SocketAddr) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("tmp lies in the target folder");
    let mut command = Command::new("wasmtime");
    command.args(["serve", "--addr", "127.0.0.1:0"]).arg(target.join("component/auth-component.wasm"));
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child =
        command.spawn().expect("wasmtime is installed: cargo install wasmtime-cli --version 48.0.8 --locked");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let line = within("the address of wasmtime", lines.next_line()).await.expect("it prints text");
    let line = line.expect("it says where it serves");
    // Whoever closes a pipe ends the writer.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let address = line.trim_end_matches('/').rsplit('/').next().and_then(|address| address.parse().ok());
    (child, address.unwrap_or_else(|| panic!("no address in {line:?}")))
}
