//! How it ends: with what was begun, in order, and so that the next start finds everything.

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use crate::scripted::{Gate, Reply, allow, ok};
use crate::wire::{get, within};
use crate::world::{Candidate, Legacy, Proxy, World};

const EXCHANGES: &str = "SELECT count(*) FROM exchanges";

#[tokio::test]
async fn a_signal_stops_the_intake_and_what_was_begun_is_finished_and_recorded() {
    for signal in [Signal::TERM, Signal::INT] {
        let gate = Gate::new();
        let waits = gate.clone();
        let legacy = Legacy::scripted(move |request| match request.start.as_str() {
            "GET /slow HTTP/1.1" => Reply::default().wait(&waits).then(ok("text/plain", "finished")),
            _ => allow(),
        });
        let mut proxy = World::new().legacy(legacy).config("record.keep_match_every = 1").start().await;
        for _ in 0..20 {
            assert_eq!(proxy.ask(get("/auth/validate")).await.status(), 200);
        }
        let mut idle = proxy.connect().await;
        assert_eq!(idle.ask(get("/auth/validate")).await.status(), 200);
        let mut busy = proxy.connect().await;
        busy.send(get("/slow")).await;
        proxy.legacy().received(22).await;

        proxy.process.signal(signal);
        assert_eq!(within("the idle connection to be closed", idle.rest()).await, b"");
        let ready = proxy.admin_get("/readyz").await;
        assert_eq!((ready.status(), ready.json()), (503, json!({"status": "draining"})));
        assert_eq!(proxy.admin_get("/healthz").await.status(), 200);
        within("new connections to be refused", refused(&proxy)).await;

        gate.open();
        let answer = busy.answer().await;
        assert_eq!((answer.text().as_str(), answer.complete), ("finished", true));
        assert_eq!(proxy.process.ended().await.code(), Some(0), "{}", proxy.process.said());
        assert_eq!(proxy.stored(EXCHANGES), 22);
    }
}

#[tokio::test]
async fn what_is_still_to_be_compared_is_compared_before_the_end() {
    let gate = Gate::new();
    let waits = gate.clone();
    let candidate = Candidate::scripted(move |_| Reply::default().wait(&waits).then(ok("application/json", "{}")));
    let config = "record.keep_match_every = 1\nmirror.concurrency = 2\ncandidate.deadline_ms = 600000";
    let mut proxy = World::new().candidate(candidate).config(config).start().await;
    let mut wire = proxy.connect().await;
    for _ in 0..10 {
        assert_eq!(wire.ask(get("/")).await.status(), 200);
    }
    proxy.candidate().received(2).await;
    proxy.process.signal(Signal::TERM);
    within("new connections to be refused", refused(&proxy)).await;
    gate.open();
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    assert_eq!(proxy.stored(EXCHANGES), 10);
}

#[tokio::test]
async fn nothing_that_hangs_keeps_it_from_ending() {
    let hangs = || Reply::default().hang();
    let config =
        "limits.drain_ms = 50\nlegacy.deadline_ms = 600000\ncandidate.deadline_ms = 600000\nmirror.concurrency = 1";
    // Legacy hangs while a client waits.
    let mut proxy = World::new().legacy(Legacy::scripted(move |_| hangs())).config(config).start().await;
    let mut wire = proxy.connect().await;
    wire.send(get("/")).await;
    proxy.legacy().received(1).await;
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    assert_eq!(wire.try_answer().await, None);
    // The candidate hangs, and more wait behind it.
    let mut proxy = World::new().candidate(Candidate::scripted(move |_| hangs())).config(config).start().await;
    let mut wire = proxy.connect().await;
    for _ in 0..10 {
        assert_eq!(wire.ask(get("/")).await.status(), 200);
    }
    proxy.candidate().received(1).await;
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    // A component that would compute without end.
    let config = "limits.drain_ms = 50\ncandidate.deadline_ms = 600000\ncandidate.cpu_ms = 600000";
    let mut proxy = World::new().candidate(Candidate::hostile()).config(config).start().await;
    assert_eq!(proxy.ask(get("/loop")).await.status(), 200);
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn what_was_killed_opens_what_it_left() {
    // They agree, or the guards would take the weight back.
    let candidate = Candidate::scripted(|_| allow());
    let world = World::new().candidate(candidate).weight(250_000).config("record.keep_match_every = 1");
    let proxy = world.start().await;
    for _ in 0..10 {
        proxy.ask(get("/auth/validate")).await;
    }
    proxy.settled().await;
    // The writer gathers for a moment before it writes.
    let written = async {
        while proxy.stored(EXCHANGES) < 10 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    within("the records to be written", written).await;
    let proxy = proxy.killed_and_restarted().await;
    assert_eq!(proxy.status().await["weight_ppm"], 250_000);
    assert_eq!(proxy.stored("SELECT sum(pairs) FROM endpoints"), 10);
    assert_eq!(proxy.stored(EXCHANGES), 10);
    proxy.ask(get("/auth/validate")).await;
    assert_eq!(proxy.settled().await["requests"]["compared"], 1);
}

async fn refused(proxy: &Proxy) {
    while TcpStream::connect(proxy.listen).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
