//! When legacy fails, or the client does.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::scripted::{Gate, Reply, allow};
use crate::wire::{Framing, Message, get};
use crate::world::{Candidate, Legacy, Proxy, World};

#[tokio::test]
async fn legacy_that_is_down_is_a_502_and_the_candidate_does_not_step_in() {
    let candidate = Candidate::scripted(|_| allow());
    let proxy = World::new().legacy(Legacy::absent()).candidate(candidate).start().await;
    let mut wire = proxy.connect().await;
    for _ in 0..2 {
        let answer = wire.ask(get("/auth/validate")).await;
        assert_problem(&answer, 502, "Bad Gateway");
    }
    assert_unanswered(&proxy, 2).await;
    assert_eq!(proxy.candidate().count(), 0);
}

#[tokio::test]
async fn legacy_that_is_unreachable_is_a_502_after_the_connect_timeout() {
    // A listener that never accepts and whose backlog is full answers no SYN, as a machine that is gone.
    let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    silent.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    silent.listen(0).expect("a bound socket");
    let listener = TcpListener::from(silent);
    let address = listener.local_addr().expect("it is bound");
    let filling: Vec<_> = (0..4).map(|_| connect_without_waiting(address)).collect();
    // No deadline would end before the test gives up: it is the connect timeout that does.
    let config = "legacy.connect_ms = 100\nlegacy.deadline_ms = 600000";
    let proxy = World::new().legacy(Legacy::At(address)).config(config).start().await;
    assert_problem(&proxy.ask(get("/")).await, 502, "Bad Gateway");
    assert_unanswered(&proxy, 1).await;
    drop(filling);
}

#[tokio::test]
async fn legacy_that_hangs_is_a_504_after_the_deadline() {
    let legacy = Legacy::scripted(|_| Reply::default().hang());
    let proxy = World::new().legacy(legacy).config("legacy.deadline_ms = 100").start().await;
    let mut wire = proxy.connect().await;
    assert_problem(&wire.ask(get("/")).await, 504, "Gateway Timeout");
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    assert_problem(&wire.ask(request).await, 504, "Gateway Timeout");
    assert_unanswered(&proxy, 2).await;
}

#[tokio::test]
async fn legacy_that_gives_no_http_is_a_502() {
    for reply in [
        Reply::default().close(),
        Reply::default().reset(),
        Reply::bytes("HTTP/1.1 200 O").close(),
        Reply::bytes("220 smtp.example ready\r\n\r\n").close(),
        Reply::bytes("HTTP/1.1 200 OK\r\nBad Header\r\n\r\n").close(),
    ] {
        let proxy = World::new().legacy(Legacy::scripted(move |_| reply.clone())).start().await;
        assert_problem(&proxy.ask(get("/")).await, 502, "Bad Gateway");
        assert_unanswered(&proxy, 1).await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_reaches_the_client_broken() {
    for (reply, framing) in [
        (Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close(), Framing::Length(10)),
        (Reply::bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").close(), Framing::Chunked),
        (Reply::bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").reset(), Framing::Chunked),
    ] {
        for config in ["", "limits.body_bytes_max = 2"] {
            let script = reply.clone();
            let proxy = World::new().legacy(Legacy::scripted(move |_| script.clone())).config(config).start().await;
            let answer = proxy.ask(get("/")).await;
            assert_eq!((answer.status(), answer.framing, answer.complete), (200, framing, false));
            let status = proxy.settled().await;
            let why = if config.is_empty() { "served_failed" } else { "body_too_large" };
            assert_eq!(status["requests"]["skipped"][why], 1, "{status:#}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_and_legacy_is_let_go() {
    let gate = Gate::new();
    let waits = gate.clone();
    let legacy = Legacy::scripted(move |request| match request.start.as_str() {
        "GET /before HTTP/1.1" => Reply::default().hang(),
        _ => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").wait(&waits).then("whole!"),
    });
    let proxy = World::new().legacy(legacy).start().await;
    // Before the head of the answer, and in the middle of its body.
    let mut wire = proxy.connect().await;
    wire.send(get("/before")).await;
    proxy.legacy().received(1).await;
    drop(wire);
    let mut wire = proxy.connect().await;
    wire.send(get("/amid")).await;
    assert!(wire.head().await.is_some());
    drop(wire);
    let gone = |status: &Value| status["requests"]["skipped"]["client_gone"] == 2;
    proxy.until("both clients to be gone", gone).await;
    gate.open();
    // In the middle of its own body; legacy is not asked.
    let mut wire = proxy.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf").await;
    proxy.until("the request", |status| status["requests"]["serving"] == 1).await;
    drop(wire);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["client_gone"], 3, "{status:#}");
    assert_eq!(proxy.legacy().count(), 2);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let proxy = World::new().config("limits.body_ms = 50").start().await;
    let mut wire = proxy.connect().await;
    let answer = wire.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert_problem(&answer, 408, "Request Timeout");
    assert_eq!(wire.rest().await, b"", "the connection ends, or the rest of the body would be read as a request");
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["client_slow"], 1, "{status:#}");
    assert_eq!(proxy.legacy().count(), 0);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_does_not_disturb_others() {
    let proxy = World::new().start().await;
    let mut good = proxy.connect().await;
    assert_eq!(good.ask(get("/")).await.status(), 200);
    for (garbage, status) in [
        ("\u{16}\u{3}\u{1}\u{0}\u{5}hello\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-A : 1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n folded\r\n\r\n".to_owned(), 400),
        ("GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "x".repeat(1_000_000)), 431),
    ] {
        let mut wire = proxy.connect().await;
        // It may be refused before all of it is sent.
        let _ = wire.try_send(garbage.as_bytes()).await;
        if let Some(answer) = wire.try_answer().await {
            assert_eq!(answer.status(), status, "{garbage:.80}");
        }
    }
    assert_eq!(good.ask(get("/")).await.status(), 200);
    proxy.until("all to be counted", |status| status["unreadable"] == 7).await;
    assert_eq!(proxy.settled().await["requests"]["received"], 2);
    assert_eq!(proxy.legacy().count(), 2);
}

fn connect_without_waiting(address: std::net::SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    let _ = socket.connect(&address.into());
    socket.into()
}

/// An answer of the proxy's own, RFC 9457.
fn assert_problem(answer: &Message, status: u16, title: &str) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    assert_eq!(answer.values("content-type"), ["application/problem+json"]);
    let problem = answer.json();
    assert_eq!(
        (&problem["status"], &problem["title"], &problem["type"]),
        (&json!(status), &json!(title), &json!("about:blank"))
    );
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{problem}");
}

async fn assert_unanswered(proxy: &Proxy, requests: u64) {
    let status = proxy.settled().await;
    let of = &status["requests"];
    assert_eq!((&of["unanswered"], &of["skipped"]["served_failed"]), (&requests.into(), &requests.into()), "{of:#}");
    assert_eq!(of["received"], requests, "{of:#}");
}
