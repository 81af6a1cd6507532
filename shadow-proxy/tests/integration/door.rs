//! The front door of `run` and `serve`: what is no HTTP/1.1 by RFC 9112 gets in nowhere, and nobody waits on a client for ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rustix::process::Signal;
use serde::Deserialize;
use tokio::process::Command;

use crate::process::Process;
use crate::scripted::{Gate, Reply, allow};
use crate::wire::{Message, Wire, get, latin1, shown, within};
use crate::world::{BINARY, COMPILED, Legacy, World, count};

/// As src/serve/strict/tests.rs has it.
#[derive(Deserialize)]
struct Case {
    name: String,
    sent: String,
    refused: Option<String>,
    #[serde(default)]
    tolerated: Vec<String>,
    #[serde(default)]
    repeat: usize,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../src/serve/strict/cases.json")).expect("the table is well-formed")
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        latin1(&self.sent.replace('\u{1}', &"a".repeat(self.repeat)))
    }
}

async fn serve() -> Process {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--compiled", COMPILED]);
    Process::start(command).await.unwrap_or_else(|ended| panic!("serve does not start: {ended:?}"))
}

/// The first final answer to some bytes, and whether the connection ends after it.
async fn answered(address: SocketAddr, bytes: &[u8]) -> Message {
    let mut wire = Wire::connect(address).await;
    // What is refused may be so before all of it is sent.
    let _ = wire.try_send(bytes).await;
    let answer = wire.try_answer().await;
    let answer = answer.unwrap_or_else(|| panic!("no answer to {:.200}", shown(bytes)));
    if matches!(answer.status(), 400 | 431) {
        assert_eq!(wire.rest().await, b"", "the connection ends: {:.200}", shown(bytes));
    }
    answer
}

#[tokio::test]
async fn one_strictness_for_both_commands_answered_closed_and_counted_by_its_reason() {
    let (proxy, alone) = (World::new().start().await, serve().await);
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    for case in cases() {
        let bytes = case.bytes();
        let before = proxy.legacy().count();
        let of_both = [answered(proxy.listen, &bytes).await, answered(alone.address("listen"), &bytes).await];
        let Some(reason) = &case.refused else {
            assert!(of_both.iter().all(|answer| !matches!(answer.status(), 400 | 431)), "{}: {of_both:?}", case.name);
            continue;
        };
        *refused.entry(reason.clone()).or_default() += 1;
        let status = if reason == "head_too_large" { 431 } else { 400 };
        for answer in &of_both {
            assert_eq!(answer.status(), status, "{}: {}", case.name, answer.text());
            assert_eq!(answer.values("content-type"), ["application/problem+json"], "{}", case.name);
        }
        assert_eq!(proxy.legacy().count(), before, "{}: legacy is not asked", case.name);
    }
    let status = proxy.settled().await;
    for (reason, count) in &refused {
        assert_eq!(status["requests"]["refused"][reason], *count, "{reason}: {:#}", status["requests"]["refused"]);
    }
    assert_eq!(count(&status["requests"]["refused"]), refused.values().sum::<u64>());
    assert_eq!(count(&status["unreadable"]), refused.values().sum::<u64>() - refused["chunk"]);
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(metrics.contains(&format!("shadow_proxy_refused_total{{reason=\"odd_host\"}} {}\n", refused["odd_host"])));
}

#[tokio::test]
async fn what_somebody_names_is_tolerated_and_nothing_else() {
    for switch in ["no_host", "odd_host", "other_host", "equal_lengths", "bare_line_feeds"] {
        let proxy = World::new().config(&format!("http.tolerate = [\"{switch}\"]")).start().await;
        for case in cases().iter().filter(|case| !case.tolerated.is_empty()) {
            let status = answered(proxy.listen, &case.bytes()).await.status();
            let wanted = if case.tolerated == [switch] { 200 } else { 400 };
            assert_eq!(status, wanted, "{}, with {switch}", case.name);
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_answered_behind_what_is_good() {
    let proxy = World::new().start().await;
    let mut wire = proxy.connect().await;
    wire.send([get("/1"), get("/2"), "GET / HTTP/1.1\r\n\r\n".to_owned(), get("/3")].concat()).await;
    let statuses = [wire.answer().await.status(), wire.answer().await.status(), wire.answer().await.status()];
    assert_eq!(statuses, [200, 200, 400]);
    assert_eq!(wire.rest().await, b"");
    assert_eq!(proxy.legacy().count(), 2);
    assert_eq!(proxy.settled().await["requests"]["refused"]["no_host"], 1);
}

#[tokio::test]
async fn an_offer_of_another_protocol_that_is_not_taken_delays_the_next_request_and_no_more() {
    let proxy = World::new().start().await;
    let mut wire = proxy.connect().await;
    let offer = "GET /offer HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    wire.send([offer, offer, &get("/next"), &get(&"/x".repeat(5_000))].concat()).await;
    for _ in 0..4 {
        assert_eq!(wire.answer().await.status(), 200);
    }
    assert_eq!(wire.ask(get("/last")).await.status(), 200);
    proxy.settled().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up_with_an_answer() {
    let proxy = World::new().config("limits.idle_ms = 50").start().await;
    let mut wire = proxy.connect().await;
    assert_eq!(wire.ask(get("/")).await.status(), 200);
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    assert_eq!(wire.answer().await.status(), 408);
    assert_eq!(wire.rest().await, b"");
    assert_eq!(proxy.settled().await["requests"]["refused"]["slow_head"], 1);
}

#[tokio::test]
async fn half_a_head_is_refused() {
    let proxy = World::new().start().await;
    let mut wire = proxy.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    wire.close_half().await;
    assert_eq!(wire.answer().await.status(), 400);
    assert_eq!(proxy.settled().await["requests"]["refused"]["unfinished"], 1);
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n{}", "x".repeat(50_000_000));
    let legacy = Legacy::scripted(move |request| match request.start.as_str() {
        "GET /large HTTP/1.1" => Reply::bytes(large.clone()),
        _ => allow(),
    });
    let proxy = World::new().legacy(legacy).config("limits.unread_ms = 100").start().await;
    let mut wire = proxy.connect().await;
    wire.send(get("/large")).await;
    proxy.until("the client to be cut off", |status| status["requests"]["refused"]["unread"] == 1).await;
    assert_eq!(proxy.ask(get("/")).await.status(), 200);
    assert_eq!(proxy.settled().await["requests"]["serving"], 0);
}

#[tokio::test]
async fn a_client_that_closed_its_half_is_answered_and_counted() {
    let gate = Gate::new();
    let waits = gate.clone();
    let legacy = Legacy::scripted(move |request| match request.start.as_str() {
        "POST /slow HTTP/1.1" => Reply::default().wait(&waits).then("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        _ => allow(),
    });
    let proxy = World::new().legacy(legacy).start().await;
    let mut fast = proxy.connect().await;
    fast.send(get("/fast")).await;
    fast.close_half().await;
    assert_eq!(fast.answer().await.status(), 200);
    assert_eq!(fast.rest().await, b"");
    let mut slow = proxy.connect().await;
    slow.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await;
    slow.close_half().await;
    proxy.legacy().received(2).await;
    gate.open();
    assert_eq!(slow.answer().await.text(), "ok");
    assert_eq!(slow.rest().await, b"");
    let status = proxy.settled().await;
    assert_eq!(count(&status["requests"]["mirrored"]), 2, "{status:#}");
}

#[tokio::test]
async fn unfinished_heads_have_a_budget_that_takes_nothing_from_others() {
    let proxy = World::new().config("limits.buffered_bytes_max = 400000").start().await;
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(90_000));
    let mut first = proxy.connect().await;
    first.send(&head).await;
    let held = "shadow_proxy_connection_bytes ";
    within("the head to be held", async {
        while level(&proxy.admin_get("/metrics").await.text(), held) < 80_000 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut second = proxy.connect().await;
    let _ = second.try_send(head.as_bytes()).await;
    assert_eq!(second.answer().await.status(), 503);
    assert_eq!(proxy.ask(get("/")).await.status(), 200);
    first.send("\r\n\r\n").await;
    assert_eq!(first.answer().await.status(), 200);
    drop((first, second));
    within("the memory to be given back", async {
        while level(&proxy.admin_get("/metrics").await.text(), held) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(proxy.settled().await["requests"]["refused"]["no_memory"], 1);
}

fn level(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|number| number.parse().ok()).expect("the metric is there")
}

#[tokio::test]
async fn the_admin_port_is_as_strict_and_leaves_descriptors_for_clients() {
    let proxy = World::new().start().await;
    for head in ["GET /healthz HTTP/1.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"] {
        assert_eq!(answered(proxy.admin, head.as_bytes()).await.status(), 400);
    }
    let metrics = proxy.admin_get("/metrics").await.text();
    assert_eq!(level(&metrics, "shadow_proxy_admin_connections_refused_total "), 2);
    assert!(level(&metrics, "shadow_proxy_admin_connections ") >= 1);
    // Whoever is refused leaves its place.
    let mut wire = Wire::connect(proxy.admin).await;
    let answer = wire.ask(format!("GET /nothing HTTP/1.1\r\nHost: {}\r\n\r\n", proxy.admin)).await;
    assert_eq!((answer.status(), wire.rest().await), (404, Vec::new()));

    let descriptors =
        || std::fs::read_dir(format!("/proc/{}/fd", proxy.process.pid().as_raw_pid())).map(Iterator::count);
    let before = descriptors().expect("a running process");
    let mut wires = Vec::new();
    for _ in 0..600 {
        wires.push(Wire::connect(proxy.admin).await);
    }
    assert_eq!(proxy.ask(get("/")).await.status(), 200);
    let after = descriptors().expect("a running process");
    assert!(after < before + 300, "{before} descriptors, then {after}");
    drop(wires);
    assert_eq!(proxy.settled().await["requests"]["served"]["legacy"], 1);
}

#[tokio::test]
async fn a_hang_up_ends_nothing() {
    let mut proxy = World::new().start().await;
    let mut alone = serve().await;
    for process in [&proxy.process, &alone] {
        process.signal(Signal::HUP);
    }
    assert_eq!(proxy.ask(get("/")).await.status(), 200);
    assert_eq!(answered(alone.address("listen"), get("/healthz").as_bytes()).await.status(), 200);
    proxy.process.signal(Signal::QUIT);
    assert_eq!(proxy.process.ended().await.code(), Some(0), "{}", proxy.process.said());
    assert!(proxy.process.said().contains("SIGHUP is ignored"), "{}", proxy.process.said());
    alone.signal(Signal::TERM);
    assert_eq!(alone.ended().await.code(), Some(0));
}
